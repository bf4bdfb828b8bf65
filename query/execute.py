"""Running a query: text → answer, in one consistent snapshot, streamed.

Newest-first (and oldest-first) answers of records walk disjoint slices of time and stop once they have enough; so
does an answer of everything, slice by slice, without sorting it all at once.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc

from logstore import pruning
from logstore.catalog import Segment
from logstore.errors import InvalidInput
from logstore.store import Store
from query import analyse, sql
from query.ast import Extend, Fields, Limit, Query, Stats, Top, Where
from query.engine import Engine, Session, Size
from query.parser import parse
from query.plan import Plan, define_records, plan
from query.slices import Slice, slices
from query.sql import Column, Compiled, Kind, Place, Window

DEFAULT_LIMIT: Final = 1_000

_ARROW: Final = {
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.string(),
    Kind.TIME: pa.timestamp("ns"),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A query with its parameters; times are nanoseconds since 1970, start inclusive, end exclusive."""

    text: str
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int | None = None
    """Rows at most; 0: all; None: the default, unless the query bounds itself."""
    order: Literal["asc", "desc"] = "desc"
    cursor: str = ""
    with_seq: bool = False
    dynamic: Literal["json", "text"] = "json"
    """Whether attributes and labels that the query names keep their JSON types."""
    now_ns: int = field(default_factory=time.time_ns)
    """What the query's own relative times count from."""
    up_to_seq: int | None = None
    """Only records with at most this number."""


@dataclass(frozen=True, slots=True)
class End:
    """How an answer ended: whether the default limit cut it, and where the next page begins ('' where it has none)."""

    truncated: bool
    cursor: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer may read: segments and bytes at most, and why the other segments are skipped."""

    segments: int
    bytes: int
    buffered_rows: int
    skipped: Mapping[str, int]


class Answer:
    """Columns and a stream of Arrow batches. Holds its snapshot until it is drained or closed.

    One thread reads it at a time; `cancel` may come from any.
    """

    def __init__(self, columns: tuple[Column, ...], is_grouped: bool, cost: Cost, session: Session) -> None:
        self.columns = columns
        self.is_grouped = is_grouped
        """Whether rows are results of `stats` or `top` rather than records."""
        self.cost = cost
        self.schema = schema(columns)
        self.end = End(truncated=False, cursor="")
        """Final once `batches` is drained."""
        self._session = session
        self._resources = contextlib.ExitStack()
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows; closes the answer when they are drained.

        Raises:
            QueryTimeout, QueryTooExpensive, QueryCancelled: before the first batch or later.
        """
        try:
            yield from self._batches
        finally:
            self.close()

    def cancel(self) -> None:
        """Ends the query soon, whatever it is at; reading then raises."""
        self._session.cancel()

    def close(self) -> None:
        """Lets go of the snapshot and the query's turn."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([pa.field(column.name, _ARROW[column.kind]) for column in columns])


def run(store: Store, engine: Engine, request: Request, wait_s: float | None = None) -> Answer:
    """Starts a query. Everything that its text or parameters can be blamed for is raised here.

    Raises:
        InvalidQuery, InvalidInput: the query, or a parameter.
        Busy: too many queries run.
    """
    query, own_rows = split_limit(parse(request.text, request.now_ns))
    return run_parsed(store, engine, query, own_rows, request, wait_s)


def run_parsed(
    store: Store, engine: Engine, query: Query, own_rows: int | None, request: Request, wait_s: float | None = None
) -> Answer:
    """`run`, for a query that is parsed already, with its trailing limit split off."""
    first = compiled_for(query, request)
    limit, is_default = row_limit(request, own_rows, first)
    with contextlib.ExitStack() as resources:
        snapshot = resources.enter_context(store.snapshot())
        limits = replace(bounds(query, request.start_ns, request.end_ns), up_to_seq=request.up_to_seq)
        planned = plan(snapshot.segments, snapshot.buffer, limits)
        size = Size.LARGE if planned.bytes >= engine.settings.large_bytes else Size.SMALL
        session = resources.enter_context(engine.session(size, wait_s))
        after = _place(session, snapshot.segments, snapshot.buffer, request.cursor, first)
        has_place = is_default and first.is_rowwise
        wanted = None if limit is None else limit + is_default
        compiled = compiled_for(query, request, wanted, after, with_place=has_place)
        answer = Answer(compiled.columns, is_grouped(query), _cost(planned), session)
        parts = _slices(query, compiled, planned, request, limit, after)
        rows = _rows(session, compiled, parts, wanted)
        answer._batches = _paged(answer, rows, limit, has_place) if is_default else _shaped(answer, rows)
        answer._resources = resources.pop_all()
    return answer


def collect(store: Store, engine: Engine, query: Query, request: Request) -> pa.Table:
    """All rows of a query that bounds them itself; names are the answer's."""
    query, own_rows = split_limit(query)
    with run_parsed(store, engine, query, own_rows, replace(request, limit=0)) as answer:
        return pa.Table.from_batches(answer.batches(), schema=answer.schema)


def compiled_for(
    query: Query,
    request: Request,
    limit: int | None = None,
    after: Place | None = None,
    *,
    with_place: bool = False,
) -> Compiled:
    """A request's query as SQL."""
    return sql.compile(
        query,
        Window(request.start_ns, request.end_ns),
        order=request.order,
        limit=limit,
        after=after,
        with_seq=request.with_seq,
        with_place=with_place,
        up_to_seq=request.up_to_seq,
        dynamic=request.dynamic,
    )


def split_limit(query: Query) -> tuple[Query, int | None]:
    """A trailing `limit` apart from the rest, which then may be row-wise; the least of several."""
    rows: int | None = None
    while query.pipes and isinstance(query.pipes[-1], Limit):
        rows = min(query.pipes[-1].rows, rows if rows is not None else query.pipes[-1].rows)
        query = replace(query, pipes=query.pipes[:-1])
    return query, rows


def is_grouped(query: Query) -> bool:
    return any(isinstance(pipe, Stats | Top) for pipe in query.pipes)


def record_part(query: Query) -> Query:
    """The query up to where its rows stop being records, as facts about records need it."""
    pipes = list(itertools.takewhile(lambda pipe: isinstance(pipe, Where | Extend | Fields), query.pipes))
    while pipes and isinstance(pipes[-1], Fields):
        pipes.pop()
    return replace(query, pipes=tuple(pipes))


def bounds(query: Query, start_ns: int | None, end_ns: int | None) -> pruning.Bounds:
    """What every record that the query can see satisfies, within a time range."""
    if analyse.has_subquery(query):
        return pruning.Bounds(start_ns, end_ns)
    own = analyse.bounds(query)
    return pruning.Bounds(_latest(start_ns, own.start_ns), _earliest(end_ns, own.end_ns), own.identity)


def _latest(one: int | None, other: int | None) -> int | None:
    return max((bound for bound in (one, other) if bound is not None), default=None)


def _earliest(one: int | None, other: int | None) -> int | None:
    return min((bound for bound in (one, other) if bound is not None), default=None)


def row_limit(request: Request, own_rows: int | None, compiled: Compiled) -> tuple[int | None, bool]:
    """How many rows come out at most, and whether that is the default limit."""
    asked = None if request.limit == 0 else request.limit
    if own_rows is not None:
        return (own_rows if asked is None else min(asked, own_rows)), False
    if request.limit is not None or compiled.own_limit:
        return asked, False
    return DEFAULT_LIMIT, True


def _cost(planned: Plan) -> Cost:
    return Cost(len(planned.segments), planned.bytes, planned.buffer.num_rows, planned.skipped)


def _slices(
    query: Query, compiled: Compiled, planned: Plan, request: Request, limit: int | None, after: Place | None
) -> Iterator[Slice]:
    can_slice = compiled.is_rowwise and compiled.ordered_by_time and not analyse.has_subquery(query)
    if not can_slice:
        return iter([Slice(planned.segments, planned.buffer)])
    found = slices(planned.segments, planned.buffer, request.order, is_bounded=limit is not None)
    if after is None:
        return found
    place_ns = after.time_ns
    return (part for part in found if part.may_follow(place_ns, request.order))


def _rows(session: Session, compiled: Compiled, parts: Iterator[Slice], wanted: int | None) -> Iterator[pa.RecordBatch]:
    """The rows of all slices, one after the other, until there are enough."""
    left = wanted
    for part in parts:
        if left == 0:
            return
        define_records(session, part.segments, part.buffer)
        with contextlib.closing(session.stream(compiled.sql, compiled.params)) as batches:
            for batch in batches:
                kept = batch if left is None else batch.slice(0, left)
                left = None if left is None else left - kept.num_rows
                if kept.num_rows:
                    yield kept
                if left == 0:
                    return


def _shaped(answer: Answer, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        yield shape(batch, answer.schema)


def _paged(
    answer: Answer, rows: Iterator[pa.RecordBatch], limit: int | None, has_place: bool
) -> Iterator[pa.RecordBatch]:
    """At most `limit` rows; notes in `answer.end` whether there was one more, and the place of the last that came."""
    assert limit is not None
    left = limit
    cursor = ""
    for batch in rows:
        kept = batch.slice(0, left)
        left -= kept.num_rows
        if kept.num_rows:
            cursor = _cursor(kept) if has_place else ""
            yield shape(kept, answer.schema)
        if batch.num_rows > kept.num_rows:
            answer.end = End(truncated=True, cursor=cursor)
            return


def shape(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    """A batch of DuckDB's under the answer's names and types, without the columns that are only for paging."""
    columns = [
        column if column.type == field.type else pc.cast(column, field.type)
        for column, field in zip(batch.columns, wanted, strict=False)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


# Cursors


def _cursor(batch: pa.RecordBatch) -> str:
    time_ns = batch.column(batch.num_columns - 2).cast(pa.int64())[-1].as_py()
    return format_cursor(Place(time_ns, batch.column(batch.num_columns - 1)[-1].as_py()))


def format_cursor(place: Place) -> str:
    return f"{place.time_ns}.{place.seq}"


def _place(
    session: Session,
    segments: tuple[Segment, ...],
    buffer: pa.Table,
    cursor: str,
    compiled: Compiled,
) -> Place | None:
    """Where a page begins.

    Raises:
        InvalidInput: no cursor of ours, or the query's rows have no order to continue in.
    """
    if not cursor:
        return None
    if not compiled.is_rowwise:
        raise InvalidInput("`cursor` continues records; the rows of this query (sort, stats, uniq …) have no next page")
    head, _, tail = cursor.partition(".")
    try:
        if tail:
            return Place(int(head), int(tail))
        seq = int(head)
    except ValueError:
        raise InvalidInput(f"{cursor!r} is no cursor; take it from an answer's @end line, or a record's _seq") from None
    return find_place(session, segments, buffer, seq)


def find_place(session: Session, segments: tuple[Segment, ...], buffer: pa.Table, seq: int) -> Place:
    """Where the record of a number stands in the total order.

    Raises:
        InvalidInput: there is no such record.
    """
    found = plan(segments, buffer, pruning.Bounds(after_seq=seq - 1, up_to_seq=seq))
    define_records(session, found.segments, found.buffer)
    times = session.fetch("SELECT time FROM records WHERE _seq = ?", [seq])["time"]
    if not len(times):
        raise InvalidInput(f"no record has the number {seq}; it may have been deleted by retention")
    return Place(times[0].cast(pa.int64()).as_py(), seq)
