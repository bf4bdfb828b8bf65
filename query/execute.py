"""Running a query: text → answer, in one consistent snapshot, streamed.

Newest-first (and oldest-first) answers of records walk disjoint slices of time and stop once they have enough; so
does an answer of everything, slice by slice, without sorting it all at once.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from logstore.errors import Busy, QueryTooExpensive
from logstore.pruning import Bounds
from logstore.snapshot import Snapshot
from logstore.store import Store
from query import analyse, direct, few, frequent
from query.answer import Answer, End, schema, shape
from query.ast import Extend, Fields, Name, Query, Where
from query.cost import Cost, Stage, Trial
from query.engine import Engine
from query.identity import with_values_of_streams
from query.merging import merged, merging_of
from query.misses import search_of
from query.narrowing import Times
from query.parser import parse
from query.place import cursor_after, place_of
from query.plan import Plan, plan
from query.reading import Reading, is_count, prepare
from query.remembered import Remembered, key_of
from query.request import Request, bounds, compiled_for, first_groups_for, is_grouped, parts_for, row_limit, split_limit
from query.session import Session
from query.settings import Size
from query.slices import Slice
from query.sql import Compiled, Place
from query.subqueries import with_values
from query.view import View, define_records
from query.walking import growing, is_walk, slices_of


def run(store: Store, engine: Engine, request: Request, wait_s: float | None = None) -> Answer:
    """Starts a query. Everything that its text or parameters can be blamed for is raised here.

    Raises:
        InvalidQuery, InvalidInput: the query, or a parameter.
        Busy: too many queries run.
    """
    query, own_rows = split_limit(parse(request.text, request.now_ns))
    return run_parsed(store, engine, query, own_rows, request, wait_s)


def run_parsed(
    store: Store,
    engine: Engine,
    query: Query,
    own_rows: int | None,
    request: Request,
    wait_s: float | None = None,
    trial: Trial | None = None,
) -> Answer:
    """`run`, for a query that is parsed already, with its trailing limit split off."""
    cost = trial.cost if trial is not None else Cost()
    with contextlib.ExitStack() as resources:
        snapshot = trial.snapshot if trial is not None else resources.enter_context(store.snapshot())
        first, limits, planned = plan_of(query, request, snapshot, cost)
        limit, is_default = row_limit(request, own_rows, first)
        key = key_of(first, planned, snapshot.last_seq, limit, is_default, request.cursor)
        if trial is None and (known := engine.answers.get(key)) is not None:
            return _known(known, Answer(first.columns, is_grouped(query)), resources)
        if analyse.has_subquery(query):
            query = with_lists(store, engine, query, request, Trial(snapshot, cost), wait_s)
            first, limits, planned = plan_of(query, request, snapshot, cost)
        asked = query
        query, limits, planned = by_streams(store, engine, asked, request, Trial(snapshot, cost), limits, planned)
        merging = merging_of(engine.parts, snapshot, asked, planned, limits) if trial is None else None
        reading = prepare(store, engine, snapshot, query, merging.left if merging else planned, limits, cost)
        is_large = reading.plain_bytes >= engine.settings.large_bytes and not (limit and is_walk(query, first))
        with cost.stage(Stage.WAIT):
            session = resources.enter_context(engine.session(Size.LARGE if is_large else Size.SMALL, wait_s))
        session.measure(cost)
        after = place_of(session, snapshot.segments, snapshot.buffer, request.cursor, first)
        if trial is None:
            snapshot.let_go_of_buffer()
        wanted = None if limit is None else limit + is_default
        search = search_of(query, planned, limits, wanted, request.order) if after is None and trial is None else None

        def read(reading: Reading) -> Iterator[pa.RecordBatch]:
            if reading.grouped is not None:
                return _patterns(session, reading.grouped, reading, planned.buffer, request, wanted)
            if after is None and direct.is_direct(query, first):
                names = direct.names_of(first, with_place=first.is_rowwise)
                found = few.rows_of(session, reading, planned.buffer, query, names, request.order)
                if found is not None:
                    return iter([found.slice(0, wanted)])
            return _all_rows(store, session, reading, planned.buffer, query, request, wanted, after, first.is_rowwise)

        def read_all() -> Iterator[pa.RecordBatch]:
            if merging is None:
                return read(reading)
            return merged(session, parts_for(reading, request, wanted), merging, reading, read_without_parts)

        def read_without_parts() -> Iterator[pa.RecordBatch]:
            return read(prepare(store, engine, snapshot, query, planned, limits, cost))

        rows = _with_more_memory(session, read_all)
        rows = rows if search is None else search.noting(engine.misses, rows)
        answer = Answer(first.columns, is_grouped(query))
        shaped = _paged(answer, rows, limit, first.is_rowwise) if is_default else _shaped(answer, rows)
        noted = engine.answers.noting(key, answer, shaped) if trial is None else shaped
        answer.begin(noted, resources.pop_all())
    return answer


def with_lists(
    store: Store, engine: Engine, query: Query, request: Request, trial: Trial, wait_s: float | None = None
) -> Query:
    """The query with the values of the queries in its lists, where these are few. Raises as `run` does."""

    def run_one(inner: Query, own_rows: int | None, asked: Request) -> Answer:
        return run_parsed(store, engine, inner, own_rows, asked, wait_s, trial)

    return with_values(query, request, run_one)


def plan_of(query: Query, request: Request, snapshot: Snapshot, cost: Cost) -> tuple[Compiled, Bounds, Plan]:
    """The query as SQL, within which bounds its records are, and where these may be."""
    with cost.stage(Stage.COMPILE):
        compiled = compiled_for(query, request)
    with cost.stage(Stage.CATALOG):
        return compiled, *_within(query, request, snapshot)


def by_streams(
    store: Store, engine: Engine, query: Query, request: Request, trial: Trial, limits: Bounds, planned: Plan
) -> tuple[Query, Bounds, Plan]:
    """The query with the names of streams in the place of conditions on them; its bounds and plan, narrower then."""
    with trial.cost.stage(Stage.CATALOG):
        listed = with_values_of_streams(store, engine, query, planned.pieces.segments.id, trial.snapshot.buffer)
        return (query, limits, planned) if listed is query else (listed, *_within(listed, request, trial.snapshot))


def _within(query: Query, request: Request, snapshot: Snapshot) -> tuple[Bounds, Plan]:
    limits = replace(bounds(query, request.start_ns, request.end_ns), up_to_seq=request.up_to_seq)
    return limits, plan(snapshot.segments, snapshot.buffer, limits)


def _known(known: Remembered, answer: Answer, resources: contextlib.ExitStack) -> Answer:
    answer.end = known.end
    answer.begin(iter(known.batches), resources.pop_all())
    return answer


def collect(store: Store, engine: Engine, query: Query, request: Request) -> pa.Table:
    """All rows of a query that bounds them itself; names are the answer's."""
    query, own_rows = split_limit(query)
    with run_parsed(store, engine, query, own_rows, replace(request, limit=0)) as answer:
        return pa.Table.from_batches(answer.batches(), schema=answer.schema)


def _with_more_memory(session: Session, read: Callable[[], Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """The rows; where they are too much for the small instance, read again in the large one, and where they are for
    that, once more in small steps, without others there; less what had come already: their order is total, so that the
    same rows come first again."""
    came = 0
    while True:
        try:
            for batch in _from_row(read(), came):
                came += batch.num_rows
                yield batch
            return
        except QueryTooExpensive:
            if not session.enlarge() and not session.spare():
                raise


def _all_rows(
    store: Store,
    session: Session,
    reading: Reading,
    buffer: pa.Table,
    query: Query,
    request: Request,
    wanted: int | None,
    after: Place | None,
    has_place: bool,
) -> Iterator[pa.RecordBatch]:
    """The rows of the query, at most as many as are wanted where it is row-wise."""
    with session.cost.stage(Stage.COMPILE):
        compiled = compiled_for(reading.query, request, wanted, after, with_place=has_place, stored=reading.stored)
    if is_count(query) and not reading.pieces and not buffer.num_rows:
        return iter([_counted(compiled, reading.counted)] if wanted != 0 else [])
    parts = slices_of(store.indexes, session, query, compiled, reading, buffer, request, after, wanted)
    parts = growing(session, session.cost.walking(parts))
    if wanted and compiled.is_rowwise and compiled.ordered_by_time:
        parts = _narrowed(parts, session, reading, request, wanted, after, is_direct=direct.is_direct(query, compiled))
    rows = _rows(session, compiled, parts, wanted, request.order, reading.view)
    return _with_counted(rows, reading.counted) if reading.counted else rows


def _patterns(
    session: Session, known: frequent.Known, reading: Reading, buffer: pa.Table, request: Request, wanted: int | None
) -> Iterator[pa.RecordBatch]:
    """The rows of a query of patterns that are known of most records."""
    with session.cost.stage(Stage.COMPILE):
        first = first_groups_for(reading, request)
        whole = compiled_for(reading.query, request, wanted, stored=replace(reading.stored, groups=True))
    left = frequent.Left(reading.pieces, buffer, reading.view)
    return frequent.rows(session, known, left, reading.query, first, whole)


def _narrowed(
    parts: Iterator[Slice],
    session: Session,
    reading: Reading,
    request: Request,
    wanted: int,
    after: Place | None,
    *,
    is_direct: bool,
) -> Iterator[Slice]:
    """The slices without what cannot be among the rows that are wanted, where conditions alone tell that."""
    pipes = list(reading.query.pipes)
    while pipes and isinstance(pipes[-1], Fields | Extend):
        pipes.pop()
    if not all(isinstance(pipe, Where) for pipe in pipes):
        return parts
    is_filter = not pipes
    query = replace(reading.query, pipes=(*pipes, Fields((Name("time"),))))
    columns = analyse.columns(query) | ({"message"} if reading.view.leaves else set())
    compiled = compiled_for(query, request, wanted, after, stored=reading.stored)
    view = replace(reading.view, columns=columns, attributes=reading.view.attributes if "attributes" in columns else ())
    certain = reading.certain if after is None and is_filter else None
    is_less = columns < reading.view.columns
    return Times(compiled, view, wanted, request.order, is_less, certain, is_direct).narrowed(session, parts)


def _rows(
    session: Session,
    compiled: Compiled,
    parts: Iterator[Slice],
    wanted: int | None,
    order: Literal["asc", "desc"],
    view: View,
) -> Iterator[pa.RecordBatch]:
    """The rows of all slices, one after the other, until there are enough."""
    left = wanted
    for part in parts:
        if left == 0:
            return
        for batch in _rows_of(session, compiled, part, order, view):
            kept = batch if left is None else batch.slice(0, left)
            left = None if left is None else left - kept.num_rows
            if kept.num_rows:
                yield kept
            if left == 0:
                return


def _rows_of(
    session: Session, compiled: Compiled, part: Slice, order: Literal["asc", "desc"], view: View
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of one slice; one that is too much for the memory is read again with more of it, else in halves, less
    what had come already: the order is total, so that the same rows come first again."""
    if part.rows is not None:
        yield direct.rows_of(session, part, direct.names_of(compiled, with_place=compiled.with_place), order)
        return
    define_records(session, part.pieces, part.buffer, view, part.between_ns)
    came = 0
    try:
        with contextlib.closing(session.stream(compiled.sql, compiled.params)) as batches:
            for batch in batches:
                came += batch.num_rows
                yield batch
        return
    except QueryTooExpensive:
        again = (part,) if _is_enlarged(session) else part.halves(order)
        if not again:
            raise
        session.cost.slices_halved += len(again) > 1
    yield from _from_row(_rows_of_all(session, compiled, again, order, view), came)


def _is_enlarged(session: Session) -> bool:
    """Whether the session goes on with more memory; what only reads needs some that does not shrink with the slice."""
    try:
        return session.enlarge()
    except Busy:
        return False


def _rows_of_all(
    session: Session, compiled: Compiled, parts: Sequence[Slice], order: Literal["asc", "desc"], view: View
) -> Iterator[pa.RecordBatch]:
    for part in parts:
        with contextlib.closing(_rows_of(session, compiled, part, order, view)) as rows:
            yield from rows


def _from_row(batches: Iterator[pa.RecordBatch], start: int) -> Iterator[pa.RecordBatch]:
    """The batches without their first `start` rows."""
    for batch in batches:
        skipped = min(start, batch.num_rows)
        start -= skipped
        if skipped < batch.num_rows:
            yield batch.slice(skipped)


def _counted(compiled: Compiled, counted: int) -> pa.RecordBatch:
    """The row of a query that counts, where nothing is read."""
    return pa.record_batch([pa.array([counted], pa.int64())] * len(compiled.columns), schema=schema(compiled.columns))


def _with_counted(rows: Iterator[pa.RecordBatch], counted: int) -> Iterator[pa.RecordBatch]:
    """Rows of counts of records, with those that were not read."""
    for batch in rows:
        columns = [pc.add(column, counted) for column in batch.columns]
        yield pa.RecordBatch.from_arrays(columns, schema=batch.schema)


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
            cursor = cursor_after(kept) if has_place else ""
            yield shape(kept, answer.schema)
        if batch.num_rows > kept.num_rows:
            answer.end = End(truncated=True, cursor=cursor)
            return
