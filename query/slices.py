"""Disjoint slices of time, so that an answer in time order is those of its slices, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from logstore.order import Ints
from logstore.record import STORED, TIME_MAX_NS, TIME_MIN_NS
from query.groups import Piece, Whole
from query.plan import spans_of_batches

Order: TypeAlias = Literal["asc", "desc"]

FIRST_BYTES: Final = 2 << 20
"""Records (before compression) read at once to begin with; a bounded answer that is not full yet then reads four times
as much each time."""
WHOLE_BYTES: Final = 64 << 20
"""Records (before compression) read at once by an answer of everything: about what is sorted at once."""
BUFFERED_BYTES: Final = 256
"""What a buffered record counts for. A small buffer counts as a first slice all the same: it costs no reading, and
answers most newest-first queries of a busy server."""
CUTS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """What may have records between two times; all of one slice are before all of the next (in the order asked for)."""

    pieces: Sequence[Piece]
    buffer: pa.Table
    between_ns: tuple[int, int] | None = None
    """First and last time, both inclusive, of what belongs to it; None: everything."""
    bytes: int = 0
    """About what is read of files for it, before compression."""
    cuts: int = 0
    """How often it was halved to become what it is."""
    rows: tuple[tuple[Piece, Ints], ...] | None = None
    """The records that match and may be wanted, where they are known: of row groups, by their places among all records
    of these; `buffer` has no others then."""

    def halves(self, order: Order) -> tuple["Slice", ...]:
        """Itself in two, for what cannot be sorted at once; none where it is of one time or of unknown ones, or where
        ten times did not help."""
        if self.between_ns is None or self.between_ns[0] == self.between_ns[1] or self.cuts == CUTS_MAX:
            return ()
        first_ns, last_ns = self.between_ns
        middle_ns = (first_ns + last_ns) // 2
        older, newer = self._between(first_ns, middle_ns), self._between(middle_ns + 1, last_ns)
        return (older, newer) if order == "asc" else (newer, older)

    def _between(self, first_ns: int, last_ns: int) -> "Slice":
        overlapping = tuple(piece for piece in self.pieces if _overlaps(piece, first_ns, last_ns))
        return Slice(overlapping, self.buffer, (first_ns, last_ns), self.bytes, self.cuts + 1)


@dataclass(frozen=True, slots=True)
class _Spans:
    """Row groups, whole segments without an index, and the buffer's chunks: from when to when (ns, inclusive) each has
    records, how many bytes, how many that may match, and the position of the piece that it belongs to; the buffer's
    chunks have -1, -2 and so on."""

    first_ns: Ints
    last_ns: Ints
    bytes: Ints
    rows: Ints
    owners: Ints

    def bytes_of_files(self, some: Sequence[int]) -> int:
        at = np.array(some)
        return int(self.bytes[at[self.owners[at] >= 0]].sum())

    def rows_between(self, some: Sequence[int], first_ns: int, last_ns: int) -> float:
        """About how many records some of them have between two times, if they come evenly."""
        at = np.array(some)
        begin, end = self.first_ns[at].astype(np.float64), self.last_ns[at].astype(np.float64)
        common = np.minimum(end, last_ns) - np.maximum(begin, first_ns) + 1
        return float((self.rows[at] * (np.maximum(common, 0) / (end - begin + 1))).sum())

    def within(self, first_ns: int, last_ns: int) -> "_Spans":
        """What of them is between two times."""
        if not len(self.owners) or (first_ns <= self.first_ns.min() and last_ns >= self.last_ns.max()):
            return self
        begin, end = np.maximum(self.first_ns, first_ns), np.minimum(self.last_ns, last_ns)
        share = (end.astype(np.float64) - begin + 1) / (self.last_ns.astype(np.float64) - self.first_ns + 1)
        rows = (self.rows * share).astype(np.int64)
        return _Spans(*(values[begin <= end] for values in (begin, end, self.bytes, rows, self.owners)))


def slices(
    pieces: Sequence[Piece],
    buffer: pa.Table,
    order: Order,
    *,
    is_bounded: bool,
    wanted: int = 0,
    within_ns: tuple[int, int] = (TIME_MIN_NS, TIME_MAX_NS),
) -> Iterator[Slice]:
    """Slices from the newest to the oldest (`desc`), or the reverse, of what is between two times, both inclusive.

    Row groups overlap in time, so that a slice ends where the next row group begins, and what it has left is read again
    with the next slice. So a slice is long enough to have as many records as are `wanted`, were all to match that may.
    """
    spans = _spans(pieces, buffer).within(*within_ns)
    begins_ns, ends_ns = (spans.last_ns, spans.first_ns) if order == "desc" else (spans.first_ns, spans.last_ns)
    # ~ turns the order round, and lets those of one time stay as they are.
    ordered = np.argsort(~begins_ns if order == "desc" else begins_ns, kind="stable")
    edge_ns = int(begins_ns[ordered[0]]) if len(ordered) else 0
    target, size, open_spans = FIRST_BYTES if is_bounded else WHOLE_BYTES, 0, list[int]()
    for at, following in zip_longest(ordered, ordered[1:]):
        open_spans.append(at)
        size += int(spans.bytes[at])
        next_ns = None if following is None else int(begins_ns[following])
        if next_ns is not None and (size < target or next_ns == edge_ns):
            continue
        if next_ns is not None and size < WHOLE_BYTES and _is_short(spans, open_spans, edge_ns, next_ns, wanted):
            continue
        between_ns = _between(ends_ns[open_spans], edge_ns, next_ns, order)
        yield Slice(*_parts(pieces, spans.owners[open_spans], buffer), between_ns, spans.bytes_of_files(open_spans))
        if next_ns is None:
            return
        edge_ns = next_ns
        reach_it = ends_ns[open_spans] <= edge_ns if order == "desc" else ends_ns[open_spans] >= edge_ns
        open_spans = np.array(open_spans)[reach_it].tolist()
        size = 0
        target, wanted = (target * 4, wanted * 4) if is_bounded else (target, wanted)


def _is_short(spans: _Spans, some: Sequence[int], edge_ns: int, next_ns: int, wanted: int) -> bool:
    """Whether there cannot be as many records as are wanted between the two."""
    return wanted > 0 and spans.rows_between(some, min(edge_ns, next_ns), max(edge_ns, next_ns)) < wanted


def _between(ends_ns: Ints, edge_ns: int, next_ns: int | None, order: Order) -> tuple[int, int]:
    """From the edge up to, and without, the next one; without one, to the end of all that is left."""
    if order == "desc":
        return int(ends_ns.min()) if next_ns is None else next_ns + 1, edge_ns
    return edge_ns, int(ends_ns.max()) if next_ns is None else next_ns - 1


def _parts(pieces: Sequence[Piece], owners: Ints, buffer: pa.Table) -> tuple[tuple[Piece, ...], pa.Table]:
    distinct = dict.fromkeys(owners.tolist())
    of_segments = tuple(pieces[owner] for owner in distinct if owner >= 0)
    chunks = sorted(-1 - owner for owner in distinct if owner < 0)
    batches = buffer.to_batches() if chunks else []
    return of_segments, pa.Table.from_batches([batches[chunk] for chunk in chunks], schema=STORED)


def _spans(pieces: Sequence[Piece], buffer: pa.Table) -> _Spans:
    if isinstance(pieces, Whole):
        found = pieces.segments
        parts = [(found.min_time_ns, found.max_time_ns, found.plain_bytes, found.rows, np.arange(len(found)))]
    else:
        parts = [_spans_of(piece, owner) for owner, piece in enumerate(pieces)]
    parts += [_spans_of_buffer(buffer)] if buffer.num_rows else []
    return _Spans(*map(np.concatenate, zip(*parts, strict=True))) if parts else _Spans(*[np.zeros(0, np.int64)] * 5)


def _spans_of_buffer(buffer: pa.Table) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    first_ns, last_ns = spans_of_batches(buffer)
    record_bytes = max(BUFFERED_BYTES, -(-FIRST_BYTES // buffer.num_rows))
    rows = np.array([batch.num_rows for batch in buffer.to_batches()], np.int64)
    return first_ns, last_ns, rows * record_bytes, rows, -1 - np.arange(len(rows))


def _spans_of(piece: Piece, owner: int) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    segment = piece.segment
    if piece.known is None:
        return _one(segment.min_time_ns, segment.max_time_ns, segment.plain_bytes, segment.rows, owner)
    index = piece.known.index
    groups = np.arange(index.groups) if piece.groups is None else np.array(piece.groups)
    sizes, owners = np.full(len(groups), segment.plain_bytes // index.groups), np.full(len(groups), owner)
    all_rows = np.full(len(groups), segment.rows // index.groups)
    counts = all_rows if piece.matches is None else piece.matches[groups]
    return index.min_times_ns[groups], index.max_times_ns[groups], sizes, counts, owners


def _one(*values: int) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    first_ns, last_ns, size, rows, owner = (np.array([value], np.int64) for value in values)
    return first_ns, last_ns, size, rows, owner


def _overlaps(piece: Piece, first_ns: int, last_ns: int) -> bool:
    return piece.segment.min_time_ns <= last_ns and piece.segment.max_time_ns >= first_ns
