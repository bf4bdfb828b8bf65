"""Segments in which nothing matched. What a search found in none of a segment's records, no search that asks for more
besides finds there: one that is refined, and the histogram of the same conditions, do not read it again. Segments never
change, so that this stays true."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa

from logstore.listing import Listing
from logstore.native.arrays import int64s
from logstore.order import Ints
from logstore.pruning import Bounds
from query import analyse, ast
from query.plan import Plan, lies_within
from query.slices import Order
from query.sql.fields import stored_columns
from query.verdicts import Flags
from query.walk import names, walk

ROWS_MAX: Final = 10_000
"""Of a longer answer nothing is noted."""
CONDITIONS_MAX: Final = 256
SEGMENTS_MAX: Final = 1 << 18
"""Of all conditions together, 8 bytes each."""
_COMPARED_MAX: Final = 1 << 22

Conditions: TypeAlias = frozenset[ast.Expression]


class Misses:
    """By what was asked for, the ids of segments that have no such record. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Conditions, Ints] = OrderedDict()
        self._segments = 0
        self._skipped = 0

    def readings(self) -> dict[str, float]:
        """The numbers for /metrics."""
        return {"query_misses_segments": self._segments, "query_misses_skipped": self._skipped}

    def without(self, segments: Listing, query: ast.Query) -> Listing:
        """Those of the segments that may have a record that the query asks for."""
        if not self._known or analyse.has_subquery(query):
            return segments
        asked = _conditions(query)
        with self._lock:
            found = [ids for conditions, ids in self._known.items() if conditions <= asked]
            may_match = ~np.isin(segments.id, np.concatenate(found)) if found else np.ones(len(segments), np.bool_)
            self._skipped += int(np.count_nonzero(~may_match))
        return segments if may_match.all() else segments.take(may_match)

    def note(self, conditions: Conditions, ids: Ints) -> None:
        with self._lock:
            old = self._known.pop(conditions, np.zeros(0, np.int64))
            self._known[conditions] = ids = np.union1d(old, ids)
            self._segments += len(ids) - len(old)
            while self._segments > SEGMENTS_MAX or len(self._known) > CONDITIONS_MAX:
                _, gone = self._known.popitem(last=False)
                self._segments -= len(gone)


@dataclass(frozen=True, slots=True)
class Search:
    """A question whose answer tells in which of the `segments` nothing matched: it has `wanted` records at most (None:
    all), in this order."""

    conditions: Conditions
    segments: Listing
    bounds: Bounds
    wanted: int | None
    order: Order

    def noting(self, misses: Misses, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same rows, whose last two columns are time and `_seq`; notes what they tell once they were all given."""
        times: list[Ints] = []
        seqs: list[Ints] = []
        count = 0
        for batch in rows:
            count += batch.num_rows
            if count <= ROWS_MAX:
                times.append(int64s(batch.column(batch.num_columns - 2)))
                seqs.append(int64s(batch.column(batch.num_columns - 1)))
            yield batch
        if count <= ROWS_MAX:
            none = np.zeros(0, np.int64)
            missed = self._missed(np.concatenate([none, *times]), np.concatenate([none, *seqs]))
            if missed.any():
                misses.note(self.conditions, self.segments.id[missed])

    def _missed(self, times_ns: Ints, seqs: Ints) -> Flags:
        """Which of the segments have none of the records, which are all that match, or the first `wanted`."""
        segments = self.segments
        seen = lies_within(segments, self.bounds)
        if self.wanted is not None and len(times_ns) >= self.wanted:
            if not len(times_ns):
                return np.zeros_like(seen)
            is_newest_first = self.order == "desc"
            seen &= segments.min_time_ns > times_ns[-1] if is_newest_first else segments.max_time_ns < times_ns[-1]
        ascending = np.sort(times_ns)
        begin = np.searchsorted(ascending, segments.min_time_ns)
        end = np.searchsorted(ascending, segments.max_time_ns, side="right")
        missed: Flags = seen & (begin == end)
        at = np.flatnonzero(seen & (begin < end))
        if len(at) * len(times_ns) <= _COMPARED_MAX:
            is_in = (times_ns >= segments.min_time_ns[at, None]) & (times_ns <= segments.max_time_ns[at, None])
            is_in &= (seqs >= segments.min_seq[at, None]) & (seqs <= segments.max_seq[at, None])
            missed[at] = ~is_in.any(axis=1)
        return missed


def search_of(query: ast.Query, planned: Plan, bounds: Bounds, wanted: int | None, order: Order) -> Search | None:
    """None where the rows of an answer do not tell where nothing matched: more than the conditions decides which there
    are, or what the conditions mean depends on when they are asked."""
    pipes = list(query.pipes)
    while pipes and isinstance(pipes[-1], ast.Fields | ast.Extend):
        pipes.pop()
    conditions = _conditions(query)
    is_filter = all(isinstance(pipe, ast.Where) for pipe in pipes) and not analyse.has_subquery(query)
    is_about_records = not all(map(analyse.is_identity, conditions))
    if not is_filter or not is_about_records or not all(map(_is_timeless, conditions)):
        return None
    if bounds.up_to_seq is not None or bounds.after_seq is not None:
        return None
    return Search(conditions, planned.pieces.segments, bounds, wanted, order)


def _conditions(query: ast.Query) -> Conditions:
    """All that a record has to meet besides its time, which segments are chosen by."""
    return frozenset(
        one for one in analyse.conjuncts(query) if not isinstance(one, ast.All) and not analyse.is_time_bound(one)
    )


def _is_timeless(condition: ast.Expression) -> bool:
    has_time = any("time" in stored_columns(name.name) for name in names(condition))
    return not has_time and not any(isinstance(node, ast.Call) for node in walk(condition))
