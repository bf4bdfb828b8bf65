"""What a process cost, what a call took, and tables of it."""

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

Answer = TypeVar("Answer")
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of all threads of a process so far, from /proc/PID/stat (proc(5)); 10 ms fine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def peak_memory_bytes(pid: int) -> int:
    """The largest resident set that a process had so far."""
    return _status_bytes(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """The resident set of a process now."""
    return _status_bytes(pid, "VmRSS")


def memory_bytes() -> int:
    """The resident set of this process now, once what nobody holds is gone."""
    gc.collect()
    return _status_bytes(os.getpid(), "VmRSS")


def _status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/{pid}/status tells no {name}")


def child_cpu_s(work: Callable[[], object]) -> float:
    """User and system time of a fresh process that does this work."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError(f"the measured process ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True, slots=True)
class Timing:
    first_ms: float
    median_ms: float


def timed(call: Callable[[], Answer], repeats: int) -> tuple[Answer, Timing]:
    """The answer of the last of `repeats` calls, what the first took, and the median of all."""
    times_ms = []
    for _ in range(repeats):
        start_s = time.perf_counter()
        answer = call()
        times_ms.append((time.perf_counter() - start_s) * 1000)
    return answer, Timing(times_ms[0], statistics.median(times_ms))


def directory_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies (nearest rank)."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown; floats with three significant digits."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
