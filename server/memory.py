"""How the server's process uses memory: set once, before anything is opened. Measured at ingest, with bench/.

Arrow's allocations are malloc's (`ARROW_DEFAULT_MEMORY_POOL`, set in server/main.py before Arrow is loaded): a pool of
its own takes a seventh more memory at the peak of ingest, and a fifth more CPU.
"""

import contextlib
import ctypes
import gc
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import _duckdb

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""glibc's malloc.h."""

_KEPT_BYTES: Final = 128 << 20
_LARGEST_IN_ARENA_BYTES: Final = 32 << 20
"""The most that mallopt(3) takes."""
_GC_OBJECTS: Final = 20_000
_PURGE_ALL_ARENAS: Final = b"arena.4096.purge"
"""jemalloc(3): arena.<i>.purge, where 4096 is MALLCTL_ARENAS_ALL."""
_WATCHED_S: Final = 0.25


def settle() -> None:
    """Two arenas for all threads, that keep what is freed for the next batch.

    An arena for each thread keeps what that thread freed from the others. And what goes back to the kernel comes again
    page by page, each one zeroed: that was a twentieth of the CPU.
    """
    with contextlib.suppress(AttributeError, OSError):  # another libc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, _LARGEST_IN_ARENA_BYTES)
        mallopt(M_TRIM_THRESHOLD, _KEPT_BYTES)


class Trimmer:
    """Gives what malloc and DuckDB's own allocator keep for later back to the kernel where the process comes near its
    limit: beside queries, that can be as much as what is in use. A thread of its own, from `start` to `stop`."""

    def __init__(self, limit_bytes: int) -> None:
        self._from_bytes = limit_bytes * 3 // 4
        self._trims = 0
        self._stopping = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="memory", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def readings(self) -> Mapping[str, float]:
        """The numbers for /metrics."""
        return {"memory_trims": self._trims}

    def look(self) -> None:
        """Gives it back if the process is so far. Raises AttributeError, OSError where there is no glibc, no jemalloc
        in DuckDB, or no proc(5)."""
        if resident_bytes() >= self._from_bytes:
            ctypes.CDLL(None).malloc_trim(0)
            ctypes.CDLL(_duckdb.__file__).duckdb_je_mallctl(_PURGE_ALL_ARENAS, None, None, None, ctypes.c_size_t(0))
            self._trims += 1

    def _run(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            while not self._stopping.wait(_WATCHED_S):
                self.look()


def resident_bytes() -> int:
    """What the process has in memory, its programs' text included. Raises OSError where there is no proc(5)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def freeze() -> None:
    """What there is once the server is ready stays: the garbage collector need not visit it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS, 10, 10)


def thaw() -> None:
    """Undoes `freeze`, so that what ends with the process is taken apart in order, and no library finds a leak."""
    gc.unfreeze()
