"""Which streams there are, and which rows of segments belong to those of an identity, by the catalog."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

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
    some_streams = sa.select(tables.streams.c.id).where(*named).limit(STREAMS_MAX + 1).subquery()
    streams = json.loads(connection.scalar(sa.select(_all_of(some_streams.c.id))) or "[]")
    if len(streams) > STREAMS_MAX:
        return {segment_id: [(0, ALL_ROWS)] for segment_id in segment_ids}
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    wanted = frozenset(segment_ids)
    ranges = tables.ranges.c
    # Ids grow with time: between the least and the greatest there are few others, whatever the streams' history.
    is_near = ranges.segment.between(min(wanted, default=0), max(wanted, default=0))
    for start in range(0, len(streams), _BATCH):
        some = ranges.stream.in_(streams[start : start + _BATCH])
        query = sa.select(_all_of(sa.func.json_array(ranges.segment, ranges.first_row, ranges.rows)))
        for segment_id, first_row, rows in json.loads(connection.scalar(query.where(some, is_near)) or "[]"):
            if segment_id in wanted:
                found[segment_id].append((first_row, rows))
    return found


def values_of(connection: sa.Connection, column: str, at_most: int) -> list[str]:
    """Different values that streams have of this column, so many of them at most."""
    some = sa.select(tables.streams.c[column]).distinct().limit(at_most).subquery()
    values: list[str] = json.loads(connection.scalar(sa.select(_all_of(some.c[column]))) or "[]")
    return values


def _all_of(value: "sa.ColumnElement[Any]") -> "sa.Function[str]":
    """All rows in one: SQLite lets go of the GIL for each row that it gives, and waits for it again."""
    return sa.func.json_group_array(value, type_=sa.Text)
