"""What a query would read, and why it skips the rest."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow.parquet as pq

from logstore.pruning import Bounds
from logstore.store import Store
from query.engine import Engine
from query.execute import Request, bounds, compiled_for, row_limit, split_limit
from query.groups import Piece
from query.parser import parse
from query.plan import plan
from query.reading import prepare

MAX_FOOTERS: Final = 1_000
"""Files whose row groups are looked at."""


def explain(store: Store, engine: Engine, request: Request) -> dict[str, object]:
    """The SQL, the segments, row groups and bytes that it reads at most, and what is skipped by reason.

    A newest-first query may stop earlier. `bytes` are those of the columns that the query needs.
    """
    query, own_rows = split_limit(parse(request.text, request.now_ns))
    first = compiled_for(query, request)
    limit, _ = row_limit(request, own_rows, first)
    limits = bounds(query, request.start_ns, request.end_ns)
    with store.snapshot() as snapshot:
        planned = plan(snapshot.segments, snapshot.buffer, limits)
        reading = prepare(store, engine, snapshot, query, planned, limits)
        compiled = compiled_for(reading.query, request, limit, stored=reading.stored)
        groups = _Groups(reading.view.columns)
        for piece in reading.pieces[:MAX_FOOTERS]:
            groups.add(piece, limits)
    groups.skip(reading.skipped)
    unread = reading.pieces[MAX_FOOTERS:]
    return {
        "sql": compiled.sql,
        "params": compiled.params,
        "segments": {
            "all": len(snapshot.segments),
            "read": len(reading.pieces),
            "skipped": _with(planned.skipped, "index", len(planned.pieces) - len(reading.pieces)),
        },
        "row_groups": {"all": groups.all, "read": groups.read, "skipped": dict(groups.skipped)}
        | ({"segments_not_looked_at": len(unread)} if unread else {}),
        "bytes": groups.bytes + sum(piece.segment.bytes for piece in unread),
        "buffered_records": planned.buffer.num_rows,
    } | ({"counted_records": reading.counted} if reading.counted else {})


@dataclass(slots=True)
class _Groups:
    """Row groups, as DuckDB skips them by the statistics in the files' footers."""

    columns: frozenset[str]
    all: int = 0
    read: int = 0
    bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, piece: Piece, limits: Bounds) -> None:
        metadata = pq.read_metadata(piece.segment.path)
        for index in range(metadata.num_row_groups) if piece.groups is None else piece.groups:
            chunks = _chunks(metadata.row_group(index))
            self.all += 1
            reason = _reason(chunks, limits)
            if reason:
                self.skipped[reason] += 1
                continue
            self.read += 1
            self.bytes += sum(chunk.total_compressed_size for name, chunk in chunks.items() if name in self.columns)

    def skip(self, skipped: Mapping[str, int]) -> None:
        """Notes the groups that the index left out."""
        self.skipped.update(skipped)
        self.all += sum(skipped.values())


def _with(skipped: Mapping[str, int], reason: str, count: int) -> dict[str, int]:
    return {**skipped, **({reason: count} if count else {})}


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
