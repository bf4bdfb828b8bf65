"""The compiler's options, checked by running what it makes."""

from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstore.errors import InvalidQuery
from query import ast
from query.parser import parse
from query.sql import Column, Kind, Place, Window, compile  # noqa: A004
from tests.query import strategies
from tests.query.relation import answer, connect, table
from tests.query.test_hostile import RECORD
from tests.reference import evaluator

TIME = RECORD["time"]


def record(seq: int, after_s: int, **fields: Any) -> dict[str, Any]:
    return {**RECORD, "_seq": seq, "time": TIME + after_s * 10**9, **fields}


RECORDS = [record(1, 3), record(2, 1, pod="web-2"), record(3, 1), record(4, 2), record(5, 9)]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect()


def seqs(connection: duckdb.DuckDBPyConnection, text: str, **options: Any) -> list[Any]:
    return [row[0] for row in answer(connection, parse(text), RECORDS, **options).rows]


def test_the_order_is_total(connection: duckdb.DuckDBPyConnection) -> None:
    assert seqs(connection, "| fields _seq") == [5, 1, 4, 3, 2]
    assert seqs(connection, "| fields _seq", order="asc") == [2, 3, 4, 1, 5]


def test_a_window_is_half_open(connection: duckdb.DuckDBPyConnection) -> None:
    window = Window(TIME + 10**9, TIME + 3 * 10**9)
    assert seqs(connection, "| fields _seq", window=window) == [4, 3, 2]


def test_limits_meet(connection: duckdb.DuckDBPyConnection) -> None:
    assert seqs(connection, "| limit 4 | fields _seq", limit=2) == [5, 1]
    assert seqs(connection, "| limit 2 | fields _seq", limit=4) == [5, 1]
    assert seqs(connection, "| limit 3 | sort by _seq | fields _seq", limit=2) == [1, 4]


def test_sequence_bounds_hold_in_subqueries_as_documented(connection: duckdb.DuckDBPyConnection) -> None:
    inner = "pod in (pod=web-2 | fields pod) | fields _seq"
    assert seqs(connection, inner, after_seq=2) == []
    assert seqs(connection, inner, after_seq=1) == [2]
    assert seqs(connection, "_seq in (* | fields _seq) | fields _seq", up_to_seq=2) == [1, 2]
    assert seqs(connection, "_seq in (* | limit 1 | fields _seq) | fields _seq", up_to_seq=4) == [1]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.records(), strategies.filters, st.sampled_from(["asc", "desc"]), st.integers(1, 3))
def test_pages_make_up_the_whole_answer(
    connection: duckdb.DuckDBPyConnection, records: list[dict[str, Any]], filter_: ast.Filter, order: str, size: int
) -> None:
    query = ast.Query(filter_, (ast.Fields((ast.Name("_seq"), ast.Name("time"))),), strategies.NOW_NS)
    try:
        whole = answer(connection, query, records, order=order).rows
    except InvalidQuery:
        return
    pages: list[tuple[Any, ...]] = []
    place = None
    while page := answer(connection, query, records, order=order, after=place, limit=size).rows:
        pages += page
        place = Place(page[-1][1], page[-1][0])
    assert pages == whole


def test_places_come_last_and_are_not_columns(connection: duckdb.DuckDBPyConnection) -> None:
    compiled = compile(parse("| fields message"), with_place=True, limit=1)
    assert compiled.columns == (Column("message", Kind.TEXT),)
    connection.register("records", table(RECORDS))
    found = connection.execute(compiled.sql, compiled.params).to_arrow_table()
    assert found.column_names[1:] == ["place_time", "place_seq"]
    assert found.column(2).to_pylist() == [5]


def test_sequence_numbers_come_out_when_asked_for() -> None:
    def names(text: str) -> list[str]:
        return [column.name for column in compile(parse(text), with_seq=True).columns]

    assert names("error")[-1] == "_seq"
    assert names("| fields pod") == ["pod", "_seq"]
    assert names("| fields _seq, pod") == ["_seq", "pod"]
    assert names("| stats count()") == ["count"]


def test_named_fields_come_out_at_the_top_level() -> None:
    def names(text: str) -> tuple[str, ...]:
        return tuple(column.name for column in compile(parse(text)).columns)

    assert names("status=1") == evaluator.RECORD
    assert names("| where status = 1 | sort by user") == (*evaluator.RECORD, "status", "user")
    assert names("| extend x = a / b") == (*evaluator.RECORD, "a", "b", "x")
    assert names("| where pod = 1 and level = 2") == (*evaluator.RECORD, "level")


@pytest.mark.parametrize(
    ("text", "ordered", "rowwise", "own_limit"),
    [
        ("error", True, True, False),
        ("error | fields a", True, True, False),
        ("error | limit 5", True, True, True),
        ("error | limit 5 | where a = 1", True, False, True),
        ("error | uniq by a", True, False, False),
        ("error | sort by a", False, False, False),
        ("| stats count()", False, False, True),
        ("| top 5 a", False, False, True),
        ("| patterns", False, False, True),
    ],
)
def test_facts(text: str, ordered: bool, rowwise: bool, own_limit: bool) -> None:
    compiled = compile(parse(text))
    assert (compiled.ordered_by_time, compiled.is_rowwise, compiled.own_limit) == (ordered, rowwise, own_limit)


def test_dynamic_values_keep_their_types_or_come_as_text(connection: duckdb.DuckDBPyConnection) -> None:
    query = parse('a="5" | limit 1 | fields a, status, x')
    assert answer(connection, query, RECORDS).rows == [('"5"', "404", '{"y":[1,null]}')]
    assert answer(connection, query, RECORDS, dynamic="text").rows == [("5", "404", '{"y":[1,null]}')]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("| stats cuont()", 9, 'unknown function "cuont" at column 9; did you mean "count"?'),
        ("| where lowr(a) = 1", 9, 'unknown function "lowr" at column 9; did you mean "lower"?'),
        ('pod=~"[a"', 6, "no valid regular expression: missing ]"),
        ('| where a =~ "(?P<"', 14, "no valid regular expression"),
        ("time>=yesterday", 7, '"yesterday" is no time'),
        ("| stats count(), count()", 18, 'two columns are called "count"'),
        ("| where round(a, b) = 1", 18, "digits"),
        ("| where time + 1 > 2", 9, "a time is no number"),
        ("| stats sum(time)", 9, "a time is no number"),
        ("| stats sum()", 9, "needs a field"),
        ("| where if(a) = 1", 9, "does not take 1 arguments"),
        ("| where 5", 9, "a float is no condition"),
        ("x in (a | where b = 1)", 19, "columns"),
        ("| stats count() by bucket(5)", 27, "a bucket's size is a duration"),
    ],
)
def test_errors_say_what_and_where(text: str, column: int, message: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        compile(parse(text))
    assert message in str(caught.value)
    assert caught.value.position is not None
    assert caught.value.position.column == column


def test_text_of_times_has_nine_digits(connection: duckdb.DuckDBPyConnection) -> None:
    records = [record(1, 0, time=-1_500_000_001), record(2, 0, time=1_700_000_000_000_000_007)]
    found = answer(connection, parse("| extend t = text(time) | fields t"), records, order="asc")
    assert found.rows == [("1969-12-31T23:59:58.499999999Z",), ("2023-11-14T22:13:20.000000007Z",)]
