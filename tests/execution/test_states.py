"""Random records and queries against the reference evaluator, wherever the records are: in memory, in segments, both,
merged, reopened, and with each layout of directories. The engine reads what it wrote; the evaluator knows no SQL."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstore.enrich import whole
from logstore.errors import InvalidQuery
from logstore.record import SCHEMA
from logstore.settings import PARTITIONS, StoreSettings
from logstore.store import Store
from query import ast
from query.engine import Engine
from query.execute import run
from query.format import format  # noqa: A004
from query.parser import parse
from query.request import Request
from query.sql import Kind, compile  # noqa: A004
from query.walk import walk
from tests.query import strategies
from tests.reference import evaluator

CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


def batch(records: list[dict[str, Any]]) -> pa.RecordBatch:
    """As ingest decodes them: no attributes are null."""
    records = [
        {**record, "attributes": None if record["attributes"] == "{}" else record["attributes"]} for record in records
    ]
    columns = []
    for field in SCHEMA:
        values = [record[field.name] for record in records]
        plain = pa.int64() if field.name == "time" else pa.string()
        columns.append(pa.array(values, plain).cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def buffered(store: Store) -> list[dict[str, Any]]:
    """The records that are in memory, enriched."""
    with store.snapshot() as snapshot:
        records = whole(snapshot.buffer)
    times = records.set_column(0, "time", records["time"].cast(pa.int64()))
    return times.to_pylist()


def rows(store: Store, engine: Engine, query: ast.Query, order: Any) -> list[tuple[Any, ...]]:
    request = Request(format(query), limit=0, order=order, now_ns=query.now_ns)
    found: list[tuple[Any, ...]] = []
    with run(store, engine, request) as answer:
        for part in answer.batches():
            columns = [
                (part.column(i).cast(pa.int64()) if column.kind is Kind.TIME else part.column(i)).to_pylist()
                for i, column in enumerate(answer.columns)
            ]
            found += zip(*columns, strict=True)
    return found


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(left, str) and isinstance(right, str) and left.startswith("{") and right.startswith("{"):
        return plain(left) == plain(right)  # the order of an object's members is not kept
    return type(left) is type(right) and left == right


def plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def is_asked_alike(query: ast.Query) -> bool:
    """Whether the query is one, its text says the same as its tree, and it does not ask for the text of all attributes,
    whose order is not kept."""
    if any(isinstance(node, ast.Name) and node.name == "attributes" for node in walk(query)):
        return False
    try:
        compile(query)
        return parse(format(query), query.now_ns) == query
    except InvalidQuery:
        return False


@contextmanager
def opened(path: Path, partition_by: tuple[str, ...], row_group_rows: int) -> Iterator[tuple[Store, Engine]]:
    quiet = StoreSettings(
        partition_by=partition_by,
        row_group_rows=row_group_rows,
        compact_files=2,
        join_files=2,
        compact_interval_s=3_600,
        flush_age_s=3_600,
        column_rows=1,
    )
    with Store.open(path, quiet) as store:
        engine = Engine(path / "segments", path / "spill", secret=store.catalog.secret())
        yield store, engine
        engine.close()


@pytest.mark.parametrize(
    ("partition_by", "row_group_rows"),
    [*((partition_by, 8_192) for partition_by in PARTITIONS), (PARTITIONS[0], 2)],
    ids=["by-namespace", "by-container-hour", "joined"],
)
@settings(max_examples=8, deadline=None, suppress_health_check=CALM)
@given(
    first=strategies.records(12).filter(bool),
    second=strategies.records(12).filter(bool),
    asked=st.lists(strategies.queries.filter(is_asked_alike), min_size=4, max_size=6),
    order=st.sampled_from(["asc", "desc"]),
)
def test_answers_are_the_same_wherever_the_records_are(
    tmp_path_factory: pytest.TempPathFactory,
    partition_by: tuple[str, ...],
    row_group_rows: int,
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    asked: list[ast.Query],
    order: str,
) -> None:
    path = tmp_path_factory.mktemp("states") / "data"
    with opened(path, partition_by, row_group_rows) as (store, engine):
        store.append(batch(first)).result()
        expected_first = buffered(store)
        check(store, engine, asked, expected_first, order, "buffer")
        store.flush()
        check(store, engine, asked, expected_first, order, "segments")
        store.append(batch(second)).result()
        everything = expected_first + buffered(store)
        check(store, engine, asked, everything, order, "both")
        store.flush()
        store.compact()
        check(store, engine, asked, everything, order, "merged")
    with opened(path, partition_by, row_group_rows) as (store, engine):
        check(store, engine, asked, everything, order, "reopened")


def check(
    store: Store, engine: Engine, asked: list[ast.Query], records: list[dict[str, Any]], order: str, state: str
) -> None:
    for query in asked:
        wanted = evaluator.answer(query, records, order).rows
        found = rows(store, engine, query, order)
        assert len(found) == len(wanted), (state, format(query))
        for got, expected in zip(found, wanted, strict=True):
            assert all(map(same, got, expected)), (state, format(query), got, expected)
