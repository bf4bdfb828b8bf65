"""Quantiles of counted numbers against DuckDB's own of the same numbers written out."""

import math

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query import extension
from query.quantiles import quantiles

numbers = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(allow_nan=False),
    st.sampled_from([math.inf, -math.inf, 1e308, -1e308, 5e-324]),
)
counted = st.lists(st.tuples(numbers, st.integers(1, 9)), min_size=1, max_size=12)
shares = st.integers(0, 100).map(lambda percent: percent / 100)


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    extension.register(connection)
    return connection


def written_out(database: duckdb.DuckDBPyConnection, lists: list[list[tuple[float, int]]], share: float) -> list[float]:
    rows = [(group, number) for group, pairs in enumerate(lists) for number, n in pairs for _ in range(n)]
    groups, plain = zip(*rows, strict=True)
    table = pa.table({"g": pa.array(groups), "v": pa.array(plain, pa.float64())})
    database.register("written_out", table)
    text = f"SELECT quantile_cont(v, {share!r}) FROM written_out GROUP BY g ORDER BY g"
    return [value for (value,) in database.sql(text).fetchall()]


def equal(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@given(st.lists(counted, min_size=1, max_size=5), shares)
def test_quantiles_are_those_of_the_numbers_written_out(
    database: duckdb.DuckDBPyConnection, lists: list[list[tuple[float, int]]], share: float
) -> None:
    flat = [pair for pairs in lists for pair in pairs]
    offsets = np.cumsum([0, *map(len, lists)])
    found = quantiles(
        np.array([number for number, _ in flat]), np.array([n for _, n in flat], np.int64), offsets, share
    )
    wanted = written_out(database, lists, share)
    assert all(map(equal, found.tolist(), wanted)), (found, wanted)


def test_sql_has_them_by_group_where_some_groups_have_no_number(database: duckdb.DuckDBPyConnection) -> None:
    text = """
        SELECT g, quantile_of(list({number: v, n: n}) FILTER (WHERE v IS NOT NULL), 0.5) FROM (VALUES
        ('a', 1.0, 3), ('a', 9.0, 1), ('b', NULL, 5), ('c', 4.0, 1), ('c', 2.0, 1)) AS t(g, v, n)
        GROUP BY g ORDER BY g"""
    assert database.sql(text).fetchall() == [("a", 1.0), ("b", None), ("c", 3.0)]
    assert database.sql(f"SELECT * FROM ({text}) WHERE g = 'z'").fetchall() == []
