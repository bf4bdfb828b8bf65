"""Which rows of segments belong to streams of an identity, by the catalog."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from logstore import tables

STREAMS_MAX: Final = 2_000
"""Streams whose rows are looked up; with more, all rows of a segment may be theirs."""
ALL_ROWS: Final = 1 << 40
_BATCH: Final = 500


def rows_of(
    connection: sa.Connection, identity: Mapping[str, Collection[str]], segment_ids: Sequence[int]
) -> dict[int, list[tuple[int, int]]]:
    """For each of the segments that has records of such streams, their (first row, rows)."""
    named = [tables.streams.c[column].in_(values) for column, values in identity.items()]
    streams = list(connection.scalars(sa.select(tables.streams.c.id).where(*named).limit(STREAMS_MAX + 1)))
    if len(streams) > STREAMS_MAX:
        return {segment_id: [(0, ALL_ROWS)] for segment_id in segment_ids}
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    wanted = frozenset(segment_ids)
    ranges = tables.ranges.c
    # Ids grow with time: between the least and the greatest there are few others, whatever the streams' history.
    is_near = ranges.segment.between(min(wanted, default=0), max(wanted, default=0))
    for start in range(0, len(streams), _BATCH):
        some = ranges.stream.in_(streams[start : start + _BATCH])
        query = sa.select(ranges.segment, ranges.first_row, ranges.rows).where(some, is_near)
        for segment_id, first_row, rows in connection.execute(query):
            if segment_id in wanted:
                found[segment_id].append((first_row, rows))
    return found
