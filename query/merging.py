"""Statistics merged of parts: those of segments that are remembered, and those of the rest, read in one statement."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.errors import QueryTooExpensive
from logstore.order import Ints
from logstore.pruning import Bounds
from logstore.record import STORED
from logstore.snapshot import Snapshot
from query import analyse, ast, sql
from query.answer import schema, shape
from query.digest import digest
from query.groups import Piece, Whole
from query.parts import Parts, State
from query.plan import Plan
from query.reading import Reading, counts_alone, lies_within
from query.session import Session
from query.sql.parts import SEGMENT, split
from query.view import define_records

READ_MAX_BYTES: Final = 16 << 20
"""Parts of one answer that are held in memory at once."""
READ_ROWS: Final = 1 << 16
PARTS_MAX_SHARE: Final = 1 / 8
"""Of a segment's records: with more parts than that, merging them saves too little."""
PARTS_FEW: Final = 512
"""Parts of a segment that cost less than to open its file."""
_NONE: Final = STORED.empty_table()


class _TooManyParts(Exception):
    """The answer is to be made of the records themselves."""


@dataclass(frozen=True, slots=True)
class Merging:
    """A question that was asked before, and what is `left` to read of it."""

    question: bytes
    parts: Parts
    """The memory that the question is in."""
    known: pa.Table | None
    """What it has of segments that are not read."""
    left: Plan
    fresh: Mapping[str, int]
    """The segments of what is left that are to be remembered, by path."""
    live: Ints
    """The ids of all segments that there are."""


def merging_of(parts: Parts, snapshot: Snapshot, query: ast.Query, planned: Plan, bounds: Bounds) -> Merging | None:
    """None where the answer is not merged of parts, or not yet: a question's first answer is not."""
    if not _has_parts(query):
        return None
    question = _question(query)
    segments = planned.pieces.segments
    has_parts = lies_within(segments, bounds)
    recalled = parts.recall(question, segments.id[has_parts])
    if recalled.state is not State.ASKED or not has_parts.any():
        return None
    is_known = np.isin(segments.id, recalled.known)
    left = replace(planned, pieces=Whole(segments.take(~is_known)))
    fresh = {str(segment.path): segment.id for segment in segments.take(has_parts & ~is_known)}
    return Merging(question, parts, recalled.parts, left, fresh, snapshot.segments.id)


def remembered_segments(parts: Parts, query: ast.Query, planned: Plan, bounds: Bounds) -> int:
    """How many of the plan's segments would not be read for this question, since what it found in them is
    remembered."""
    if not _has_parts(query):
        return 0
    segments = planned.pieces.segments
    return parts.remembered(_question(query), segments.id[lies_within(segments, bounds)])


def _has_parts(query: ast.Query) -> bool:
    return not analyse.has_subquery(query) and not counts_alone(query) and split(query) is not None


def _question(query: ast.Query) -> bytes:
    """What parts depend on beside their segment, which lies within the bounds of time."""
    compiled = sql.compile_parts(analyse.without_time_bounds(query))
    assert compiled is not None
    return digest((compiled.sql, compiled.params))


def merged(
    session: Session,
    compiled: sql.Parts,
    merging: Merging,
    reading: Reading,
    read_whole: Callable[[], Iterator[pa.RecordBatch]],
) -> Iterator[pa.RecordBatch]:
    """The rows of the answer; those of `read_whole` where there are too many parts."""
    counted = _counted(schema(compiled.columns), merging, reading)
    if merging.fresh:
        try:
            found = [*counted, *_read(session, compiled, merging, reading)]
        except (QueryTooExpensive, _TooManyParts):
            merging.parts.give_up(merging.question)
            yield from read_whole()
            return
        parts = pa.Table.from_batches(found, schema(compiled.columns))
        _note(parts, merging)
        session.register("parts", _with_known(parts, merging))
        yield from session.stream(compiled.whole.sql, compiled.whole.params)
        return
    known = _with_known(pa.Table.from_batches(counted, schema(compiled.columns)), merging)
    if not reading.pieces and not merging.left.buffer.num_rows:
        session.register("parts", known)
        yield from session.stream(compiled.whole.sql, compiled.whole.params)
        return
    _define(session, reading, reading.pieces, merging.left.buffer)
    session.register("known", known)
    of_left = f"SELECT * EXCLUDE ({SEGMENT}) FROM ({compiled.sql})"
    text = f"WITH parts AS (FROM known UNION ALL {of_left}) {compiled.whole.sql}"
    yield from session.stream(text, [*compiled.params, *compiled.whole.params])


def _with_known(parts: pa.Table, merging: Merging) -> pa.Table:
    """These parts and those that are remembered, without their segments' names."""
    nameless = parts.drop_columns([SEGMENT])
    return nameless if merging.known is None else pa.concat_tables([merging.known, nameless])


def _define(session: Session, reading: Reading, pieces: Sequence[Piece], buffer: pa.Table) -> None:
    define_records(session, pieces, buffer, replace(reading.view, has_segments=True))


def _read(session: Session, compiled: sql.Parts, merging: Merging, reading: Reading) -> Iterator[pa.RecordBatch]:
    """The parts of what is left; those of its largest segment tell before all others whether they are few, if nothing
    that is remembered does."""
    files = (piece for piece in reading.pieces if piece.cells is None)
    fresh = [piece for piece in files if str(piece.segment.path) in merging.fresh]
    first = max(fresh, key=lambda piece: piece.segment.rows, default=None) if merging.known is None else None
    size = 0
    if first is not None:
        _define(session, reading, [first], _NONE)
        rows = 0
        for batch in _parts(session, compiled):
            rows += batch.num_rows
            size += batch.nbytes
            yield batch
        if rows > max(PARTS_FEW, first.segment.rows * PARTS_MAX_SHARE):
            raise _TooManyParts
    others = [piece for piece in reading.pieces if piece is not first]
    if others or merging.left.buffer.num_rows:
        _define(session, reading, others, merging.left.buffer)
        for batch in _parts(session, compiled):
            size += batch.nbytes
            if size > READ_MAX_BYTES:
                raise _TooManyParts
            yield batch


def _parts(session: Session, compiled: sql.Parts) -> Iterator[pa.RecordBatch]:
    wanted = schema(compiled.columns)
    with contextlib.closing(session.stream(compiled.sql, compiled.params, READ_ROWS)) as batches:
        for batch in batches:
            yield shape(batch, wanted)


def _counted(wanted: pa.Schema, merging: Merging, reading: Reading) -> list[pa.RecordBatch]:
    """Parts of segments whose records are counted without being read: all but the first of their columns are counts."""
    if not reading.counted_of:
        return []
    paths = {piece.segment.id: str(piece.segment.path) for piece in merging.left.pieces}
    names = pa.array([paths[segment] for segment in reading.counted_of], pa.string())
    counts = pa.array(list(reading.counted_of.values()), pa.int64())
    return [pa.RecordBatch.from_arrays([names, *[counts] * (len(wanted) - 1)], schema=wanted)]


def _note(parts: pa.Table, merging: Merging) -> None:
    """Remembers the parts of fresh segments, unless a path is none that was asked for."""
    encoded = parts[SEGMENT].combine_chunks().dictionary_encode()
    paths = encoded.dictionary.to_pylist()
    if not {"", *(str(piece.segment.path) for piece in merging.left.pieces)}.issuperset(paths):
        return
    ids = np.array([merging.fresh.get(path, -1) for path in paths], np.int64)
    of_rows = ids[encoded.indices.to_numpy()]
    of_fresh = parts.set_column(0, SEGMENT, pa.array(of_rows)).filter(pa.array(of_rows >= 0))
    merging.parts.note(merging.question, merging.fresh.values(), of_fresh, merging.live)
