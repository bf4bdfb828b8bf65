"""What is known of a query before it runs."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstore.errors import InvalidQuery
from logstore.record import COLUMNS, IDENTITY
from query import analyse, ast
from query.analyse import Bounds
from query.parser import parse
from query.sql import compile  # noqa: A004
from tests.query import strategies
from tests.reference import evaluator

S = 10**9
NOW_NS = 1_700_000_000 * S


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error", Bounds()),
        ('pod="a"', Bounds(identity={"pod": frozenset(["a"])})),
        ('"a" = pod', Bounds()),
        ("pod=5", Bounds(identity={"pod": frozenset(["5"])})),
        ('pod="a" (pod=b or pod in (a, c)) x', Bounds(identity={"pod": frozenset(["a"])})),
        ("namespace in (a, b) cluster=c", Bounds(identity={"namespace": frozenset("ab"), "cluster": frozenset("c")})),
        ('pod="a" or x', Bounds()),
        ("pod=a or namespace=b", Bounds()),
        ("not pod=a", Bounds()),
        ("pod!=a", Bounds()),
        ("time>=1700000000 time<1700000010", Bounds(NOW_NS, NOW_NS + 10 * S)),
        ("time>1700000000 time<=1700000010", Bounds(NOW_NS + 1, NOW_NS + 10 * S + 1)),
        ("time>=-5s", Bounds(NOW_NS - 5 * S)),
        ("time=1700000000", Bounds(NOW_NS, NOW_NS + 1)),
        ('* | where pod = "a" and 1700000000 < time', Bounds(NOW_NS + 1, None, {"pod": frozenset("a")})),
        ('* | limit 5 | where pod = "a"', Bounds()),
        ('* | extend pod = "b" | where pod = "a"', Bounds()),
    ],
)
def test_bounds(text: str, expected: Bounds) -> None:
    assert analyse.bounds(parse(text, NOW_NS)) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.records(), strategies.filters)
def test_every_record_that_a_filter_keeps_is_within_its_bounds(
    records: list[dict[str, Any]], filter_: ast.Filter
) -> None:
    query = ast.Query(filter_, (ast.Fields((ast.Name("_seq"),)),), strategies.NOW_NS)
    try:
        compile(query)
    except InvalidQuery:
        return
    bounds = analyse.bounds(query)
    kept = {row[0] for row in evaluator.answer(query, records).rows}
    for record in (record for record in records if record["_seq"] in kept):
        assert bounds.start_ns is None or record["time"] >= bounds.start_ns
        assert bounds.end_ns is None or record["time"] < bounds.end_ns
        assert all(record[column] in values for column, values in bounds.identity.items())


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.records(), strategies.queries, st.sampled_from([c for c in COLUMNS if c not in ("time", "_seq")]))
def test_columns_that_a_query_does_not_read_do_not_matter(
    records: list[dict[str, Any]], query: ast.Query, column: str
) -> None:
    try:
        compile(query)
    except InvalidQuery:
        return
    if column in analyse.columns(query):
        return
    blanked = [{**record, column: "" if column in IDENTITY else None} for record in records]
    if column in ("message", "stream", "severity"):
        blanked = [{**record, column: ""} for record in records]
    assert evaluator.answer(query, blanked) == evaluator.answer(query, records)


@pytest.mark.parametrize(
    ("text", "is_rowwise", "has_subquery"),
    [
        ("error", True, False),
        ("error | where a > 5 | extend b = a | fields b", True, False),
        ("error | limit 5", False, False),
        ("| stats count()", False, False),
        ("| sort by a", False, False),
        ("| uniq by a", False, False),
        ("| patterns", False, False),
        ("trace_id in (error | fields trace_id)", False, True),
        ("* | where trace_id in (error | fields trace_id)", False, True),
    ],
)
def test_kinds_of_queries(text: str, is_rowwise: bool, has_subquery: bool) -> None:
    assert analyse.is_rowwise(parse(text)) is is_rowwise
    assert analyse.has_subquery(parse(text)) is has_subquery


def test_columns() -> None:
    assert analyse.columns(parse("error | stats count() by pod")) == {"time", "_seq", "message", "pod"}
    assert analyse.columns(parse("level:warn | fields user")) == {"time", "_seq", "severity", "attributes", "labels"}
    assert analyse.columns(parse("attributes.a=1 | fields pod")) == {"time", "_seq", "attributes", "pod"}
    assert analyse.columns(parse("*")) == set(COLUMNS)
