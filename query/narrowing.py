"""The end of an answer in time, found before its records are put together.

The newest N records of a slice are those from the time of the Nth on. Where templates alone tell that enough records
match, their times are read and nothing else. Otherwise times are had by reading the columns that the query's conditions
need; whole records, whose attributes have to be joined, are then made of few rows, not of all that might be among the
newest.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.errors import QueryTooExpensive
from logstore.order import Ints
from logstore.segment import TEMPLATE
from query.groups import plain_bytes_of
from query.picking import pick, read_times
from query.session import Session
from query.slices import Order, Slice
from query.sql import Compiled
from query.view import View, define_records, pieces_between

TIMES_BYTES: Final = 4 << 20
"""Row groups (before compression) are read at once where they are less."""
WORTH: Final = 8
"""A slice is narrowed if it has more than so many times the rows that are wanted."""


@dataclass(frozen=True, slots=True)
class Certain:
    """Templates (`ids`) all of whose records match a query that are within its range of time."""

    ids: Ints

    def narrowed(self, session: Session, part: Slice, wanted: int, order: Order) -> Slice | None:
        """The slice without what comes after the first `wanted` of such records; None where it has not as many."""
        if part.between_ns is None or not len(self.ids):
            return None
        first_ns, last_ns = part.between_ns
        picked, _ = pick([piece for whole in part.pieces for piece in whole.between(first_ns, last_ns)])
        if plain_bytes_of(picked) < TIMES_BYTES:
            return None
        times = [self._times(table, first_ns, last_ns) for table in read_times(session, picked)]
        found = np.concatenate(times) if times else np.zeros(0, np.int64)
        if len(found) < wanted:
            return None
        session.cost.slices_narrowed += 1
        at = wanted - 1 if order == "asc" else len(found) - wanted
        return _up_to(part, int(np.partition(found, at)[at]), order)

    def _times(self, table: pa.Table, first_ns: int, last_ns: int) -> Ints:
        times: Ints = table["time"].cast(pa.int64()).to_numpy()
        is_wanted = np.isin(table[TEMPLATE].to_numpy(), self.ids) & (times >= first_ns) & (times <= last_ns)
        return times[is_wanted]


@dataclass(frozen=True, slots=True)
class Times:
    """A query of the times of the `wanted` first records alone, and what it reads."""

    compiled: Compiled
    view: View
    wanted: int
    order: Order
    is_less: bool
    """Whether it needs fewer columns than the whole records."""
    certain: Certain | None = None

    def narrowed(self, session: Session, parts: Iterator[Slice]) -> Iterator[Slice]:
        """The same slices, each without what cannot be among the first `wanted` of its records."""
        for part in parts:
            told = None if self.certain is None else self.certain.narrowed(session, part, self.wanted, self.order)
            if told is not None:
                yield told
            else:
                yield self._narrowed(session, part) if self._is_worth(part) else part

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
        return _up_to(part, times[-1].cast(pa.int64())[-1].as_py(), self.order)


def _up_to(part: Slice, time_ns: int, order: Order) -> Slice:
    """The slice, ended at this time."""
    assert part.between_ns is not None
    first_ns, last_ns = part.between_ns
    return replace(part, between_ns=(first_ns, time_ns) if order == "asc" else (time_ns, last_ns))
