"""What a tail sends before it is live: the newest records, or all since a cursor, without loss or repeat."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from logstore import pruning
from logstore.errors import InvalidInput
from logstore.record import TIME_MIN_NS
from logstore.store import Store
from query import analyse, ast, place, sql
from query.answer import schema, shape
from query.engine import Engine
from query.events import Event, Mark, Records
from query.execute import run_parsed
from query.plan import plan
from query.request import Request
from query.rows import json_rows
from query.settings import Size
from query.sql import Compiled
from query.times import parse_duration_ns
from query.view import define_records

MAX_BACKLOG_ROWS: Final = 100_000
NEAR_ROWS: Final = 10_000
"""A reader that is so few records behind goes live and reads the rest beside."""
_ROWS_AT_ONCE: Final = 1_000_000
_WAIT_S: Final = 30.0
_COUNT: Final = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Backlog:
    """So many of the newest records, or those of the last nanoseconds."""

    rows: int | None = None
    age_ns: int | None = None


def parse_backlog(text: str) -> Backlog:
    """A number of records or a duration.

    Raises:
        InvalidInput: neither, or too many.
    """
    if not _COUNT.fullmatch(text.strip()):
        return Backlog(age_ns=parse_duration_ns(text))
    rows = int(text)
    if rows > MAX_BACKLOG_ROWS:
        raise InvalidInput(f"a backlog has at most {MAX_BACKLOG_ROWS} records; ask for a duration instead, such as 1h")
    return Backlog(rows=rows)


def parse_cursor(text: str) -> int:
    """The number of the last record that was read, from a tail's cursor or a page's.

    Raises:
        InvalidInput: no cursor.
    """
    return place.parse_cursor(text)[1]


@dataclass(frozen=True, slots=True)
class TailQuery:
    """A row-wise query and how its rows are shown."""

    query: ast.Query
    with_seq: bool = False

    def compiled(self, after_seq: int | None = None, up_to_seq: int | None = None) -> Compiled:
        return sql.compile(
            self.query,
            order="asc",
            with_seq=self.with_seq,
            with_place=True,
            after_seq=after_seq,
            up_to_seq=up_to_seq,
        )


def in_seq_order(compiled: Compiled) -> str:
    """The SQL with its rows in the order of acceptance; the last column is `_seq`."""
    return f"SELECT * FROM ({compiled.sql}) ORDER BY {len(compiled.columns) + 2}"


def records_of(compiled: Compiled, batch: pa.RecordBatch) -> Records:
    """Rows of a query with places, as lines."""
    encoder = json_rows(compiled.columns, keeps_nulls=False)
    lines = b"".join(encoder.encode(shape(batch, schema(compiled.columns))))
    return Records(lines, batch.num_rows, tuple(batch.columns[-1].to_pylist()))


def visible_seq(store: Store) -> int:
    """The number of the last record that is acknowledged; -1 where there is none."""
    with store.snapshot() as snapshot:
        newest = int(snapshot.segments.max_seq.max(initial=-1))
        if snapshot.buffer.num_rows:
            newest = max(newest, int(snapshot.buffer["_seq"][-1].as_py()))
    return newest


class CatchUp:
    """Reads what a tail has to send first."""

    def __init__(self, store: Store, engine: Engine, tail: TailQuery) -> None:
        self._store = store
        self._engine = engine
        self._tail = tail

    def backlog(self, wanted: Backlog, up_to_seq: int, now_ns: int) -> Iterator[Event]:
        """Records up to a number, oldest first, then the cursor that covers them."""
        request = Request("", with_seq=self._tail.with_seq, up_to_seq=up_to_seq, limit=0)
        if wanted.rows is None:
            assert wanted.age_ns is not None
            request = replace(request, start_ns=max(now_ns - wanted.age_ns, TIME_MIN_NS), order="asc")
            yield from self._rows(request)
        elif wanted.rows:
            yield from self._newest(replace(request, limit=wanted.rows))
        yield Mark(str(up_to_seq))

    def _rows(self, request: Request) -> Iterator[Event]:
        with run_parsed(self._store, self._engine, self._tail.query, None, request, _WAIT_S) as answer:
            encoder = json_rows(answer.columns, keeps_nulls=False)
            for batch in answer.batches():
                yield Records(b"".join(encoder.encode(batch)), batch.num_rows)

    def _newest(self, request: Request) -> Iterator[Event]:
        with run_parsed(self._store, self._engine, self._tail.query, None, request, _WAIT_S) as answer:
            batches = list(answer.batches())
        encoder = json_rows(answer.columns, keeps_nulls=False)
        for batch in reversed(batches):
            turned = batch.take(pa.array(range(batch.num_rows - 1, -1, -1)))
            yield Records(b"".join(encoder.encode(turned)), batch.num_rows)

    def since(self, after_seq: int, newest_seq: Callable[[], int], near: int = NEAR_ROWS) -> Iterator[Event]:
        """Records after a number in the order of acceptance, with cursors, until at most `near` are left.

        The last event is a cursor, where there is any.
        """
        while True:
            target = newest_seq()
            if target - after_seq <= near:
                return
            up_to_seq = min(after_seq + _ROWS_AT_ONCE, target)
            yield from self.between(after_seq, up_to_seq)
            after_seq = up_to_seq
            yield Mark(str(after_seq))

    def between(self, after_seq: int, up_to_seq: int) -> Iterator[Event]:
        """Records of these numbers (`after_seq` exclusive), in the order of acceptance."""
        if after_seq >= up_to_seq:
            return
        own = analyse.bounds(self._tail.query)
        limits = pruning.Bounds(own.start_ns, own.end_ns, own.identity, after_seq, up_to_seq)
        compiled = self._tail.compiled(after_seq, up_to_seq)
        with self._store.snapshot() as snapshot:
            planned = plan(snapshot.segments, snapshot.buffer, limits)
            size = Size.LARGE if planned.plain_bytes >= self._engine.settings.large_bytes else Size.SMALL
            with self._engine.session(size, _WAIT_S) as session:
                define_records(session, planned.pieces, planned.buffer)
                for batch in session.stream(in_seq_order(compiled), compiled.params):
                    yield records_of(compiled, batch)
