"""No text, however odd, does more than raise InvalidQuery or run."""

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from logstore.errors import InvalidQuery
from query import analyse
from query.parser import parse
from query.sql import compile  # noqa: A004
from tests.query.relation import connect, table

PIECES = (
    *(
        "a",
        "message",
        "time",
        "_seq",
        "status",
        "attributes.x",
        "labels",
        '"x y"',
        "`r`",
        "*",
        "web-1",
        "conn*",
        '"p"*',
    ),
    *(":", "=", "==", "!=", "=~", "!~", "*=", "^=", "$=", "<", "<=", ">", ">=", "(", ")", ",", "|", "-", "+", "/", "%"),
    *(
        "and",
        "or",
        "not",
        "in",
        "by",
        "as",
        "desc",
        "asc",
        "true",
        "null",
        "where",
        "fields",
        "extend",
        "stats",
        "sort",
    ),
    *(
        "limit",
        "top",
        "uniq",
        "patterns",
        "count()",
        "p99(a)",
        "min(time)",
        "sum(status)",
        "bucket(5m)",
        "bucket(9999w)",
        "lower(a)",
    ),
    *(
        "if(a = 1, b)",
        "round(a, 3)",
        "coalesce(a, 5)",
        "epoch(time)",
        "5",
        "-5",
        "0",
        "1e999",
        "9" * 400,
        "250ms",
        "10MB",
    ),
    *(
        "99999999999999999w",
        '"[a"',
        '"(?i)x"',
        "now",
        "-15m",
        '"2026-01-01"',
        "\n",
        "\x00",
        '"\\x00"',
        "\ud800",
        "'",
        ";",
    ),
)
RECORD = {
    "time": 1_700_000_000_000_000_000,
    "cluster": "c",
    "namespace": "n",
    "pod": "web-1",
    "container": "",
    "stream": "stdout",
    "severity": "info",
    "message": 'a web-1 {"x": 1}',
    "labels": '{"app":"x"}',
    "trace_id": None,
    "span_id": None,
    "attributes": '{"a":"5","status":404,"x":{"y":[1,null]},"big":1e999}',
    "_seq": 7,
}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connected = connect()
    connected.register("records", table([RECORD]))
    return connected


def run(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    try:
        query = parse(text)
        compiled = compile(query, limit=5)
        analyse.bounds(query)
        analyse.columns(query)
    except InvalidQuery as error:
        assert str(error)
        return
    connection.execute(compiled.sql, compiled.params).fetchall()


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join))
def test_any_row_of_tokens(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    run(connection, text)


FUNCTIONS = ("lower", "length", "abs", "round", "floor", "number", "exists", "not ", "-")
QUERIES = ("* | where {}", "* | extend n = {} | sort by n", "* | stats max({}) as n, count({}) as m")
EXPRESSIONS = st.recursive(
    st.sampled_from(
        ["a", "time", "_seq", "message", "attributes", "5", "1e308", "0", '"t"', "250ms", "true", "null", "x.y"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "*", "/", "%", "=", "<", "and", "or", "!="]), inner).map(" ".join),
        st.tuples(
            st.sampled_from(["lower", "length", "abs", "round", "floor", "number", "exists", "not ", "-"]), inner
        ).map(lambda made: f"{made[0]}({made[1]})"),
        st.tuples(inner, inner, inner).map(lambda made: f"if({', '.join(made)})"),
        st.tuples(inner, inner).map(lambda made: f"coalesce({', '.join(made)})"),
        inner.map(lambda made: f"({made})"),
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS, st.sampled_from(QUERIES))
def test_any_expression(connection: duckdb.DuckDBPyConnection, expression: str, query: str) -> None:
    run(connection, query.replace("{}", expression))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
@example("\ud800")
@example("a" * 65_536)
def test_any_text(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    run(connection, text)


@pytest.mark.parametrize(
    "text",
    [
        "x " * 400,
        "or ".join(["x "] * 300),
        "x in (" + ",".join(map(str, range(9_000))) + ")",
        "x=" + "9" * 60_000,
        "x>" + "9" * 60_000 + " | where y = " + "1" * 300,
        "x=~" + "(" * 1000 + ")" * 1000,
        'x=~"' + "a{1000}" * 1000 + '"',
        "| extend " + ", ".join(f"x{i} = x{i - 1} + x{i - 1}" for i in range(1, 150)) + " | where x149 > 5",
        "| extend a = 1" + "".join(" | extend a = a * a / (a + 1)" for _ in range(60)) + " | where a > 0 | sort by a",
        "| where " + "if(a = b, " * 60 + "a" + ", b)" * 60 + " = 1",
        "| where " + "coalesce(a, " * 60 + "a" + ")" * 60 + " = b",
        "| where " + "/ ".join(["(a "] * 30) + ")" * 30 + " > 1",
        "a in (" * 30 + "x | fields a" + " | fields a) | fields a" * 29 + " | fields a)",
        ".".join(["a"] * 5_000) + "=1",
        "| stats " + ", ".join(f"p{i}(a) as q{i}" for i in range(100)),
        "| sort by " + ", ".join(f"f{i}" for i in range(150)),
        "| fields " + ", ".join(f"f{i}" for i in range(200)),
        "| uniq by " + ", ".join(f"f{i}" for i in range(150)),
        "".join(" | uniq by a | limit 5 | sort by b" for _ in range(20)),
    ],
    ids=lambda text: text[:24],
)
def test_large_queries(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    run(connection, text)
