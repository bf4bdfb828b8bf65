"""Records as the relation that compiled SQL reads, and its answers as plain values."""

from typing import Any

import duckdb
import pyarrow as pa

from logstore.record import STORED
from query import extension
from query.ast import Query
from query.sql import Kind, compile  # noqa: A004
from tests.reference.evaluator import Answer


def connect() -> duckdb.DuckDBPyConnection:
    """A database that compiled SQL runs in."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    extension.register(connection)
    return connection


def table(records: list[dict[str, Any]]) -> pa.Table:
    """Records (dicts by column, `time` in ns) as an Arrow table of the stored schema."""
    columns = {}
    for field in STORED:
        values = [record[field.name] for record in records]
        if field.name == "time":
            columns["time"] = pa.array(values, pa.int64()).cast(pa.timestamp("ns"))
        else:
            columns[field.name] = pa.array(values, pa.int64() if field.name == "_seq" else pa.string())
    return pa.table(columns)


def answer(
    connection: duckdb.DuckDBPyConnection, query: Query, records: list[dict[str, Any]], **options: Any
) -> Answer:
    """What the compiled query answers over these records; times as ns."""
    compiled = compile(query, **options)
    connection.register("records", table(records))
    try:
        found = connection.sql(compiled.sql, params=compiled.params).to_arrow_table()
    finally:
        connection.unregister("records")
    assert len(found.column_names) == len(compiled.columns)
    lists = []
    for index, column in enumerate(compiled.columns):
        values = found.column(index)
        if column.kind is Kind.TIME:
            assert pa.types.is_timestamp(values.type), values.type
            assert values.type.unit == "ns", values.type
            values = values.cast(pa.int64())
        lists.append(values.to_pylist())
    rows = list(zip(*lists, strict=True)) if lists else []
    return Answer(tuple(column.name for column in compiled.columns), rows)
