"""Disjoint slices of time, so that an answer in time order is those of its slices, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import pyarrow as pa

from logstore.record import STORED
from query.groups import Piece
from query.plan import time_span

Order: TypeAlias = Literal["asc", "desc"]

FIRST_BYTES: Final = 2 << 20
"""Records (before compression) read at once to begin with; a bounded answer that is not full yet then reads twice as
much each time."""
WHOLE_BYTES: Final = 64 << 20
"""Records (before compression) read at once by an answer of everything: about what is sorted at once."""
CUTS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """What may have records between two times; all of one slice are before all of the next (in the order asked for)."""

    pieces: tuple[Piece, ...]
    buffer: pa.Table
    between_ns: tuple[int, int] | None = None
    """First and last time, both inclusive, of what belongs to it; None: everything."""
    cuts: int = 0
    """How often it was halved to become what it is."""

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
        return Slice(overlapping, self.buffer, (first_ns, last_ns), self.cuts + 1)

    def may_follow(self, place_ns: int, order: Order) -> bool:
        """Whether some record of it may come at or after a place in that order."""
        if self.between_ns is None:
            return True
        return self.between_ns[1] >= place_ns if order == "asc" else self.between_ns[0] <= place_ns


@dataclass(frozen=True, slots=True)
class _Span:
    """A row group, a whole segment without an index, or the buffer (which is no piece)."""

    min_time_ns: int
    max_time_ns: int
    bytes: int
    piece: Piece | None


def slices(pieces: Sequence[Piece], buffer: pa.Table, order: Order, *, is_bounded: bool) -> Iterator[Slice]:
    """Slices from the newest to the oldest (`desc`), or the reverse.

    Row groups overlap in time, so that a slice ends where the next row group begins, and what it has left is read again
    with the next slice.
    """
    spans = _spans(pieces, buffer)
    if not spans:
        return
    if order == "desc":
        spans.sort(key=lambda span: span.max_time_ns, reverse=True)
    else:
        spans.sort(key=lambda span: span.min_time_ns)
    edge_ns = spans[0].max_time_ns if order == "desc" else spans[0].min_time_ns
    target, size, open_spans = FIRST_BYTES if is_bounded else WHOLE_BYTES, 0, list[_Span]()
    for span, following in zip(spans, [*spans[1:], None], strict=True):
        open_spans.append(span)
        size += span.bytes
        if following is None:
            yield _slice(open_spans, buffer, edge_ns, None, order)
            return
        next_ns = following.max_time_ns if order == "desc" else following.min_time_ns
        if size < target or next_ns == edge_ns:
            continue
        yield _slice(open_spans, buffer, edge_ns, next_ns, order)
        edge_ns = next_ns
        open_spans = [one for one in open_spans if _reaches(one, edge_ns, order)]
        size = 0
        target = target * 2 if is_bounded else target


def _reaches(span: _Span, edge_ns: int, order: Order) -> bool:
    return span.min_time_ns <= edge_ns if order == "desc" else span.max_time_ns >= edge_ns


def _slice(spans: Sequence[_Span], buffer: pa.Table, edge_ns: int, next_ns: int | None, order: Order) -> Slice:
    """From the edge up to, and without, the next one; without one, all that is left."""
    if order == "desc":
        between = (min(span.min_time_ns for span in spans) if next_ns is None else next_ns + 1, edge_ns)
    else:
        between = (edge_ns, max(span.max_time_ns for span in spans) if next_ns is None else next_ns - 1)
    pieces = dict.fromkeys(span.piece for span in spans if span.piece is not None)
    has_buffer = any(span.piece is None for span in spans)
    return Slice(tuple(pieces), buffer if has_buffer else STORED.empty_table(), between)


def _spans(pieces: Sequence[Piece], buffer: pa.Table) -> list[_Span]:
    spans = [span for piece in pieces for span in _spans_of(piece)]
    buffered = time_span(buffer)
    # The buffer costs no reading; a slice of its own answers most newest-first queries of a busy server.
    return [*spans, _Span(*buffered, FIRST_BYTES, None)] if buffered else spans


def _spans_of(piece: Piece) -> Iterator[_Span]:
    segment = piece.segment
    if piece.known is None:
        yield _Span(segment.min_time_ns, segment.max_time_ns, segment.plain_bytes, piece)
        return
    index = piece.known.index
    size = segment.plain_bytes // index.groups
    groups = range(index.groups) if piece.groups is None else piece.groups
    lows, highs = index.min_times_ns.tolist(), index.max_times_ns.tolist()
    for group in groups:
        yield _Span(lows[group], highs[group], size, piece)


def _overlaps(piece: Piece, first_ns: int, last_ns: int) -> bool:
    return piece.segment.min_time_ns <= last_ns and piece.segment.max_time_ns >= first_ns
