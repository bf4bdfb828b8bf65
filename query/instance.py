"""An instance of DuckDB, which has limits of its own, and the threads that it computes in."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from query import extension

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """What an instance may use; `spill_bytes` are of disk. `keeps_order`: records come as they were read."""

    threads: int
    memory_bytes: int
    spill_bytes: int
    keeps_order: bool = False


@dataclass(frozen=True, slots=True)
class Instance:
    """A database, and the threads that its statements run in: None for those of the callers. Its own threads, which
    help these, have the priority of the one that started it."""

    database: duckdb.DuckDBPyConnection
    threads: ThreadPoolExecutor | None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self.database.cursor()

    def run(self, work: Callable[[], Result]) -> Result:
        """What the work gives or raises."""
        return run_in(self.threads, work)

    def close(self) -> None:
        self.database.close()
        if self.threads is not None:
            self.threads.shutdown()


def start(limits: Limits, segments: Path, spill: Path, secret: bytes, threads: ThreadPoolExecutor | None) -> Instance:
    """One that reads files of two directories, and writes to the latter."""
    spill.mkdir(parents=True)
    return Instance(run_in(threads, lambda: _database(limits, segments, spill, secret)), threads)


def run_in(threads: ThreadPoolExecutor | None, work: Callable[[], Result]) -> Result:
    return work() if threads is None else threads.submit(work).result()


def _database(limits: Limits, segments: Path, spill: Path, secret: bytes) -> duckdb.DuckDBPyConnection:
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
    instance.execute("SET allowed_configs = ['enable_profiling']")
    instance.execute("SET lock_configuration = true")
    return instance
