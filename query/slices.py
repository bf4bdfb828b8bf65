"""Disjoint slices of time, so that an answer in time order is those of its slices, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

from logstore.catalog import Segment
from logstore.record import STORED
from query.plan import time_span

FIRST_BYTES: Final = 2 << 20
"""Records (before compression) read at once to begin with; a bounded answer that is not full yet then reads twice as
much each time."""
WHOLE_BYTES: Final = 64 << 20
"""Records (before compression) read at once by an answer of everything: about what is sorted at once."""


CUTS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """Segments and buffered records; all of one slice are before all of the next (in the order asked for)."""

    segments: tuple[Segment, ...]
    buffer: pa.Table
    min_time_ns: int | None = None
    max_time_ns: int | None = None
    between_ns: tuple[int, int] | None = None
    """Where given, only what lies between these two times, both inclusive, belongs to it."""
    cuts: int = 0
    """How often it was halved to become what it is."""

    def halves(self, order: Literal["asc", "desc"]) -> tuple["Slice", ...]:
        """Itself in two, for what cannot be sorted at once; none where it is of one time or of unknown ones, or where
        ten times did not help.

        Segments hold streams one after the other, so that a half reads nearly as much as the whole: a last resort.
        """
        if self.min_time_ns is None or self.max_time_ns is None:
            return ()
        if self.min_time_ns == self.max_time_ns or self.cuts == CUTS_MAX:
            return ()
        middle_ns = (self.min_time_ns + self.max_time_ns) // 2
        older, newer = self._between(self.min_time_ns, middle_ns), self._between(middle_ns + 1, self.max_time_ns)
        return (older, newer) if order == "asc" else (newer, older)

    def _between(self, min_time_ns: int, max_time_ns: int) -> "Slice":
        overlapping = (s for s in self.segments if s.min_time_ns <= max_time_ns and s.max_time_ns >= min_time_ns)
        return Slice(
            tuple(overlapping), self.buffer, min_time_ns, max_time_ns, (min_time_ns, max_time_ns), self.cuts + 1
        )

    def may_follow(self, place_ns: int, order: Literal["asc", "desc"]) -> bool:
        """Whether some record of it may come at or after a place in that order."""
        if self.min_time_ns is None or self.max_time_ns is None:
            return True
        return self.max_time_ns >= place_ns if order == "asc" else self.min_time_ns <= place_ns


@dataclass(frozen=True, slots=True)
class _Span:
    min_time_ns: int
    max_time_ns: int
    bytes: int
    segment: Segment | None


def slices(
    segments: Sequence[Segment], buffer: pa.Table, order: Literal["asc", "desc"], *, is_bounded: bool
) -> Iterator[Slice]:
    """Slices from the newest to the oldest (`desc`), or the reverse."""
    members: list[_Span] = []
    size = 0
    target = FIRST_BYTES if is_bounded else WHOLE_BYTES
    for group in _disjoint(_spans(segments, buffer), order):
        members += group
        size += sum(span.bytes for span in group)
        if size >= target:
            yield _slice(members, buffer)
            members, size = [], 0
            target = target * 2 if is_bounded else target
    if members:
        yield _slice(members, buffer)


def _spans(segments: Sequence[Segment], buffer: pa.Table) -> list[_Span]:
    spans = [_Span(s.min_time_ns, s.max_time_ns, s.plain_bytes, s) for s in segments]
    buffered = time_span(buffer)
    # The buffer costs no reading; a slice of its own answers most newest-first queries of a busy server.
    return [*spans, _Span(*buffered, FIRST_BYTES, None)] if buffered else spans


def _disjoint(spans: list[_Span], order: Literal["asc", "desc"]) -> Iterator[list[_Span]]:
    """Groups of spans that overlap; no two groups do."""
    group: list[_Span] = []
    if order == "desc":
        spans = sorted(spans, key=lambda span: span.max_time_ns, reverse=True)
    else:
        spans = sorted(spans, key=lambda span: span.min_time_ns)
    edge_ns = 0
    for span in spans:
        near_ns, far_ns = span.max_time_ns, span.min_time_ns
        if order == "asc":
            near_ns, far_ns = -span.min_time_ns, -span.max_time_ns
        if group and near_ns < edge_ns:
            yield group
            group = []
        edge_ns = min(edge_ns, far_ns) if group else far_ns
        group.append(span)
    if group:
        yield group


def _slice(members: list[_Span], buffer: pa.Table) -> Slice:
    has_buffer = any(span.segment is None for span in members)
    return Slice(
        tuple(span.segment for span in members if span.segment is not None),
        buffer if has_buffer else STORED.empty_table(),
        min(span.min_time_ns for span in members),
        max(span.max_time_ns for span in members),
    )
