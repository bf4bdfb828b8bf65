"""Compaction: small segments of one partition and window become one, and segments of another layout are rewritten."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from logstore import segment as segments
from logstore.catalog import NewSegment, Segment

if TYPE_CHECKING:
    from logstore.store import Store


def plan(
    found: Sequence[Segment], root: Path, partition_by: tuple[str, ...], at_least: int, at_most_bytes: int
) -> list[tuple[Segment, ...]]:
    """Groups of segments that are each worth a merge; a group fits in `at_most_bytes` of memory."""
    groups: defaultdict[tuple[object, ...], list[Segment]] = defaultdict(list)
    stale: defaultdict[tuple[object, ...], list[Segment]] = defaultdict(list)
    for segment in found:
        if path_columns(segment.path, root) != _columns_of(partition_by):
            stale[(segment.cluster, segment.namespace, segment.window_ns)].append(segment)
        elif segment.plain_bytes * 2 <= at_most_bytes:
            groups[(segment.path.parent, segment.window_ns)].append(segment)
    worth = [part for group in groups.values() for part in _packed(group, at_most_bytes) if len(part) >= at_least]
    return worth + [part for group in stale.values() for part in _packed(group, at_most_bytes)]


def path_columns(path: Path, root: Path) -> tuple[str, ...]:
    """The columns that a segment's directories name, in order."""
    return tuple(part.partition("=")[0] for part in path.relative_to(root).parent.parts)


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


def merge(store: "Store", group: tuple[Segment, ...]) -> None:
    """Writes the records of a group as new segments and publishes them in its place, in one transaction."""
    records = pa.concat_tables([segments.read(segment) for segment in group])
    ordered, runs = segments.sort(records, store.settings.flush_files)
    received_ns = max(segment.received_ns for segment in group)
    new: list[NewSegment] = []
    for start, rows, window in runs:
        new += segments.write(ordered.slice(start, rows), window, received_ns, store.directory, store.layout)
    for segment in group:
        store.directory.keep_merged(segment.path)
    store.publish(added=store.catalog.replace(group, new), removed=group)
    store.metrics.add("compactions")
    store.metrics.add("compacted_segments", len(group))
    store.metrics.add("compacted_bytes", sum(segment.bytes for segment in group))
