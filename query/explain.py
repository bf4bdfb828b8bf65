"""What a query would read, and why it skips the rest; and what it cost, where it is run for that."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from logstore.pruning import Bounds
from logstore.segment import TEMPLATE, footer
from logstore.snapshot import Snapshot
from logstore.store import Store
from query import analyse
from query.ast import Query
from query.cost import Cost, Stage, Trial
from query.engine import Engine
from query.execute import by_streams, plan_of, run_parsed, with_lists
from query.groups import Piece
from query.merging import remembered_segments
from query.parser import parse
from query.reading import prepare
from query.remembered import key_of
from query.request import Request, compiled_for, row_limit, split_limit
from query.sql.relation import RECORD
from query.stages import catalog_skipped, stages
from query.view import View

MAX_FOOTERS: Final = 1_000
"""Files whose row groups are looked at."""
_NS_PER_MS: Final = 1_000_000


def explain(store: Store, engine: Engine, request: Request, *, analyze: bool = False) -> dict[str, object]:
    """The SQL, the segments, row groups and bytes that it reads at most, and what is skipped by reason and stage.

    A newest-first query may stop earlier. `bytes` are those of the columns that the query needs. Where `analyze`, the
    query is run too, under a query's limits, for what it really reads and how long it takes.

    Raises:
        InvalidQuery, InvalidInput: the query, or a parameter.
        Busy, QueryTimeout, QueryTooExpensive, QueryCancelled: of the query that is run.
    """
    cost = Cost(is_detailed=analyze)
    with cost.stage(Stage.PARSE):
        query, own_rows = split_limit(parse(request.text, request.now_ns))
    with store.snapshot() as snapshot:
        # First, so that it finds what is in memory as a query would.
        trial = _trial(store, engine, query, own_rows, request, Trial(snapshot, cost)) if analyze else None
        explained, is_remembered = _explained(store, engine, query, own_rows, request, snapshot)
    explained["remembered"] = is_remembered
    if trial is not None:
        explained["analyze"] = {**trial, "remembered": is_remembered}
    return explained


def _explained(
    store: Store, engine: Engine, query: Query, own_rows: int | None, request: Request, snapshot: Snapshot
) -> tuple[dict[str, object], bool]:
    """All that can be told without reading records but for queries in lists, and whether the answer is remembered."""
    first, limits, planned = plan_of(query, request, snapshot, Cost())
    limit, is_default = row_limit(request, own_rows, first)
    key = key_of(first, planned, snapshot.last_seq, limit, is_default, request.cursor)
    if analyse.has_subquery(query):
        query = with_lists(store, engine, query, request, Trial(snapshot, Cost()))
        _, limits, planned = plan_of(query, request, snapshot, Cost())
    asked = query
    query, limits, planned = by_streams(store, engine, asked, request, Trial(snapshot, Cost()), limits, planned)
    reading = prepare(store, engine, snapshot, query, planned, limits, Cost())
    compiled = compiled_for(reading.query, request, limit, stored=reading.stored)
    groups = _Groups(reading.view)
    files = reading.files
    for piece in files[:MAX_FOOTERS]:
        groups.add(piece, limits)
    unread = files[MAX_FOOTERS:]
    all_groups = groups.all + sum(reading.skipped.values())
    by_catalog = catalog_skipped(planned, reading)
    by_index = len(snapshot.segments) - sum(by_catalog.values()) - len(files)
    explained: dict[str, object] = {
        "sql": compiled.sql,
        "params": compiled.params,
        "segments": {
            "all": len(snapshot.segments),
            "read": len(files),
            "skipped": by_catalog | ({"index": by_index} if by_index else {}),
        },
        "row_groups": {
            "all": all_groups,
            "read": groups.read,
            "skipped": dict(groups.skipped + Counter(reading.skipped)),
        }
        | ({"segments_not_looked_at": len(unread)} if unread else {}),
        "bytes": groups.bytes + sum(piece.segment.bytes for piece in unread),
        "buffered_records": planned.buffer.num_rows,
    } | ({"counted_records": reading.counted} if reading.counted else {})
    known = remembered_segments(engine.parts, asked, planned, limits)
    if known:
        explained["remembered_segments"] = known
    found = stages(len(snapshot.segments), planned, reading, limits, all_groups, groups.skipped)
    explained["stages"] = [stage.told() for stage in found]
    return explained, engine.answers.holds(key)


def _trial(
    store: Store, engine: Engine, query: Query, own_rows: int | None, request: Request, trial: Trial
) -> dict[str, object]:
    """Runs the query, and tells what that cost."""
    began_ns = time.perf_counter_ns()
    with run_parsed(store, engine, query, own_rows, request, trial=trial) as answer:
        rows = sum(batch.num_rows for batch in answer.batches())
    cost = trial.cost
    took_ns = time.perf_counter_ns() - began_ns + cost.spent_ns[Stage.PARSE]
    cpu_ns = {Stage.SQL: cost.sql_cpu_ns}
    return {
        "rows": rows,
        "ms": _ms(took_ns),
        "stages": [
            {"stage": stage, "ms": _ms(spent_ns)} | ({"cpu_ms": _ms(cpu_ns[stage])} if stage in cpu_ns else {})
            for stage, spent_ns in cost.spent_ns.items()
        ],
        "slices": {
            "all": cost.slices,
            "read": cost.slices_read,
            "narrowed": cost.slices_narrowed,
            "direct": cost.slices_direct,
            "halved": cost.slices_halved,
        },
        "enlarged": cost.is_enlarged,
        "isolated": cost.is_isolated,
        "sparing": cost.is_sparing,
        "row_groups": cost.row_groups,
        "bytes": cost.bytes,
        "rows_scanned": cost.rows,
    }


def _ms(amount_ns: int) -> float:
    return round(amount_ns / _NS_PER_MS, 3)


@dataclass(slots=True)
class _Groups:
    """Row groups, as DuckDB skips them by the statistics in the files' footers."""

    view: View
    all: int = 0
    read: int = 0
    bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, piece: Piece, limits: Bounds) -> None:
        metadata = footer(piece.segment)
        columns = _columns(piece, self.view)
        for index in range(metadata.num_row_groups) if piece.groups is None else piece.groups:
            chunks = _chunks(metadata.row_group(index))
            self.all += 1
            reason = _reason(chunks, limits)
            if reason:
                self.skipped[reason] += 1
                continue
            self.read += 1
            self.bytes += sum(chunk.total_compressed_size for name, chunk in chunks.items() if name in columns)


def _columns(piece: Piece, view: View) -> set[str]:
    """The file's columns that are read for the view's."""
    stored = piece.segment.columns
    found = set(view.columns) | (stored.stored.keys() & set(view.attributes))
    if view.columns.issuperset(RECORD):
        found = found - {"attributes"} if stored.of_line else found | set(dict(stored.kinds))
    if view.leaves or view.has_templates:
        found.add(TEMPLATE)
    return found


def _chunks(group: Any) -> dict[str, Any]:
    chunks = (group.column(i) for i in range(group.num_columns))
    return {chunk.path_in_schema: chunk for chunk in chunks}


def _reason(chunks: Mapping[str, Any], limits: Bounds) -> str:
    times = chunks["time"].statistics
    if times is not None and times.has_min_max:
        # As raw integers: pyarrow's own conversion of nanoseconds needs pandas.
        if limits.start_ns is not None and times.max_raw < limits.start_ns:
            return "time"
        if limits.end_ns is not None and times.min_raw >= limits.end_ns:
            return "time"
    for column, allowed in limits.identity.items():
        found = chunks[column].statistics if column in chunks else None
        if found is not None and found.has_min_max and not any(found.min <= value <= found.max for value in allowed):
            return column
    return ""
