"""DuckDB under limits: a small fixed pool of instances, a cursor a query, admission, time-out, cancellation.

Limits are an instance's in DuckDB, not a cursor's. So there are three of them: one for queries that read little, one
for those that read much, and one for tails, which no query can then starve of memory; and those that read much yield
the processors to all others. Each can read files of the segments' directory and nothing else.
"""

import contextlib
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy.typing as npt
import pyarrow as pa
import structlog

from logstore.catalog import Segment
from logstore.errors import Busy, LogstoreError, QueryTimeout, QueryTooExpensive
from query.cost import Cost, Stage
from query.extension import NO_SECRET
from query.instance import Instance, Limits
from query.parts import Parts
from query.remembered import Answers
from query.verdicts import Verdicts
from query.watchdog import Watchdog
from query.yielding import yielding

log = structlog.get_logger("query.engine")

MIB: Final = 1 << 20
BATCH_ROWS: Final = 4_096
TICK_TIMEOUT_S: Final = 5.0
"""Time that the filters of all tails may take over one batch."""


class QueryCancelled(LogstoreError):
    """The one who asked has gone, or the server stops; nobody reads this message."""


class Size(StrEnum):
    """Which instance a query runs in."""

    SMALL = "small"
    LARGE = "large"
    TAIL = "tail"


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """Limits of all queries of one server; the server's settings have the names in brackets."""

    timeout_s: float = 60.0
    """Time that a query may spend reading and computing, not sending (query_timeout)."""
    memory_bytes: int = 128 * MIB
    """Memory of all queries together (query_memory)."""
    concurrency: int = 8
    """Queries at once (query_concurrency)."""
    wait_s: float = 1.0
    """How long a query waits for its turn before it is refused."""
    threads: int = 2
    spill_bytes: int = 1024 * MIB
    """Disk that large sorts and groups may use, for each instance."""
    large_bytes: int = 64 * MIB
    """Bytes of segments, before compression, from which on a query counts as large."""

    @property
    def large_concurrency(self) -> int:
        """Large queries at once."""
        return max(1, self.concurrency // 2)

    def share_bytes(self, size: Size) -> int:
        """An instance's part of the memory."""
        eighths = {Size.SMALL: 2, Size.LARGE: 5, Size.TAIL: 1}[size]
        return self.memory_bytes * eighths // 8


class Engine:
    """The pool. All methods are safe in any thread."""

    def __init__(
        self, segments: Path, spill: Path, settings: QuerySettings | None = None, secret: bytes = NO_SECRET
    ) -> None:
        """`segments` is the only directory that can be read; `spill` is emptied, and nothing else may use it; `secret`
        is the one that the segments' templates have their ids by."""
        self.settings = settings or QuerySettings()
        self._secret = secret
        shutil.rmtree(spill, ignore_errors=True)
        self._instances = {size: self._start(size, segments, spill) for size in Size}
        self._turns = threading.BoundedSemaphore(self.settings.concurrency)
        self._large_turns = threading.BoundedSemaphore(self.settings.large_concurrency)
        self._watchdog = Watchdog()
        self._readers = ThreadPoolExecutor(self.settings.threads, "query-read")
        self.verdicts = Verdicts()
        self.answers = Answers()
        self.parts = Parts()

    def _start(self, size: Size, segments: Path, spill: Path) -> Instance:
        settings, is_tail = self.settings, size is Size.TAIL
        limits = Limits(1 if is_tail else settings.threads, settings.share_bytes(size), settings.spill_bytes, is_tail)
        threads = yielding(settings.large_concurrency, "large-query") if size is Size.LARGE else None
        return Instance(limits, segments, spill / size, self._secret, threads)

    @contextlib.contextmanager
    def session(self, size: Size = Size.SMALL, wait_s: float | None = None) -> Iterator["Session"]:
        """A turn to run one query.

        Raises:
            Busy: too many queries run, still after `wait_s` (the settings' unless given).
        """
        with contextlib.ExitStack() as stack:
            wait_s = self.settings.wait_s if wait_s is None else wait_s
            if size is not Size.TAIL:
                self._take_turn(self._turns, self.settings.concurrency, "", wait_s)
                stack.callback(self._turns.release)

            def instance_of(size: Size, wait_s: float) -> Instance:
                if size is Size.LARGE:
                    self._take_turn(self._large_turns, self.settings.large_concurrency, "large ", wait_s)
                    stack.callback(self._large_turns.release)
                return self._instances[size]

            session = Session(instance_of, self._watchdog, self._readers, self.settings, size, wait_s)
            stack.callback(session.close)
            yield session

    def _take_turn(self, turns: threading.BoundedSemaphore, count: int, kind: str, wait_s: float) -> None:
        if not turns.acquire(timeout=wait_s):
            raise Busy(f"{count} {kind}queries run already, which is the limit (query_concurrency); try again soon")

    def readings(self) -> dict[str, float]:
        """The numbers for /metrics."""
        return {"query_footers": sum(instance.footers for instance in self._instances.values())}

    def close(self) -> None:
        """Ends what runs and stops."""
        self._watchdog.close()
        self._readers.shutdown()
        for instance in self._instances.values():
            instance.close()


class Session:
    """One query's cursor. One thread uses it at a time; `cancel` may come from any."""

    def __init__(
        self,
        instance_of: Callable[[Size, float], Instance],
        watchdog: Watchdog,
        readers: ThreadPoolExecutor,
        settings: QuerySettings,
        size: Size,
        wait_s: float,
    ) -> None:
        """`wait_s`: how long it waits for an instance that has no room."""
        self.readers = readers
        self._instance_of = instance_of
        self._instance = instance_of(size, wait_s)
        self._wait_s = wait_s
        self._cursor = self._instance.cursor()
        self._watchdog = watchdog
        self._settings = settings
        self._size = size
        self._left_s = settings.timeout_s if size is not Size.TAIL else TICK_TIMEOUT_S
        self._is_cancelled = False
        self._read_bytes = 0
        self._keeps_footers = False
        self.cost = Cost()
        """Of what the session does."""

    def measure(self, cost: Cost) -> None:
        """Adds to this cost from now on."""
        self.cost = cost
        self._profile()

    def _profile(self) -> None:
        if self.cost.is_detailed:
            # The profile is this cursor's alone, and `no_output` keeps DuckDB from printing it.
            self._cursor.execute("SET enable_profiling = 'no_output'")

    def enlarge(self, wait_s: float | None = None) -> bool:
        """Goes on in the instance for large queries, where nothing is registered yet; False for one that is there
        already, and for a tail.

        Raises:
            Busy: too many large queries run.
        """
        if self._size is not Size.SMALL:
            return False
        with self.cost.stage(Stage.WAIT):
            large = self._instance_of(Size.LARGE, self._wait_s if wait_s is None else wait_s)
        self._cursor.close()
        self._instance, self._cursor, self._size = large, large.cursor(), Size.LARGE
        self._keeps_footers = False
        self._profile()
        self.cost.is_enlarged = True
        return True

    def grow(self, size_bytes: int) -> None:
        """Told what a query is about to read, before compression, step by step: past what is small it goes on in the
        instance for large queries, if that has room now."""
        self._read_bytes += size_bytes
        if self._read_bytes > self._settings.large_bytes:
            with contextlib.suppress(Busy):
                self.enlarge(wait_s=0.0)

    def keep_footers(self, files: Sequence[Segment]) -> None:
        """Told which files are about to be read whole: their footers stay in memory, where there is room."""
        keeps = bool(files) and self._instance.may_keep(files)
        if keeps != self._keeps_footers:
            self.execute(f"SET parquet_metadata_cache = {keeps}")
            self._keeps_footers = keeps

    def register(self, name: str, table: pa.Table) -> None:
        """Makes an Arrow table readable by a name, in this session only."""
        self._cursor.register(name, table)

    def execute(self, sql: str, params: Sequence[object] = ()) -> None:
        """Runs a statement that has no result."""
        with self._limited(sql):
            self._instance.run(lambda: self._cursor.execute(sql, list(params)))

    def stream(
        self, sql: str, params: Sequence[object] = (), rows: int = BATCH_ROWS
    ) -> Generator[pa.RecordBatch, None, None]:
        """The result in batches of at most `rows`, computed while it is read. Drain or close it before the next one.

        Raises:
            QueryTimeout, QueryTooExpensive, QueryCancelled: with the first batch or any later one.
        """
        with self._limited(sql):
            reader = self._instance.run(lambda: self._cursor.sql(sql, params=list(params)).to_arrow_reader(rows))
        try:
            while True:
                with self._limited(sql):
                    batch = self._instance.run(lambda: next(reader, None))
                if batch is None:
                    return
                if batch.num_rows:
                    yield batch
        except GeneratorExit:
            self._drain(reader, sql)
            raise
        finally:
            reader.close()
            self._note_profile()

    def fetch(self, sql: str, params: Sequence[object] = ()) -> pa.Table:
        """The whole result, for statements whose result is small by construction."""
        with self._limited(sql):
            table = self._instance.run(lambda: self._cursor.sql(sql, params=list(params)).to_arrow_table())
        self._note_profile()
        return table

    def fetch_numbers(self, sql: str, params: Sequence[object] = ()) -> Mapping[str, npt.NDArray[Any]]:
        """The whole result of numbers and booleans without nulls, by column, for small ones: a statement that gives
        Arrow is planned twice."""
        with self._limited(sql):
            return self._instance.run(lambda: self._cursor.execute(sql, list(params)).fetchnumpy())

    def _drain(self, reader: pa.RecordBatchReader, sql: str) -> None:
        """DuckDB has no profile of a result that was not read to its end."""
        if self.cost.is_detailed:
            with contextlib.suppress(LogstoreError), self._limited(sql):
                deque(reader, maxlen=0)

    def _note_profile(self) -> None:
        if self.cost.is_detailed:
            self.cost.add_profile(self._cursor.get_profiling_information(format="json"))

    def cancel(self) -> None:
        """Ends what runs now, soon, and all that would run later with `QueryCancelled`."""
        self._is_cancelled = True
        self._watchdog.hurry(self)

    def interrupt(self) -> None:
        """For the watchdog."""
        self._cursor.interrupt()

    def close(self) -> None:
        self._cursor.close()

    @contextlib.contextmanager
    def _limited(self, sql: str) -> Iterator[None]:
        self._check()
        started_s = time.monotonic()
        self._watchdog.arm(self, started_s + self._left_s)
        if self._is_cancelled:
            self._watchdog.hurry(self)
        try:
            with self.cost.stage(Stage.SQL):
                yield
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            self._left_s -= time.monotonic() - started_s
            raise self._explained(error, sql) from error
        else:
            self._left_s -= time.monotonic() - started_s
        finally:
            self._watchdog.disarm(self)

    def _check(self) -> None:
        if self._is_cancelled:
            raise QueryCancelled("the query was cancelled")
        if self._left_s <= 0:
            raise self._timeout()

    def _explained(self, error: Exception, sql: str) -> Exception:
        """DuckDB's error in our words; what is left over is our bug, and stays as it is."""
        text = str(error)
        if self._is_cancelled:
            return QueryCancelled("the query was cancelled")
        if isinstance(error, duckdb.InterruptException) or text.startswith("INTERRUPT"):
            return self._timeout()
        if isinstance(error, duckdb.OutOfMemoryException) or text.startswith("Out of Memory"):
            return self._out_of_memory(text)
        log.error("query failed", error=text, sql=sql)
        return error

    def _timeout(self) -> QueryTimeout:
        if self._size is Size.TAIL:
            return QueryTimeout(
                f"the tail's query took longer than {TICK_TIMEOUT_S:g} s for one batch, which is the limit; "
                "use a simpler filter"
            )
        return QueryTimeout(
            f"the query ran longer than {self._settings.timeout_s:g} s, which is the limit (query_timeout); "
            "ask for a shorter time range or fewer streams"
        )

    def _out_of_memory(self, text: str) -> QueryTooExpensive:
        if "max_temp_directory_size" in text:
            limit = f"{self._settings.spill_bytes // MIB} MiB of disk (spill_bytes)"
        else:
            share = self._settings.share_bytes(self._size) // MIB
            limit = f"{share} MiB of memory, its share of {self._settings.memory_bytes // MIB} MiB (query_memory)"
        return QueryTooExpensive(
            f"the query needs more than {limit}; ask for a shorter time range, fewer groups or a smaller limit"
        )
