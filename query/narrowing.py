"""The end of an answer in time, found before its records are put together.

The newest N records of a slice are those from the time of the Nth on. Where templates, identity and time tell that
enough records match, nothing else is read to find it; and where they tell it of each record, its rows need no SQL
(query/direct.py). Otherwise times are had by reading the columns that the query's conditions need; whole records, whose
attributes have to be joined, are then made of few rows, not of all that might be among the newest.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.errors import QueryTooExpensive
from logstore.native.arrays import int64s, is_one_of
from logstore.order import Ints
from logstore.segment import TEMPLATE
from logstore.wanted import Wanted
from query.groups import Piece, plain_bytes_of
from query.picking import pick, read_facts
from query.plain import Plain
from query.session import Session
from query.slices import Order, Slice
from query.sql import Compiled
from query.verdicts import Flags
from query.view import View, define_records, reached

TIMES_BYTES: Final = 4 << 20
"""Row groups (before compression) are read at once where they are less."""
MORE: Final = 2
"""So many times as many records as the slices before let expect may match."""
WORTH: Final = 8
"""A slice is narrowed if it has more than so many times the rows that are wanted."""


@dataclass(frozen=True, slots=True)
class Certain:
    """What templates, identity and time tell of records within a query's range of time.

    Records match whose template is one of `must` (None: all), and that have one of the values of each column in
    `identity`; of templates that are `open`, some of them may. Both are ids, UNASSIGNED of records without a template.
    """

    identity: Mapping[str, frozenset[str]]
    must: Ints | None = None
    open: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    plain: Plain | None = None
    """What buffered records are asked, which have no templates; None: more than can be told of them here."""

    def narrowed(self, session: Session, part: Slice, wanted: int, order: Order, *, is_direct: bool) -> Slice | None:
        """The slice without what comes after the first `wanted` of such records, and with its rows where they alone
        match; None where nothing of the kind is known.

        `is_direct`: whether its rows are asked for.
        """
        if part.between_ns is None:
            return None
        picked, *others = pick([piece for each in part.pieces for piece in each.between(*part.between_ns)])
        if not is_direct and plain_bytes_of(picked) < TIMES_BYTES:
            return None
        if self.must is not None and picked and not (len(self.must) and all(one.known is not None for one in picked)):
            return None
        with session.reading():
            tables = read_facts(session, picked, self.identity)
            told = [self._told(piece, table, part.between_ns) for piece, table in zip(picked, tables, strict=True)]
            buffered = self._buffered(part) if is_direct else None
        found = [one.times_ns[one.matches] for one in told]
        times = np.concatenate([np.zeros(0, np.int64), *found, *([buffered[0][buffered[1]]] if buffered else [])])
        is_enough = len(times) >= wanted
        if is_enough:
            at = wanted - 1 if order == "asc" else len(times) - wanted
            part = _up_to(part, int(np.partition(times, at)[at]), order)
        known = _with_rows(part, told, *buffered) if buffered is not None and not any(others) else None
        if known is None and not is_enough:
            return None
        session.cost.slices_narrowed += is_enough
        return known or part

    def _told(self, piece: Piece, table: pa.Table, between_ns: tuple[int, int]) -> "_Told":
        times = int64s(table["time"])
        is_seen = (times >= between_ns[0]) & (times <= between_ns[1]) & Wanted(self.identity).has_identity(table)
        if self.must is None:
            return _Told(piece, times, is_seen, np.zeros_like(is_seen))
        templates = int64s(table[TEMPLATE])
        return _Told(piece, times, is_seen & is_one_of(templates, self.must), is_seen & is_one_of(templates, self.open))

    def _buffered(self, part: Slice) -> tuple[Ints, Flags] | None:
        """When the slice's buffered records are, and which of them match; None where that is not known."""
        assert part.between_ns is not None
        times = int64s(part.buffer["time"])
        is_seen = (times >= part.between_ns[0]) & (times <= part.between_ns[1])
        if not is_seen.any():
            return times, is_seen
        return None if self.plain is None else (times, self.plain.mask(part.buffer, part.between_ns))


@dataclass(frozen=True, slots=True)
class _Told:
    """Of the records of a piece's row groups: when they are, and which match, or may."""

    piece: Piece
    times_ns: Ints
    matches: Flags
    is_open: Flags


def _with_rows(part: Slice, told: Sequence[_Told], times_ns: Ints, matches: Flags) -> Slice | None:
    """The slice with the records of files that match, and of buffered ones, of which it is given when they are, with
    no others; None where that is not known of all."""
    assert part.between_ns is not None
    first_ns, last_ns = part.between_ns
    rows: list[tuple[Piece, Ints]] = []
    for one in told:
        is_in = (one.times_ns >= first_ns) & (one.times_ns <= last_ns)
        if (one.is_open & is_in).any():
            return None
        if len(found := np.flatnonzero(one.matches & is_in)):
            rows.append((one.piece, found))
    is_in = matches & (times_ns >= first_ns) & (times_ns <= last_ns)
    return replace(part, rows=tuple(rows), buffer=part.buffer.filter(pa.array(is_in)))


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
    is_direct: bool = False
    """Whether its columns are those of records as they are stored."""

    def narrowed(self, session: Session, parts: Iterator[Slice]) -> Iterator[Slice]:
        """The same slices, each without what cannot be among the first `wanted` of its records; of those that have none
        that match, only some. Of one that likely has no more than are still wanted nothing would be cut."""
        left, a_byte = self.wanted, 0.0
        for part in parts:
            if (told := self._told(session, part)) is not None:
                yield told
                continue
            is_few = 0 < MORE * a_byte * part.bytes < left
            times = self._times(session, part) if self._is_worth(part) and not is_few else None
            if times is None:
                yield part
                continue
            a_byte = len(times) / max(part.bytes, 1)
            if len(times):
                first_ns, last_ns = sorted((int(times[0]), int(times[:left][-1])))
                left = max(left - len(times), 1)
                yield replace(part, between_ns=(first_ns, last_ns))

    def _told(self, session: Session, part: Slice) -> Slice | None:
        if self.certain is None:
            return None
        return self.certain.narrowed(session, part, self.wanted, self.order, is_direct=self.is_direct)

    def _is_worth(self, part: Slice) -> bool:
        """Row groups that are picked are read with all columns that the query has, whatever templates decide."""
        if part.between_ns is None:
            return False
        pieces = reached(part.pieces, self.view, part.between_ns)
        if not self.is_less and all(piece.groups is not None for piece in pieces):
            return False
        rows = part.buffer.num_rows + sum(piece.rows for piece in pieces)
        return bool(rows > WORTH * self.wanted)

    def _times(self, session: Session, part: Slice) -> Ints | None:
        """When those of its records are that match and may be wanted, in the order asked for; None where that is too
        much to tell."""
        session.cost.slices_narrowed += 1
        define_records(session, part.pieces, part.buffer, self.view, part.between_ns)
        try:
            with closing(session.stream(self.compiled.sql, self.compiled.params)) as batches:
                return np.concatenate([np.zeros(0, np.int64), *(int64s(batch.column(0)) for batch in batches)])
        except QueryTooExpensive:  # it will be read in halves
            return None


def _up_to(part: Slice, time_ns: int, order: Order) -> Slice:
    """The slice, ended at this time."""
    assert part.between_ns is not None
    first_ns, last_ns = part.between_ns
    return replace(part, between_ns=(first_ns, time_ns) if order == "asc" else (time_ns, last_ns))
