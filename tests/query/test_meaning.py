"""Compiled SQL against the reference evaluator, on random records and queries."""

import math
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from logstore.errors import InvalidQuery
from query import ast
from query.format import condition as format_condition
from query.format import format  # noqa: A004
from query.sql import compile, predicate  # noqa: A004
from tests.query import strategies
from tests.query.relation import answer, connect, table
from tests.query.test_hostile import RECORD
from tests.reference import evaluator

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect()


def same(left: Any, right: Any) -> bool:
    """Equal, of the same type; floats but for rounding, since sums depend on the order of their terms."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return type(left) is type(right) and left == right


def compiles(query: ast.Query) -> bool:
    try:
        compile(query)
    except InvalidQuery:
        return False
    return True


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(strategies.records(), strategies.queries, st.sampled_from(["asc", "desc"]))
def test_answers_are_the_reference_evaluators(
    connection: duckdb.DuckDBPyConnection, records: list[dict[str, Any]], query: ast.Query, order: str
) -> None:
    assume(compiles(query))
    expected = evaluator.answer(query, records, order)
    found = answer(connection, query, records, order=order)
    assert found.names == expected.names, format(query)
    assert len(found.rows) == len(expected.rows), format(query)
    for got, wanted in zip(found.rows, expected.rows, strict=True):
        assert all(map(same, got, wanted)), (format(query), got, wanted)


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(strategies.records(), strategies.filters)
def test_a_predicate_is_true_of_what_the_filter_keeps_and_never_null(
    connection: duckdb.DuckDBPyConnection, records: list[dict[str, Any]], filter_: ast.Filter
) -> None:
    query = ast.Query(filter_, (ast.Fields((ast.Name("_seq"),)),), strategies.NOW_NS)
    try:
        condition = predicate(filter_, strategies.NOW_NS)
    except InvalidQuery:
        return
    connection.register("records", table(records))
    found = connection.execute(f"SELECT _seq, {condition.text} FROM records ORDER BY _seq", condition.params).fetchall()
    kept = {row[0] for row in evaluator.answer(query, records).rows}
    assert found == [(seq, seq in kept) for seq in range(len(records))], format(query)


@settings(max_examples=600, deadline=None, suppress_health_check=SLOW)
@given(strategies.close_records(), strategies.close_conditions)
def test_tests_of_one_field(
    connection: duckdb.DuckDBPyConnection, records: list[dict[str, Any]], condition: ast.Expression
) -> None:
    query = ast.Query(ast.All(), (ast.Where(condition), ast.Fields((ast.Name("_seq"),))), strategies.NOW_NS)
    assert answer(connection, query, records).rows == evaluator.answer(query, records).rows, format_condition(condition)


@settings(max_examples=200, deadline=None)
@given(st.lists(strategies.word_message, min_size=20, max_size=20), strategies.word_text, st.booleans())
def test_phrases_stand_free(
    connection: duckdb.DuckDBPyConnection, messages: list[str], phrase: str, prefix: bool
) -> None:
    filter_ = ast.Phrase(ast.Name("message"), phrase, prefix)
    records = [{**RECORD, "message": message, "_seq": seq} for seq, message in enumerate(messages)]
    query = ast.Query(filter_, (ast.Fields((ast.Name("message"),)),), strategies.NOW_NS)
    assert answer(connection, query, records).rows == evaluator.answer(query, records).rows
