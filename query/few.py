"""Few records that have some words, found and put together without SQL: setting up a statement takes longer than
looking at them. What asking for an id comes to."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from logstore.enrich import whole as whole_records
from query import ast
from query.direct import in_order
from query.picking import PICKED_MAX_BYTES, having, read
from query.plain import plain_of
from query.reading import Reading
from query.session import Session
from query.slices import Order

LOOKED_AT_MAX_BYTES: Final = 96 << 20
"""Row groups that may have the words, before compression: `PICKED_MAX_BYTES` of a segment are in memory at most, and of
these no more is kept than the records that may."""
BUFFERED_MAX: Final = 10_000
"""Buffered records that may have the words, which no filter tells before; of more, SQL takes no more than is wanted."""


def rows_of(
    session: Session, reading: Reading, buffer: pa.Table, query: ast.Query, names: Sequence[str], order: Order
) -> pa.RecordBatch | None:
    """These stored columns of all records that match, in the order of time. None where that is not known without SQL:
    the query asks for more than words of ASCII, time and identity, or many records may match.
    """
    bounds = reading.bounds
    plain = plain_of(query, bounds)
    if plain is None or not plain.phrases or not reading.is_rare:
        return None
    pieces = [part.named for piece in reading.pieces for part in piece.between(*bounds.between_ns)]
    sizes = [piece.plain_bytes for piece in pieces]
    if max(sizes, default=0) > PICKED_MAX_BYTES or sum(sizes) > LOOKED_AT_MAX_BYTES:
        return None
    needed = list(dict.fromkeys((*names, "message", "time", "_seq", *bounds.identity)))
    with session.reading():
        buffered = having(buffer, reading.view.wanted, session.cost)
        if buffered.num_rows > BUFFERED_MAX:
            return None
        buffered = (whole_records(buffered) if "attributes" in needed else buffered).select(needed)
        between_ns = bounds.between_ns if bounds.has_times else None
        tables = [buffered, *read(session, pieces, needed, between_ns, reading.view.wanted)]
        session.cost.rows += sum(table.num_rows for table in tables)
        session.cost.slices = session.cost.slices_read = session.cost.slices_direct = 1
        matching = [table.filter(pa.array(plain.mask(table, bounds.between_ns))) for table in tables]
        return in_order(matching, names, order)
