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
RANGES_MAX: Final = 100_000
"""Ranges of rows that are looked at; with more, likewise."""
_BATCH: Final = 500


def rows_of(
    connection: sa.Connection, identity: Mapping[str, Collection[str]], segment_ids: Sequence[int]
) -> dict[int, list[tuple[int, int]]]:
    """For each of the segments that has records of such streams, their (first row, rows); of those that the catalog has
    no more, though somebody still reads them, all rows."""
    named = [tables.streams.c[column].in_(values) for column, values in identity.items()]
    some_streams = sa.select(tables.streams.c.id).where(*named).limit(STREAMS_MAX + 1).subquery()
    streams = json.loads(connection.scalar(sa.select(_all_of(some_streams.c.id))) or "[]")
    if len(streams) > STREAMS_MAX:
        return _all_rows(segment_ids)
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    wanted = frozenset(segment_ids)
    ranges = tables.ranges.c
    # Ids grow with time: between the least and the greatest there are few others, whatever the streams' history.
    is_near = ranges.segment.between(min(wanted, default=0), max(wanted, default=0))
    left = RANGES_MAX
    for start in range(0, len(streams), _BATCH):
        some = ranges.stream.in_(streams[start : start + _BATCH])
        rows_of_some = sa.select(ranges.segment, ranges.first_row, ranges.rows).where(some, is_near).limit(left + 1)
        each = rows_of_some.subquery().c
        query = sa.select(_all_of(sa.func.json_array(each.segment, each.first_row, each.rows)))
        told = json.loads(connection.scalar(query) or "[]")
        left -= len(told)
        if left < 0:
            return _all_rows(segment_ids)
        for segment_id, first_row, rows in told:
            if segment_id in wanted:
                found[segment_id].append((first_row, rows))
    return found | _all_rows(removed(connection, segment_ids))


def _all_rows(segment_ids: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    return {segment_id: [(0, ALL_ROWS)] for segment_id in segment_ids}


def removed(connection: sa.Connection, segment_ids: Sequence[int]) -> list[int]:
    """Those that the catalog has no more. Ids are not given twice, so that what was read before this of all others was
    read of what they have."""
    asked = sa.func.json_each(json.dumps([int(one) for one in segment_ids])).table_valued("value")
    is_gone = asked.c.value.not_in(sa.select(tables.segments.c.id))
    gone: list[int] = json.loads(connection.scalar(sa.select(_all_of(asked.c.value)).where(is_gone)) or "[]")
    return gone


def values_of(connection: sa.Connection, column: str, at_most: int, segment_ids: Sequence[int]) -> list[str] | None:
    """Different values of this column that streams have, so many of them at most; None where one of these segments is
    gone, whose streams may be, too."""
    some = sa.select(tables.streams.c[column]).distinct().limit(at_most).subquery()
    values: list[str] = json.loads(connection.scalar(sa.select(_all_of(some.c[column]))) or "[]")
    return None if removed(connection, segment_ids) else values


def _all_of(value: "sa.ColumnElement[Any]") -> "sa.Function[str]":
    """All rows in one: SQLite lets go of the GIL for each row that it gives, and waits for it again."""
    return sa.func.json_group_array(value, type_=sa.Text)
