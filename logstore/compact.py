"""Compaction: segments of one partition and window become one.

Those that have whole row groups are *joined*: their row groups follow each other in one file, as they are, which costs
little more than copying it. Short ones, and those of another layout, are *rewritten*: their records are sorted into new
row groups.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore import segment as segments
from logstore.catalog import NewSegment, Segment
from logstore.columns import COLUMNS_MAX, merged
from logstore.gather import Rows
from logstore.listing import Listing
from logstore.order import runs
from logstore.segment_writer import GROUP_BYTES, SegmentWriter
from logstore.settings import StoreSettings

JOINED_COLUMNS_MAX: Final = 4 * COLUMNS_MAX
"""Attribute columns of a segment that was joined."""
DOMINANT: Final = 2
"""A segment of so many times the size of all others together is not copied for their sake."""

Group = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Merges:
    """Groups of segments that are each worth one."""

    rewritten: list[Group]
    """Each fits in `compact_bytes` of memory."""
    joined: list[Group]
    """In the order of their times."""


def plan(found: Listing, settings: StoreSettings, now_ns: int) -> Merges:
    """What is worth a merge: enough segments, or two whose last record was accepted some time ago."""
    columns = _columns_of(settings.partition_by)
    is_stale = (found.format < segments.FORMAT_VERSION) | _is_laid_out_otherwise(found, columns)
    is_short = (found.rows < settings.row_group_rows // 2) & (found.plain_bytes < GROUP_BYTES // 2) & ~is_stale
    is_joinable = (found.bytes * 2 <= settings.join_bytes) & ~is_short & ~is_stale
    settled_before_ns = now_ns - int(settings.compact_settle_s * 1e9)
    short = _groups(found.take(is_short & _has_neighbour(found, is_short)))
    long = _groups(found.take(is_joinable & _has_neighbour(found, is_joinable)))
    stale: defaultdict[tuple[str, str, int], list[Segment]] = defaultdict(list)
    for segment in found.take(is_stale):
        stale[segment.cluster, segment.namespace, segment.window_ns].append(segment)
    rewritten = [part for group in short.values() for part in _packed(group, settings.compact_bytes)]
    joined = [_alike(part) for group in long.values() for part in _packed_to_join(group, settings.join_bytes)]
    return Merges(
        [part for part in rewritten if _is_enough(part, settings.compact_files, settled_before_ns)]
        + [part for group in stale.values() for part in _packed(group, settings.compact_bytes)],
        [part for part in joined if _is_enough(part, settings.join_files, settled_before_ns)],
    )


def _is_laid_out_otherwise(found: Listing, columns: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    is_otherwise = [_path_columns(directory) != columns for directory in found.directories.values]
    return np.array(is_otherwise, np.bool_)[found.directory]


def _has_neighbour(found: Listing, is_small: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which of the small segments are not the only small one of their directory and window."""
    at = np.flatnonzero(is_small)
    at = at[np.lexsort((found.window_ns[at], found.directory[at]))]
    is_like_next = (np.diff(found.window_ns[at]) == 0) & (np.diff(found.directory[at]) == 0)
    has_neighbour = np.zeros(len(found), np.bool_)
    has_neighbour[at[:-1][is_like_next]] = True
    has_neighbour[at[1:][is_like_next]] = True
    return has_neighbour


def _groups(found: Listing) -> dict[tuple[Path, int], list[Segment]]:
    groups: defaultdict[tuple[Path, int], list[Segment]] = defaultdict(list)
    for segment in found:
        groups[segment.path.parent, segment.window_ns].append(segment)
    return groups


def _is_enough(part: Sequence[Segment], at_least: int, settled_before_ns: int) -> bool:
    is_settled = all(segment.received_ns < settled_before_ns for segment in part)
    return len(part) >= (2 if is_settled else at_least)


def _path_columns(directory: str) -> tuple[str, ...]:
    """The columns that a segment's directories name, in order."""
    return tuple(part.partition("=")[0] for part in directory.split("/"))


def _columns_of(partition_by: tuple[str, ...]) -> tuple[str, ...]:
    identity = tuple(column for column in partition_by if column != "hour")
    return (*identity, "date", *(("hour",) if "hour" in partition_by else ()))


def _packed(group: list[Segment], at_most_bytes: int) -> list[tuple[Segment, ...]]:
    packed: list[tuple[Segment, ...]] = []
    part: list[Segment] = []
    for segment in sorted(group, key=lambda found: found.plain_bytes):
        if part and sum(found.plain_bytes for found in part) + segment.plain_bytes > at_most_bytes:
            packed.append(tuple(part))
            part = []
        part.append(segment)
    return [*packed, tuple(part)]


def _packed_to_join(group: list[Segment], at_most_bytes: int) -> list[list[Segment]]:
    """Parts of the group, from the smallest segment on, of as many bytes and columns as one segment may have."""
    packed: list[list[Segment]] = [[]]
    for segment in sorted(group, key=lambda found: found.bytes):
        part = [*packed[-1], segment]
        is_too_large = sum(found.bytes for found in part) > at_most_bytes
        if is_too_large or len(merged([found.columns for found in part]).stored) > JOINED_COLUMNS_MAX:
            packed.append([segment])
        else:
            packed[-1] = part
    return packed


def _alike(part: list[Segment]) -> Group:
    """Without the largest, as long as it has most of the bytes: so a record is copied a few times only."""
    while len(part) > 1 and part[-1].bytes > DOMINANT * sum(segment.bytes for segment in part[:-1]):
        part = part[:-1]
    return tuple(sorted(part, key=lambda segment: (segment.min_time_ns, segment.min_seq)))


def rewrite(group: Sequence[Segment], writer: SegmentWriter, max_windows: int) -> list[NewSegment]:
    """The records of a group, written as new segments that are not published yet."""
    columns = merged([segment.columns for segment in group])
    received_ns = max(segment.received_ns for segment in group)
    slice_rows = writer.layout.row_group_rows
    if len(columns.stored) > COLUMNS_MAX or any(segment.format < segments.FORMAT_VERSION for segment in group):
        whole = pa.concat_tables([segments.read(segment) for segment in group])
        rows = Rows(whole)
        return [
            new
            for run in runs(whole, rows.words, max_windows, slice_rows)
            for new in writer.write(rows.take(run.rows), run.window_ns, received_ns)
        ]
    records = segments.concat([segments.read_columns(segment) for segment in group], columns)
    rows = Rows(records)
    return [
        new
        for run in runs(records, rows.words, max_windows, slice_rows)
        for new in writer.write_merged(rows.take(run.rows), columns, run.window_ns, received_ns)
    ]
