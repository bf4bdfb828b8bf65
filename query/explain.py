"""What a query would read, and why it skips the rest."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow.parquet as pq

from logstore.catalog import Segment
from logstore.pruning import Bounds
from logstore.store import Store
from query import analyse
from query.execute import Request, bounds, compiled_for, row_limit, split_limit
from query.parser import parse
from query.plan import plan

MAX_FOOTERS: Final = 1_000
"""Files whose row groups are looked at."""


def explain(store: Store, request: Request) -> dict[str, object]:
    """The SQL, the segments, row groups and bytes that it reads at most, and what is skipped by reason.

    A newest-first query may stop earlier. `bytes` are those of the columns that the query needs.
    """
    query, own_rows = split_limit(parse(request.text, request.now_ns))
    compiled = compiled_for(query, request)
    limit, _ = row_limit(request, own_rows, compiled)
    compiled = compiled_for(query, request, limit)
    limits = bounds(query, request.start_ns, request.end_ns)
    columns = analyse.columns(query)
    with store.snapshot() as snapshot:
        planned = plan(snapshot.segments, snapshot.buffer, limits)
        groups = _Groups()
        for segment in planned.segments[:MAX_FOOTERS]:
            groups.add(segment, limits, columns)
    unread = planned.segments[MAX_FOOTERS:]
    return {
        "sql": compiled.sql,
        "params": compiled.params,
        "segments": {
            "all": len(snapshot.segments),
            "read": len(planned.segments),
            "skipped": dict(planned.skipped),
        },
        "row_groups": {"all": groups.all, "read": groups.read, "skipped": dict(groups.skipped)}
        | ({"segments_not_looked_at": len(unread)} if unread else {}),
        "bytes": groups.bytes + sum(segment.bytes for segment in unread),
        "buffered_records": planned.buffer.num_rows,
    }


@dataclass(slots=True)
class _Groups:
    """Row groups, as DuckDB skips them by the statistics in the files' footers."""

    all: int = 0
    read: int = 0
    bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, segment: Segment, limits: Bounds, columns: frozenset[str]) -> None:
        metadata = pq.read_metadata(segment.path)
        for index in range(metadata.num_row_groups):
            chunks = _chunks(metadata.row_group(index))
            self.all += 1
            reason = _reason(chunks, limits)
            if reason:
                self.skipped[reason] += 1
                continue
            self.read += 1
            self.bytes += sum(chunk.total_compressed_size for name, chunk in chunks.items() if name in columns)


def _chunks(group: Any) -> dict[str, Any]:
    chunks = (group.column(i) for i in range(group.num_columns))
    return {chunk.path_in_schema: chunk for chunk in chunks}


def _reason(chunks: dict[str, Any], limits: Bounds) -> str:
    time = chunks["time"].statistics
    if time is not None and time.has_min_max:
        # As raw integers: pyarrow's own conversion of nanoseconds needs pandas.
        if limits.start_ns is not None and time.max_raw < limits.start_ns:
            return "time"
        if limits.end_ns is not None and time.min_raw >= limits.end_ns:
            return "time"
    for column, allowed in limits.identity.items():
        found = chunks[column].statistics if column in chunks else None
        if found is not None and found.has_min_max and not any(found.min <= value <= found.max for value in allowed):
            return column
    return ""
