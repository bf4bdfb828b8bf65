"""Compaction: small segments of one partition and window become one, and segments of another layout are rewritten."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore import segment as segments
from logstore.catalog import NewSegment, Segment
from logstore.columns import COLUMNS_MAX, merged
from logstore.gather import Rows
from logstore.listing import Listing
from logstore.order import runs
from logstore.segment_writer import SegmentWriter


def plan(
    found: Listing,
    partition_by: tuple[str, ...],
    at_least: int,
    at_most_bytes: int,
    settled_before_ns: int,
) -> list[tuple[Segment, ...]]:
    """Groups of segments that are each worth a merge; a group fits in `at_most_bytes` of memory.

    A group is of `at_least` segments, or of two whose last record was accepted before `settled_before_ns`.
    """
    is_stale = (found.format < segments.FORMAT_VERSION) | _is_laid_out_otherwise(found, _columns_of(partition_by))
    is_small = ~is_stale & (found.plain_bytes * 2 <= at_most_bytes)
    groups = _groups(found.take(is_small & _has_neighbour(found, is_small)))
    worth = [
        part
        for group in groups.values()
        for part in _packed(group, at_most_bytes)
        if _is_enough(part, at_least, settled_before_ns)
    ]
    stale: defaultdict[tuple[str, str, int], list[Segment]] = defaultdict(list)
    for segment in found.take(is_stale):
        stale[segment.cluster, segment.namespace, segment.window_ns].append(segment)
    return worth + [part for group in stale.values() for part in _packed(group, at_most_bytes)]


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


def merge(group: Sequence[Segment], writer: SegmentWriter, max_windows: int) -> list[NewSegment]:
    """The records of a group, written as new segments that are not published yet."""
    columns = merged([segment.columns for segment in group])
    received_ns = max(segment.received_ns for segment in group)
    slice_rows = writer.layout.row_group_rows
    if len(columns.kinds) > COLUMNS_MAX or any(segment.format < segments.FORMAT_VERSION for segment in group):
        whole = pa.concat_tables([segments.read(segment) for segment in group])
        rows = Rows(whole)
        return [
            new
            for run in runs(whole, max_windows, slice_rows)
            for new in writer.write(rows.take(run.rows), run.window_ns, received_ns)
        ]
    records = segments.concat([segments.read_columns(segment) for segment in group], columns)
    rows = Rows(records)
    return [
        new
        for run in runs(records, max_windows, slice_rows)
        for new in writer.write_merged(rows.take(run.rows), columns, run.window_ns, received_ns)
    ]
