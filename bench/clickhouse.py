"""ClickHouse to compare with, as `chdb`, its engine in process: in a child process, from a virtual environment of its
own in bench/out that is made when it is first needed."""

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.corpus import OUT, Corpus
from bench.measure import Timing

VERSIONS: Final = ("chdb==4.4.0", "chdb-core==26.9.0")
_CHILD: Final = Path(__file__).with_name("clickhouse_child.py")


class Index(StrEnum):
    """What the table has beside its columns: nothing; a text index, and a column of the messages that are JSON; in the
    index positions too, which is experimental in this version and the fastest for phrases."""

    NONE = "none"
    WORDS = "words"
    PHRASES = "phrases"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading took, and the bytes on disk: all, and of these the text index and the JSON column."""

    cpu_s: float
    bytes: int
    index_bytes: int
    attributes_bytes: int


class ClickHouse:
    """One table `logs` in one process. Raises RuntimeError where the process ends; its last words are on stderr."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> Self:
        command = [str(_python()), "-I", str(_CHILD), str(self._directory)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            self._process.kill()

    def load(self, source: Corpus, index: Index) -> Loaded:
        """Once: a second table would be loaded by a process that is warm."""
        return Loaded(**self._answer(load=str(source.path), index=index))

    def ask(self, sql: str, repeats: int, *, has_cache: bool) -> tuple[list[list[Any]], Timing]:
        answer = self._answer(ask=sql, repeats=repeats, has_cache=has_cache)
        return answer["rows"], Timing(answer["first_ms"], answer["median_ms"])

    def _answer(self, **asked: object) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"ClickHouse ended with {self._process.wait()} when asked {asked}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _python() -> Path:
    """The interpreter that has `chdb`."""
    home = OUT / "chdb-venv"
    python, installed = home / "bin" / "python", home / "installed"
    if not installed.exists() or installed.read_text() != " ".join(VERSIONS):
        print(f"installing {' '.join(VERSIONS)} into {home}", file=sys.stderr)
        venv.create(home, clear=True, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *VERSIONS], check=True, stdout=sys.stderr)
        installed.write_text(" ".join(VERSIONS))
    return python
