"""The slices of time that an answer is made of: one where it is not in the order of records."""

from collections.abc import Iterator

import pyarrow as pa

from logstore.indexes import Indexes
from logstore.pruning import Bounds
from query import analyse
from query.ast import Query
from query.groups import Piece, Whole
from query.needles import has_digit
from query.picking import PICKED_MAX_BYTES, having
from query.reading import Reading
from query.request import Request
from query.session import Session
from query.slices import Order, Slice, slices
from query.sql import Compiled, Place


def is_walk(query: Query, compiled: Compiled) -> bool:
    """Whether the query is answered slice by slice of time."""
    return compiled.is_rowwise and compiled.ordered_by_time and not analyse.has_subquery(query)


def growing(session: Session, parts: Iterator[Slice]) -> Iterator[Slice]:
    """The same slices; the session is told of each what it reads."""
    for part in parts:
        session.grow(part.bytes)
        yield part


def slices_of(
    indexes: Indexes,
    session: Session,
    query: Query,
    compiled: Compiled,
    reading: Reading,
    buffer: pa.Table,
    request: Request,
    after: Place | None,
    wanted: int | None,
) -> Iterator[Slice]:
    """In the order asked for; one of everything where the query does not walk, or hardly a row group is left."""
    if not is_walk(query, compiled) or (reading.is_rare and reading.plain_bytes <= PICKED_MAX_BYTES):
        return iter([Slice(reading.pieces, buffer)])
    if any(all(map(has_digit, alternatives)) for alternatives in reading.view.wanted.words):
        # Likely an id, for which a walk would only take the buffer apart.
        buffer = having(buffer, reading.view.wanted, session.cost)
    parts = slices(
        reading.pieces,
        buffer,
        request.order,
        is_bounded=wanted is not None,
        wanted=wanted or 0,
        within_ns=_within(reading.bounds, request.order, after),
    )
    if wanted is None or not isinstance(reading.pieces, Whole):
        return parts
    return _looked_into(indexes, parts, request.order, wanted)


def _looked_into(indexes: Indexes, parts: Iterator[Slice], order: Order, wanted: int) -> Iterator[Slice]:
    """Slices of whole segments, of which there may be very many, by the row groups of those that each reaches."""
    for part in parts:
        assert part.between_ns is not None
        segments = [piece.segment for piece in part.pieces]
        known, _ = indexes.of(segments)
        pieces = list(map(Piece, segments, known))
        yield from slices(pieces, part.buffer, order, is_bounded=True, wanted=wanted, within_ns=part.between_ns)


def _within(bounds: Bounds, order: Order, after: Place | None) -> tuple[int, int]:
    """The first and the last time that a record of the answer may have."""
    first_ns, last_ns = bounds.between_ns
    if after is None:
        return first_ns, last_ns
    return (max(first_ns, after.time_ns), last_ns) if order == "asc" else (first_ns, min(last_ns, after.time_ns))
