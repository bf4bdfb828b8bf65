"""An instance of DuckDB, which has limits of its own, the threads that it computes in, and the footers that it keeps.

DuckDB parses a footer anew whenever it reads a file, which takes it longer than to read a column of it; those that it
is told to keep it keeps as long as the database lives. So what it may keep is counted, and once it is too much, a new
database takes over for the cursors that come.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from logstore.catalog import Segment
from query import extension

Result = TypeVar("Result")

KEPT_CHUNKS: Final = 16_384
"""Columns of row groups whose metadata an instance keeps: about a kilobyte of memory each."""
GROUP_ROWS: Final = 8_192
BASE_COLUMNS: Final = 14
_READ_AT_ONCE: Final = 16
"""Files of which footers are read by one statement: who asks something meanwhile may have to wait for it."""
FATAL: Final = (duckdb.FatalException, duckdb.InternalException)
"""Errors after which a database answers nothing any more."""
RENEWED_S: Final = 600.0
"""A database lives at least so long: to begin a new one takes 0.1 s."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an instance may use; `spill_bytes` are of disk. `keeps_order`: records come as they were read."""

    threads: int
    memory_bytes: int
    spill_bytes: int
    keeps_order: bool = False


class Instance:
    """A database that reads files of one directory, and writes to another. All methods are safe in any thread.

    Its statements run in `threads`, where given, else in those of the callers. Its own threads, which help these, have
    the priority of the one that started it.
    """

    def __init__(
        self, limits: Limits, segments: Path, spill: Path, secret: bytes, threads: ThreadPoolExecutor | None
    ) -> None:
        self._limits = limits
        self._segments = segments
        self._spill = spill
        self._secret = secret
        self._threads = threads
        self._lock = threading.Lock()
        self.number = 0
        """Of its database: the next one has no footers."""
        self._begin()

    def _begin(self) -> None:
        """What other cursors have of the database that was there before lives on until they are closed."""
        self.number += 1
        spill = self._spill / str(self.number)
        self._database = self.run(lambda: _database(self._limits, self._segments, spill, self._secret))
        self._since_s = time.monotonic()
        self._kept: set[int] = set()
        self._chunks = 0
        self._is_full = False
        self._is_broken = False

    def give_up(self, number: int) -> None:
        """The database of this number answers nothing any more: the next cursor is of a new one."""
        self._is_broken |= number == self.number

    def cursor(self) -> tuple[duckdb.DuckDBPyConnection, int]:
        """And the number of its database."""
        with self._lock:
            if self._is_broken or (self._is_full and time.monotonic() - self._since_s >= RENEWED_S):
                self._begin()
            return self._database.cursor(), self.number

    def run(self, work: Callable[[], Result]) -> Result:
        """What the work gives or raises."""
        return work() if self._threads is None else self._threads.submit(work).result()

    def may_keep(self, files: Sequence[Segment]) -> bool:
        """Whether there is room for the footers of these files, which then are taken for kept."""
        with self._lock:
            new = [file for file in files if file.id not in self._kept]
            chunks = sum(map(_chunks, new))
            if self._chunks + chunks > KEPT_CHUNKS:
                self._is_full |= sum(map(_chunks, files)) <= KEPT_CHUNKS
                return False
            self._kept.update(file.id for file in new)
            self._chunks += chunks
            return True

    def read_footers(self, files: Iterable[Segment]) -> None:
        """Reads and keeps the footers of these files, the first ones, as long as there is room."""
        with self._lock:
            new = list(takewhile(self._keeps, (file for file in files if file.id not in self._kept)))
            cursor, number = self._database.cursor(), self.number
        with contextlib.closing(cursor):
            for start in range(0, len(new), _READ_AT_ONCE):
                paths = [str(file.path) for file in new[start : start + _READ_AT_ONCE]]
                try:
                    self.run(partial(_read_footers, cursor, paths))
                except FATAL:
                    self.give_up(number)
                    raise

    def _keeps(self, file: Segment) -> bool:
        """Whether there is room for the footer of a file that is not kept, which then is taken for kept."""
        if self._chunks + _chunks(file) > KEPT_CHUNKS:
            return False
        self._kept.add(file.id)
        self._chunks += _chunks(file)
        return True

    @property
    def footers(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def close(self) -> None:
        self._database.close()
        if self._threads is not None:
            self._threads.shutdown()


def _chunks(segment: Segment) -> int:
    """About how many columns its row groups have together."""
    return (segment.rows // GROUP_ROWS + 1) * (BASE_COLUMNS + len(segment.columns.kinds))


def _read_footers(cursor: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    cursor.execute("SET parquet_metadata_cache = true")
    cursor.execute("SELECT count(*) FROM read_parquet(?)", [paths]).fetchall()


def _database(limits: Limits, segments: Path, spill: Path, secret: bytes) -> duckdb.DuckDBPyConnection:
    spill.mkdir(parents=True)
    instance = duckdb.connect(
        ":memory:",
        config={
            "threads": limits.threads,
            "memory_limit": f"{limits.memory_bytes}B",
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{limits.spill_bytes}B",
            "preserve_insertion_order": limits.keeps_order,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        },
    )
    extension.register(instance, secret)
    instance.execute("SET TimeZone = 'UTC'")
    instance.execute("SET VARIABLE directories = ?", [[f"{segments.absolute()}/", f"{spill.absolute()}/"]])
    instance.execute("SET allowed_directories = getvariable('directories')")
    instance.execute("SET enable_external_access = false")
    instance.execute("SET allowed_configs = ['enable_profiling', 'parquet_metadata_cache']")
    instance.execute("SET lock_configuration = true")
    return instance
