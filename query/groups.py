"""Which row groups of the segments a query reads: those that time, streams, templates and words leave over."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore import segment as segments
from logstore import tokens
from logstore.catalog import Catalog, Segment
from logstore.indexes import Filters, Known
from logstore.listing import Listing
from logstore.native import address_of
from logstore.order import Ints
from logstore.pruning import Bounds
from query.required import UNTOLD
from query.verdicts import Flags, Verdict

SMALL_BYTES: Final = 2 << 20
"""A segment of so much, before compression, is read by its row groups even where all of them are wanted: DuckDB takes
megabytes for each file."""
INSIDE: Final = frozenset(("pod", "container"))
"""Identity that is not a directory: streams of it are rows of a segment."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A segment, and the row groups of it that are read: None where it is all of them, or none is known; or the cells
    that are read in their place."""

    segment: Segment
    known: Known | None = None
    groups: tuple[int, ...] | None = None
    cells: pa.RecordBatch | None = None
    matches: Ints | None = None
    """About how many records of each of the segment's row groups may match; None: all."""

    @property
    def plain_bytes(self) -> int:
        """About what is read of the file, before compression."""
        if self.cells is not None:
            return 0
        return self._share_of(self.segment.plain_bytes)

    @property
    def rows(self) -> int:
        """About how many records are read."""
        if self.cells is not None:
            return int(self.cells.num_rows)
        return self._share_of(self.segment.rows)

    @property
    def named(self) -> "Piece":
        """The same, each of its row groups named."""
        return self if self.groups is not None else replace(self, groups=tuple(range(self._all_groups)))

    def _share_of(self, amount: int) -> int:
        return amount if self.groups is None else amount * len(self.groups) // self._all_groups

    @property
    def _all_groups(self) -> int:
        return self.known.index.groups if self.known is not None else segments.row_groups(self.segment)

    def between(self, first_ns: int, last_ns: int) -> "tuple[Piece, ...]":
        """What may have records between two times, both inclusive; nothing where nothing has."""
        if self.known is not None:
            least, greatest = self.known.index.min_times_ns, self.known.index.max_times_ns
        else:
            least, greatest = segments.group_times(self.segment)
        is_in = (least <= last_ns) & (greatest >= first_ns)
        groups = tuple(at for at in np.flatnonzero(is_in).tolist() if self.groups is None or at in self.groups)
        is_part = len(groups) < len(least) or self.plain_bytes <= SMALL_BYTES
        return (replace(self, groups=groups if is_part else None),) if groups else ()


class Whole(Sequence[Piece]):
    """Segments that are read whole, as pieces, each made when it is first asked for: there may be very many."""

    __slots__ = ("_made", "segments")

    def __init__(self, segments: Listing) -> None:
        self.segments = segments
        self._made: dict[int, Piece] = {}

    def __len__(self) -> int:
        return len(self.segments)

    @overload
    def __getitem__(self, at: int) -> Piece: ...
    @overload
    def __getitem__(self, at: slice) -> "Whole": ...
    def __getitem__(self, at: int | slice) -> "Piece | Whole":
        if isinstance(at, slice):
            return Whole(self.segments[at])
        at = range(len(self))[at]
        if at not in self._made:
            self._made[at] = Piece(self.segments[at])
        return self._made[at]

    def __iter__(self) -> Iterator[Piece]:
        if len(self._made) < len(self):
            for at, segment in enumerate(self.segments):
                self._made.setdefault(at, Piece(segment))
        return (self._made[at] for at in range(len(self)))


def plain_bytes_of(pieces: Sequence[Piece]) -> int:
    """About what is read of all of them, before compression."""
    if isinstance(pieces, Whole):
        return int(pieces.segments.plain_bytes.sum())
    return sum(piece.plain_bytes for piece in pieces)


def bytes_of(pieces: Sequence[Piece]) -> int:
    """Compressed bytes of their files, all columns of them."""
    if isinstance(pieces, Whole):
        return int(pieces.segments.bytes.sum())
    return sum(piece.segment.bytes for piece in pieces)


@dataclass(frozen=True, slots=True)
class Groups:
    """All row groups of some segments, one after the other."""

    pieces: tuple[Piece, ...]
    """Segments without an index; they are read whole."""
    known: tuple[tuple[Segment, Known], ...]
    starts: Ints
    """Where each known segment's groups begin; one more than there are segments."""
    entries: Ints
    """Where each group's templates begin in `numbers`; one more than there are groups."""
    numbers: Ints
    """The templates' numbers; -1 of records without one."""
    rows: Ints
    """How many records have that template in that group."""
    min_times_ns: Ints
    max_times_ns: Ints
    filters: Ints
    """Where each group's token filter is in memory."""
    filter_bytes: Ints
    filter_versions: Ints
    """What it holds (`tokens.VERSION`)."""

    @property
    def count(self) -> int:
        return len(self.min_times_ns)


@dataclass(slots=True)
class Chosen:
    """Which groups are still in, and how many went by reason."""

    mask: Flags
    matches: Ints
    """About how many records of each group may match."""
    skipped: Counter[str] = field(default_factory=Counter)

    def keep(self, mask: Flags, reason: str) -> None:
        gone = int(np.count_nonzero(self.mask & ~mask))
        if gone:
            self.skipped[reason] += gone
            self.mask = self.mask & mask


def having_words(filters: Sequence[Filters | None], words: Sequence[frozenset[str]]) -> tuple[Flags, int]:
    """Of segments with these filters (None: no index) those that may have a record with one of each of these words; and
    how many groups the others have. So a needle does not cost what all templates do."""
    has_all = np.ones(len(filters), np.bool_)
    known = [one for one in filters if one is not None]
    if not known:
        return has_all, 0
    addresses, sizes = _places([(one.content, one.offsets) for one in known])
    versions = joined([one.versions for one in known])
    found = np.ones(len(sizes), np.bool_)
    for alternatives in words:
        found[found] = _hold_one(addresses[found], sizes[found], versions[found], alternatives)
    counts = np.array([one.groups for one in known], np.int64)
    is_left = np.logical_or.reduceat(found, np.cumsum(counts) - counts)
    has_all[[one is not None for one in filters]] = is_left
    return has_all, int(counts[~is_left].sum())


def _places(filters: Sequence[tuple[npt.NDArray[np.uint8], Ints]]) -> tuple[Ints, Ints]:
    """Where the token filter of each group is in memory, and its bytes."""
    return (
        joined([address_of(content) + offsets[:-1] for content, offsets in filters]),
        joined([np.diff(offsets) for _, offsets in filters]),
    )


def _hold_one(addresses: Ints, sizes: Ints, versions: Ints, alternatives: frozenset[str]) -> Flags:
    found = np.zeros(len(sizes), np.bool_)
    for word in alternatives:
        found |= versions < UNTOLD[word] if word in UNTOLD else tokens.may_hold_at(addresses, sizes, [word])
    return found


def groups_of(segments: Sequence[Segment], known: Sequence[Known | None]) -> Groups:
    """The groups of these segments."""
    with_index = tuple((s, k) for s, k in zip(segments, known, strict=True) if k is not None)
    without = tuple(Piece(s) for s, k in zip(segments, known, strict=True) if k is None)
    indexes = [k.index for _, k in with_index]
    sizes = [0]
    for one in indexes:
        sizes.append(sizes[-1] + len(one.presence))
    return Groups(
        without,
        with_index,
        np.concatenate(([0], np.cumsum([one.groups for one in indexes]))).astype(np.int64),
        joined([*(one.presence_offsets[:-1] + size for one, size in zip(indexes, sizes, strict=False)), sizes[-1:]]),
        joined([k.entries for _, k in with_index]),
        joined([one.presence_rows for one in indexes]),
        joined([one.min_times_ns for one in indexes]),
        joined([one.max_times_ns for one in indexes]),
        *_places([(one.filters, one.filter_offsets) for one in indexes]),
        joined([one.filter_versions for one in indexes]),
    )


def joined(parts: Sequence[npt.ArrayLike]) -> Ints:
    """The arrays one after the other."""
    return np.concatenate(parts).astype(np.int64, copy=False) if parts else np.zeros(0, np.int64)


def choose(
    groups: Groups,
    bounds: Bounds,
    verdict: Verdict,
    words: Sequence[frozenset[str]],
    catalog: Catalog,
) -> Chosen:
    """Leaves out the groups that cannot hold a matching record."""
    if not groups.count:
        return Chosen(np.ones(0, np.bool_), np.zeros(0, np.int64))
    matches = np.add.reduceat(np.where(verdict.may[groups.numbers], groups.rows, 0), groups.entries[:-1])
    chosen = Chosen(np.ones(groups.count, np.bool_), matches)
    if bounds.start_ns is not None:
        chosen.keep(groups.max_times_ns >= bounds.start_ns, "time")
    if bounds.end_ns is not None:
        chosen.keep(groups.min_times_ns < bounds.end_ns, "time")
    if INSIDE.intersection(bounds.identity):
        of_streams = _rows_of_streams(groups, bounds.identity, catalog)
        chosen.matches = np.minimum(matches, of_streams)
        chosen.keep(of_streams > 0, "stream")
    chosen.keep(matches > 0, "template")
    for alternatives in words:
        chosen.keep(_with_words(groups, alternatives, chosen.mask), "words")
    return chosen


def _rows_of_streams(groups: Groups, identity: Mapping[str, frozenset[str]], catalog: Catalog) -> Ints:
    """How many records of streams of this identity each group has."""
    ranges = catalog.rows_of(identity, [segment.id for segment, _ in groups.known])
    found = [_rows_in_groups(known.index.ends, ranges.get(segment.id, [])) for segment, known in groups.known]
    return joined(found)


def _rows_in_groups(ends: Ints, ranges: Sequence[tuple[int, int]]) -> Ints:
    """How many rows of these ranges (first row, rows) each of the groups that end there has."""
    if not ranges:
        return np.zeros(len(ends), np.int64)
    first, count = np.array(ranges, np.int64).T
    # Of each range the rows before each end, and so between two ends.
    before: Ints = np.clip(ends[:, None] - first, 0, count).sum(axis=1)
    return np.diff(before, prepend=0)


def _with_words(groups: Groups, alternatives: frozenset[str], mask: Flags) -> Flags:
    """Which groups may hold one of these words; those that are out already are not looked at."""
    left = np.flatnonzero(mask)
    found = np.zeros(groups.count, np.bool_)
    found[left] = _hold_one(groups.filters[left], groups.filter_bytes[left], groups.filter_versions[left], alternatives)
    return found


def decided(groups: Groups, verdict: Verdict) -> Flags:
    """Which groups' records are all decided by their templates."""
    if not groups.count:
        return np.zeros(0, np.bool_)
    is_open = (verdict.must != verdict.may)[groups.numbers]
    return ~np.logical_or.reduceat(is_open, groups.entries[:-1])


def rows_that_must(groups: Groups, verdict: Verdict, mask: Flags) -> dict[int, int]:
    """How many records of these groups the templates say yes to, by segment; of segments that have some."""
    if not mask.any():
        return {}
    of_group = np.add.reduceat(np.where(verdict.must[groups.numbers], groups.rows, 0), groups.entries[:-1])
    of_segment = np.add.reduceat(np.where(mask, of_group, 0), groups.starts[:-1])
    found = zip(groups.known, of_segment.tolist(), strict=True)
    return {segment.id: rows for (segment, _), rows in found if rows}


def pieces(groups: Groups, mask: Flags, matches: Ints) -> tuple[Piece, ...]:
    """What is left to read, and how many records of each group may match."""
    found = list(groups.pieces)
    if not mask.any():
        return tuple(found)
    starts = groups.starts.tolist()
    for at, (segment, known) in enumerate(groups.known):
        kept = mask[starts[at] : starts[at + 1]]
        if kept.any():
            left = None if kept.all() else tuple(np.flatnonzero(kept).tolist())
            found.append(Piece(segment, known, left, matches=matches[starts[at] : starts[at + 1]]))
    return tuple(found)
