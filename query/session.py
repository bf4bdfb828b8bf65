"""One query in an instance of DuckDB: its cursor, its time-out and cancellation, more memory where it needs some."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol

import duckdb
import numpy.typing as npt
import pyarrow as pa
import structlog

from logstore.catalog import Segment
from logstore.errors import Busy, LogstoreError, QueryTimeout, QueryTooExpensive
from query.cost import Cost, Stage
from query.damage import damage_of
from query.instance import FATAL, Instance
from query.settings import MIB, QuerySettings, Size
from query.watchdog import Watchdog

log = structlog.get_logger("query.session")

BATCH_ROWS: Final = 4_096
RECORDS: Final = "records"
_WITH: Final = "WITH "
_FATAL_TEXTS: Final = ("FATAL", "INTERNAL")
"""How what DuckDB says begins once its database answers nothing any more, where a stream of Arrow has but the text."""
TICK_TIMEOUT_S: Final = 5.0
"""Time that the filters of all tails may take over one batch."""


class QueryCancelled(LogstoreError):
    """The one who asked has gone, or the server stops; nobody reads this message."""


class Readable(Protocol):
    """Arrow batches, from the first one on whenever a statement reads them."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


@dataclass(frozen=True, slots=True)
class Room:
    """Where a session runs; `isolate` waits, at most so many seconds and until it is off, until no other does there,
    and says whether that helped."""

    instance: Instance
    isolate: Callable[[float, Callable[[], bool]], bool]


class Session:
    """One query's cursor. One thread uses it at a time; `cancel` may come from any."""

    def __init__(
        self,
        room: Room,
        room_in: Callable[[Size, float], Room],
        watchdog: Watchdog,
        readers: ThreadPoolExecutor,
        settings: QuerySettings,
        size: Size,
        wait_s: float,
    ) -> None:
        """`room` is where it begins, `room_in` where it may go on; `wait_s`: how long it waits there for a turn."""
        self.readers = readers
        self._room_in = room_in
        self._room = room
        self._wait_s = wait_s
        self._watchdog = watchdog
        self._settings = settings
        self._size = size
        self._left_s = settings.timeout_s if size is not Size.TAIL else TICK_TIMEOUT_S
        self._is_cancelled = False
        self._read_bytes = 0
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._database = 0
        self._files: Sequence[Segment] = ()
        self._failure: LogstoreError | None = None
        self.is_sparing = False
        """Whether records are read in steps so small that what is made of each at once takes little memory."""
        self.cost = Cost()
        """Of what the session does."""
        self._begin()

    def measure(self, cost: Cost) -> None:
        """Adds to this cost from now on. What the query has spent already counts against its time."""
        self.cost = cost
        self._left_s -= (cost.spent_ns[Stage.SQL] + cost.spent_ns[Stage.READ]) / 1e9
        if self._opened is not None:
            self._profile(self._opened)

    def _profile(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if self.cost.is_detailed:
            # The profile is this cursor's alone, and `no_output` keeps DuckDB from printing it.
            cursor.execute("SET enable_profiling = 'no_output'")

    @property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Opened for the first statement, since many answers need none."""
        if self._opened is None:
            self._opened, self._database = self._room.instance.cursor()
            self._profile(self._opened)
        return self._opened

    def enlarge(self, wait_s: float | None = None) -> bool:
        """Goes on in the instance for large queries, where nothing is registered yet; False for one that is there
        already, and for a tail.

        Raises:
            Busy: too many large queries run.
        """
        if self._size is not Size.SMALL:
            return False
        with self.cost.stage(Stage.WAIT):
            large = self._room_in(Size.LARGE, self._wait_s if wait_s is None else wait_s)
        self.close()
        self._room, self._size = large, Size.LARGE
        self._begin()
        self.cost.is_enlarged = True
        return True

    def spare(self) -> bool:
        """Goes on `is_sparing`, and alone in its instance, once the others there are done, unless they take longer than
        this query may. Nothing is registered there any more. False where it is sparing already."""
        if self.is_sparing:
            return False
        self.is_sparing = self.cost.is_sparing = True
        self.cost.is_isolated = self._isolate()
        return True

    def _isolate(self) -> bool:
        self.close()
        began_s = time.monotonic()
        with self.cost.stage(Stage.WAIT):
            is_alone = self._room.isolate(self._left_s, lambda: self._is_cancelled)
        self._left_s -= time.monotonic() - began_s
        self._begin()
        return is_alone

    def _begin(self) -> None:
        self._opened = None
        self._keeps_footers = False
        self._records = ""

    def grow(self, size_bytes: int) -> None:
        """Told what a query is about to read, before compression, step by step: past what is small it goes on in the
        instance for large queries, if that has room now."""
        self._read_bytes += size_bytes
        if self._read_bytes > self._settings.large_bytes:
            with contextlib.suppress(Busy):
                self.enlarge(wait_s=0.0)

    def keep_footers(self, files: Sequence[Segment]) -> None:
        """Told which files are about to be read whole: their footers stay in memory, where there is room."""
        self._files = files
        cursor = self._cursor if files else None  # opened first: footers count of the database that it belongs to
        keeps = cursor is not None and self._room.instance.may_keep(files)
        if keeps != self._keeps_footers:
            self.execute(f"SET parquet_metadata_cache = {keeps}")
            self._keeps_footers = keeps

    def register(self, name: str, rows: Readable) -> None:
        """Makes an Arrow table, or another stream of batches, readable by a name, in this session only."""
        try:
            self._cursor.register(name, rows)
        except duckdb.Error as error:
            raise self._explained(error, name) from error
        if name == RECORDS:
            self._records = ""
            self._files = ()

    def define_records(self, select: str) -> None:
        """Makes `records` mean a SELECT in what is streamed and fetched from now on: as a part of each statement, which
        is planned with it once. A view is planned when it is made, too."""
        self._records = select

    def _with_records(self, sql: str) -> str:
        if not self._records:
            return sql
        head = f"{_WITH}{RECORDS} AS NOT MATERIALIZED ({self._records})"
        return f"{head}, {sql.removeprefix(_WITH)}" if sql.startswith(_WITH) else f"{head} {sql}"

    def fail(self, failure: LogstoreError) -> None:
        """Told what ended a stream that a statement reads, of which DuckDB's error has no more than the text."""
        self._failure = failure

    def execute(self, sql: str, params: Sequence[object] = ()) -> None:
        """Runs a statement that has no result."""
        with self._limited(sql):
            self._room.instance.run(lambda: self._cursor.execute(sql, list(params)))

    def stream(
        self, sql: str, params: Sequence[object] = (), rows: int = BATCH_ROWS
    ) -> Generator[pa.RecordBatch, None, None]:
        """The result in batches of at most `rows`, computed while it is read. Drain or close it before the next one.

        Raises:
            QueryTimeout, QueryTooExpensive, QueryCancelled: with the first batch or any later one.
        """
        sql = self._with_records(sql)
        with self._limited(sql):
            reader = self._room.instance.run(lambda: self._cursor.sql(sql, params=list(params)).to_arrow_reader(rows))
        try:
            while True:
                with self._limited(sql):
                    batch = self._room.instance.run(lambda: next(reader, None))
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
        sql = self._with_records(sql)
        with self._limited(sql):
            table = self._room.instance.run(lambda: self._cursor.sql(sql, params=list(params)).to_arrow_table())
        self._note_profile()
        return table

    def fetch_numbers(self, sql: str, params: Sequence[object] = ()) -> Mapping[str, npt.NDArray[Any]]:
        """The whole result of numbers and booleans without nulls, by column, for small ones: a statement that gives
        Arrow is planned twice."""
        sql = self._with_records(sql)
        with self._limited(sql):
            return self._room.instance.run(lambda: self._cursor.execute(sql, list(params)).fetchnumpy())

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
        if (cursor := self._opened) is not None:
            cursor.interrupt()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

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
        except (duckdb.Error, OSError, pa.ArrowException, UnicodeDecodeError) as error:
            # What DuckDB says of a damaged file may not be text.
            self._left_s -= time.monotonic() - started_s
            raise self._explained(error, sql) from error
        else:
            self._left_s -= time.monotonic() - started_s
        finally:
            self._watchdog.disarm(self)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Counts what is read without DuckDB as time of the query.

        Raises:
            QueryTimeout, QueryCancelled: it has none left.
        """
        self._check()
        started_s = time.monotonic()
        try:
            with self.cost.stage(Stage.READ):
                yield
        finally:
            self._left_s -= time.monotonic() - started_s

    def _check(self) -> None:
        if self._is_cancelled:
            raise QueryCancelled("the query was cancelled")
        if self._left_s <= 0:
            raise self._timeout()

    def _explained(self, error: Exception, sql: str) -> Exception:
        """DuckDB's error in our words; what is left over is our bug, and stays as it is."""
        text = str(error)
        if isinstance(error, FATAL) or text.startswith(_FATAL_TEXTS):
            log.error("database given up", error=text, sql=sql)
            self._room.instance.give_up(self._database)
        if self._is_cancelled:
            return QueryCancelled("the query was cancelled")
        if isinstance(error, duckdb.InterruptException) or text.startswith("INTERRUPT"):
            return self._timeout()
        if isinstance(error, duckdb.OutOfMemoryException) or text.startswith("Out of Memory"):
            return self._out_of_memory(text)
        if (failure := self._failure or damage_of(error, self._files)) is not None:
            return failure
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
