"""The end of an answer in time, found before its records are put together.

The newest N records of a slice are those from the time of the Nth on. Times are had by reading the columns that the
query's conditions need; whole records, whose attributes have to be joined, are then made of few rows, not of all that
might be among the newest.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from logstore.errors import QueryTooExpensive
from query.session import Session
from query.slices import Order, Slice
from query.sql import Compiled
from query.view import View, define_records, pieces_between

WORTH: Final = 8
"""A slice is narrowed if it has more than so many times the rows that are wanted."""


@dataclass(frozen=True, slots=True)
class Times:
    """A query of the times of the `wanted` first records alone, and what it reads."""

    compiled: Compiled
    view: View
    wanted: int
    order: Order
    is_less: bool
    """Whether it needs fewer columns than the whole records."""

    def narrowed(self, session: Session, parts: Iterator[Slice]) -> Iterator[Slice]:
        """The same slices, each without what cannot be among the first `wanted` of its records."""
        return (self._narrowed(session, part) if self._is_worth(part) else part for part in parts)

    def _is_worth(self, part: Slice) -> bool:
        """Row groups that are picked are read with all columns that the query has, whatever templates decide."""
        if part.between_ns is None:
            return False
        pieces = pieces_between(part.pieces, self.view, part.between_ns)
        if not self.is_less and all(piece.groups is not None for piece in pieces):
            return False
        rows = part.buffer.num_rows + sum(piece.rows for piece in pieces)
        return bool(rows > WORTH * self.wanted)

    def _narrowed(self, session: Session, part: Slice) -> Slice:
        assert part.between_ns is not None
        session.cost.slices_narrowed += 1
        define_records(session, part.pieces, part.buffer, self.view, part.between_ns)
        try:
            with closing(session.stream(self.compiled.sql, self.compiled.params)) as batches:
                times = [batch.column(0) for batch in batches if batch.num_rows]
        except QueryTooExpensive:  # it will be read in halves
            return part
        if sum(map(len, times)) < self.wanted:
            return part
        time_ns = times[-1].cast(pa.int64())[-1].as_py()
        first_ns, last_ns = part.between_ns
        between_ns = (first_ns, time_ns) if self.order == "asc" else (time_ns, last_ns)
        return replace(part, between_ns=between_ns)
