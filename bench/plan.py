"""Plan: what a question costs before a file is opened, in a store of many segments.

The catalog is made up: hours of 139 namespaces, one segment each, with rows of eight pods that live for a day; its
files are there and empty, and memory for indexes has room for the newest one's only, so that none is loaded meanwhile.
The store is opened, and the process's memory set up, as by a server. A question's time is that from its parsed text to
the segments that the catalog leaves, as objects to read from: snapshot, pruning, the key that its answer is remembered
by, and, by question, the rows of its pod, the first slice of time, or what the catalog counts. Nothing here reads a
segment or an index. Times are the median and the longest of ten times `--repeats`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from bench.measure import memory_bytes, table, timed
from logstore import compact, index, tables
from logstore.attributes import Kind
from logstore.catalog import Catalog
from logstore.columns import AttributeColumns
from logstore.files import DataDirectory, partition_directory
from logstore.record import STORED
from logstore.segment import FORMAT_VERSION
from logstore.settings import StoreSettings
from logstore.store import Store
from query.cost import Cost
from query.engine import Engine
from query.groups import INSIDE
from query.histogram import time_range
from query.parser import parse
from query.plan import plan
from query.reading import is_count, prepare
from query.remembered import key_of
from query.request import Request, bounds, compiled_for, split_limit
from query.slices import slices
from server import memory

NAMESPACES: Final = 139
PODS: Final = 8
ROWS: Final = 8_192
HOUR_NS: Final = 3_600_000_000_000
START_NS: Final = 1_767_225_600_000_000_000
FIGURE: Final = "< 50"
_NEVER_S: Final = 1e9
_PIECE: Final = 50_000


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    q: str
    hours: tuple[int, int] | None = None
    """Of the last hours: from, to."""


CASES: Final = (
    Case("all of one namespace", 'namespace="ns-007"'),
    Case("one hour, all namespaces", "*", (2, 1)),
    Case("one pod, one hour", 'pod="pod-007-3-of-day-{day}"', (2, 1)),
    Case("a trace id, 6 hours", "4bf92f3577b34da6a3ce929d0e0e4736", (8, 2)),
    Case("newest 100 of everything", "* | limit 100"),
    Case("everything counted", "* | stats count()"),
)


def run(options: argparse.Namespace) -> str:
    memory.settle()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        path = Path(directory) / "data"
        make(path, options.segments)
        before_bytes, start_s = memory_bytes(), time.perf_counter()
        settings = StoreSettings(compact_interval_s=_NEVER_S, index_cache_bytes=1)
        with Store.open(path, settings) as store:
            opened_s = time.perf_counter() - start_s
            held_bytes = memory_bytes() - before_bytes
            engine = Engine(store.directory.segments, Path(directory) / "spill")
            memory.freeze()
            hours = -(-options.segments // NAMESPACES)
            asked = [_ask(store, engine, case, hours, options.repeats * 10) for case in CASES]
            kept = [
                ["opening the store", opened_s * 1000],
                ["memory, bytes a segment", held_bytes / options.segments],
                *([name, _median_ms(call, options.repeats)] for name, call in _upkeep(store)),
            ]
            engine.close()
            memory.thaw()
    return "\n\n".join(
        [
            f"{options.segments:,} segments.",
            table(["question", "segments left", "ms", "ms, longest", "to reach"], asked),
            table(["upkeep", "ms"], kept),
        ]
    )


def make(path: Path, count: int) -> None:
    """A data directory with a catalog of so many segments, the newest last, whose files are empty."""
    directory = DataDirectory(path)
    directory.prepare()
    catalog = Catalog(directory.catalog, directory.segments)
    secret = catalog.secret()
    catalog.close()
    engine = sa.create_engine(f"sqlite:///{directory.catalog}")
    with engine.begin() as connection:
        rows = _segment_rows(count)
        while some := list(islice(rows, _PIECE)):
            connection.execute(tables.segments.insert(), some)
            for row in some:
                file = directory.segments / row["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            newest = max(some, key=lambda row: row["max_time_ns"])
        directory.write_index(directory.segments / newest["path"], _an_index(secret))
        days = count // NAMESPACES // 24 + 1
        connection.execute(tables.streams.insert(), list(_stream_rows(days)))
        ranges = _range_rows(count)
        while some := list(islice(ranges, _PIECE)):
            connection.execute(tables.ranges.insert(), some)
    engine.dispose()


def _an_index(secret: bytes) -> bytes:
    record = dict.fromkeys(STORED.names, "") | {"time": START_NS, "_seq": 0}
    table = pa.Table.from_pylist([record], schema=STORED)
    return index.build(table, np.array([1]), secret)[1]


def _segment_rows(count: int) -> Iterator[dict[str, Any]]:
    columns = [AttributeColumns(((f"key_{i}", Kind.TEXT), ("status", Kind.INTEGER))).to_json() for i in range(20)]
    for i in range(count):
        hour, namespace = divmod(i, NAMESPACES)
        window_ns = START_NS + hour * HOUR_NS
        name = f"ns-{namespace:03d}"
        date = time.strftime("%Y-%m-%d", time.gmtime(window_ns // 10**9))
        parent = partition_directory((("cluster", "prod"), ("namespace", name), ("date", date)))
        yield {
            "id": i + 1,
            "path": (parent / f"{i * ROWS:016x}-{i * ROWS + ROWS - 1:016x}-{i:08x}.parquet").as_posix(),
            "cluster": "prod",
            "namespace": name,
            "window_ns": window_ns,
            "min_time_ns": window_ns + namespace,
            "max_time_ns": window_ns + HOUR_NS - 1 - namespace,
            "min_seq": i * ROWS,
            "max_seq": i * ROWS + ROWS - 1,
            "rows": ROWS,
            "bytes": 400_000 + i % 1000,
            "plain_bytes": 2_000_000 + i % 1000,
            "received_ns": window_ns + HOUR_NS,
            "format": FORMAT_VERSION,
            "columns": columns[i % len(columns)],
        }


def _stream_rows(days: int) -> Iterator[dict[str, Any]]:
    for day in range(days):
        for namespace in range(NAMESPACES):
            for pod in range(PODS):
                yield {
                    "id": (day * NAMESPACES + namespace) * PODS + pod + 1,
                    "cluster": "prod",
                    "namespace": f"ns-{namespace:03d}",
                    "pod": f"pod-{namespace:03d}-{pod}-of-day-{day}",
                    "container": "main",
                    "labels": f'{{"app":"app-{namespace:03d}","team":"team-{namespace % 10}"}}',
                }


def _range_rows(count: int) -> Iterator[dict[str, Any]]:
    for i in range(count):
        hour, namespace = divmod(i, NAMESPACES)
        window_ns = START_NS + hour * HOUR_NS
        for pod in range(PODS):
            yield {
                "segment": i + 1,
                "first_row": pod * ROWS // PODS,
                "stream": (hour // 24 * NAMESPACES + namespace) * PODS + pod + 1,
                "rows": ROWS // PODS,
                "min_time_ns": window_ns,
                "max_time_ns": window_ns + HOUR_NS - 1,
            }


def _ask(store: Store, engine: Engine, case: Case, hours: int, repeats: int) -> Sequence[object]:
    first, last = case.hours or (hours, 0)
    between = (
        (START_NS + (hours - first) * HOUR_NS, START_NS + (hours - last) * HOUR_NS) if case.hours else (None, None)
    )
    request = Request(case.q.format(day=(hours - first) // 24), *between)
    query, _ = split_limit(parse(request.text, request.now_ns))
    compiled = compiled_for(query, request)
    times_ms: list[float] = []
    left = 0
    for _ in range(repeats):
        start_s = time.perf_counter()
        with store.snapshot() as snapshot:
            limits = bounds(query, request.start_ns, request.end_ns)
            planned = plan(snapshot.segments, snapshot.buffer, limits)
            key_of(compiled, planned, snapshot.last_seq)
            inside = {column: values for column, values in limits.identity.items() if column in INSIDE}
            if is_count(query):
                left = len(prepare(store, engine, snapshot, query, planned, limits, Cost()).pieces)
            elif case.hours is None and not limits.identity:
                left = len(next(slices(planned.pieces, planned.buffer, "desc", is_bounded=True)).pieces)
            else:
                ids = [piece.segment.id for piece in planned.pieces]
                left = len(store.catalog.rows_of(limits.identity, ids) if inside else ids)
        times_ms.append((time.perf_counter() - start_s) * 1000)
    return [case.name, left, statistics.median(times_ms), max(times_ms), FIGURE]


def _median_ms(call: Callable[[], object], repeats: int) -> float:
    return timed(call, repeats)[1].median_ms


def _upkeep(store: Store) -> Iterator[tuple[str, Callable[[], object]]]:
    settings = store.settings
    with store.snapshot() as snapshot:
        found = snapshot.segments
        newest = found[-1]
    yield "a flush's segment comes", lambda: store._live.change([newest], ())
    yield "a segment goes", lambda: store._live.change((), [newest])
    yield (
        "what to merge",
        lambda: compact.plan(found, settings, time.time_ns()),
    )
    yield "what to remove", store.retain
    request = Request("*")
    yield "a histogram's range", lambda: time_range(store, parse(request.text, request.now_ns), request)
    yield "`/api/v1/streams`", store.streams
