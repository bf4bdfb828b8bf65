"""Statistics merged of parts: those of segments that are remembered, and those of the rest, read in one statement."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.errors import QueryTooExpensive
from logstore.pruning import Bounds
from logstore.record import STORED
from logstore.store import Snapshot
from query import analyse, ast, sql
from query.answer import schema, shape
from query.digest import digest
from query.engine import Session
from query.groups import Piece
from query.parts import Parts, State
from query.plan import Plan
from query.reading import Reading, counts_alone, is_inside
from query.sql.parts import SEGMENT, split
from query.view import define_records

READ_MAX_BYTES: Final = 16 << 20
"""Parts of one answer that are held in memory at once."""
READ_ROWS: Final = 1 << 16
PARTS_MAX_SHARE: Final = 1 / 16
"""Of a segment's records: with more parts than that, merging them saves too little."""
PARTS_FEW: Final = 64
_NONE: Final = STORED.empty_table()


class TooManyParts(Exception):
    """The answer is to be made of the records themselves."""


@dataclass(frozen=True, slots=True)
class Merging:
    """A question that was asked before: what is remembered of it, what is `left` to read, and which segments of that
    are to be remembered, by path."""

    question: bytes
    left: Plan
    known: pa.Table | None
    fresh: dict[str, int]


def merging_of(parts: Parts, query: ast.Query, bounds: Bounds, planned: Plan) -> Merging | None:
    """None where the answer is not merged of parts, or not yet: a question's first answer is not."""
    if analyse.has_subquery(query) or counts_alone(query) or split(query) is None:
        return None
    question = _question(query)
    inside = {
        piece.segment.id: piece
        for piece in planned.pieces
        if is_inside(piece, bounds) and (bounds.up_to_seq is None or piece.segment.max_seq <= bounds.up_to_seq)
    }
    recalled = parts.recall(question, inside)
    if recalled.state is not State.ASKED or not inside:
        return None
    left = tuple(piece for piece in planned.pieces if piece.segment.id not in recalled.known)
    fresh = {str(inside[number].segment.path): number for number in inside.keys() - recalled.known}
    return Merging(question, replace(planned, pieces=left), recalled.parts, fresh)


def _question(query: ast.Query) -> bytes:
    """What parts depend on beside their segment, which lies within the bounds of time."""
    compiled = sql.compile_parts(analyse.without_time_bounds(query))
    assert compiled is not None
    return digest((compiled.sql, compiled.params))


def merged(
    parts: Parts, session: Session, compiled: sql.Parts, merging: Merging, reading: Reading, snapshot: Snapshot
) -> Iterator[pa.RecordBatch]:
    """The rows of the answer.

    Raises:
        TooManyParts: before the first row.
    """
    wanted = schema(compiled.columns)
    counted = _counted(wanted, merging, reading)
    tables = [] if merging.known is None else [merging.known]
    if not merging.fresh:
        _define(session, reading, reading.pieces, merging.left.buffer)
        session.register("known", pa.concat_tables([*tables, _nameless(pa.Table.from_batches(counted, wanted))]))
        more = f"SELECT * EXCLUDE ({SEGMENT}) FROM ({compiled.sql})"
        text = f"WITH parts AS (FROM known UNION ALL {more}) {compiled.whole.sql}"
        yield from session.stream(text, [*compiled.params, *compiled.whole.params])
        return
    try:
        found = pa.Table.from_batches([*counted, *_read(session, compiled, merging, reading)], wanted)
    except (QueryTooExpensive, TooManyParts) as error:
        parts.give_up(merging.question)
        raise TooManyParts from error
    of_fresh = _of_fresh(found, merging)
    if of_fresh is not None:
        parts.note(merging.question, merging.fresh.values(), of_fresh, [segment.id for segment in snapshot.segments])
    session.register("parts", pa.concat_tables([*tables, _nameless(found)]))
    yield from session.stream(compiled.whole.sql, compiled.whole.params)


def _nameless(parts: pa.Table) -> pa.Table:
    return parts.drop_columns([SEGMENT])


def _define(session: Session, reading: Reading, pieces: Sequence[Piece], buffer: pa.Table) -> None:
    define_records(session, pieces, buffer, replace(reading.view, has_segments=True))


def _read(session: Session, compiled: sql.Parts, merging: Merging, reading: Reading) -> Iterator[pa.RecordBatch]:
    """The parts of what is left; those of its largest segment tell before all others whether they are few."""
    fresh = [piece for piece in reading.pieces if str(piece.segment.path) in merging.fresh]
    first = max(fresh, key=lambda piece: piece.segment.rows, default=None)
    size = 0
    if first is not None:
        _define(session, reading, [first], _NONE)
        rows = 0
        for batch in _parts(session, compiled):
            rows += batch.num_rows
            size += batch.nbytes
            yield batch
        if rows > max(PARTS_FEW, first.segment.rows * PARTS_MAX_SHARE):
            raise TooManyParts
    others = [piece for piece in reading.pieces if piece is not first]
    if others or merging.left.buffer.num_rows:
        _define(session, reading, others, merging.left.buffer)
        for batch in _parts(session, compiled):
            size += batch.nbytes
            if size > READ_MAX_BYTES:
                raise TooManyParts
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


def _of_fresh(found: pa.Table, merging: Merging) -> pa.Table | None:
    """The parts that are to be remembered, with their segments' ids; None where a path is none that was asked for."""
    encoded = found[SEGMENT].combine_chunks().dictionary_encode()
    paths = encoded.dictionary.to_pylist()
    if not {"", *(str(piece.segment.path) for piece in merging.left.pieces)}.issuperset(paths):
        return None
    ids = np.array([merging.fresh.get(path, -1) for path in paths], np.int64)
    of_rows = ids[encoded.indices.to_numpy()]
    return found.set_column(0, SEGMENT, pa.array(of_rows)).filter(pa.array(of_rows >= 0))
