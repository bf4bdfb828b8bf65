"""The language's rules about values, one by one: what a filter says of one record."""

import json
from typing import Any

import duckdb
import pytest

from query.parser import parse
from tests.query.relation import answer, connect
from tests.query.test_hostile import RECORD


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect()


def holds(connection: duckdb.DuckDBPyConnection, text: str, **fields: Any) -> bool:
    """Whether the filter keeps the record with these columns, both as a filter and under a double negation."""
    record = {**RECORD, "labels": None, "attributes": None, **fields}
    kept = len(answer(connection, parse(text), [record]).rows) == 1
    assert kept == (not answer(connection, parse(f"not ({text})"), [record]).rows), "either it or its negation"
    return kept


@pytest.mark.parametrize(
    ("text", "message", "expected"),
    [
        ("timeout", "a timeout, again", True),
        ("timeout", "Timeout", True),
        ("TIMEOUT", "a timeout", True),
        ("timeout", "timeouts", False),
        ("timeout", "a_timeout", False),
        ("timeout", "5timeout", False),
        ("timeout", "timeouts timeout", True),
        ("timeout", "étimeout", False),
        ("timeout", "timeout日", False),
        ("timeout", "٣timeout", False),
        ("timeout", "²timeout", False),
        ("timeout", "→timeout。", True),
        ("timeout", "timeout\u0301", True),
        ("timeout", "x\ntimeout\ny", True),
        ("ünï", "das ÜNÏ", True),
        ("straße", "STRASSE", False),
        ("İ", "i", True),
        ("Σ", "ς", False),
        ("k", "\u212a", True),
        ("conn*", "connection", True),
        ("conn*", "reconnect", False),
        ("conn*", "re-connect", True),
        ('"connection re"*', "the connection reset", True),
        ('"connection reset"', "Connection Reset by peer", True),
        ('"connection reset"', "connection  reset", False),
        ('"connection reset"', "connection resets", False),
        ("web-1", "web-1", True),
        ("web-1", "web-12", False),
        ("web-1", "xweb-1", False),
        ("-- web", "web --", False),
        ('"--"', "a--b", True),
        ('"-1"', "web-1", True),
        ('"-1"', "web-12", False),
        ('"a-a"', "xa-a-a", True),
        ("10.1.0.4", "from 10.1.0.4:80", True),
        ("10.1.0.4", "110.1.0.4", False),
        ("10.1.0.4", "10a1b0c4", False),
        ('""', "", True),
        ('message="X"', "x", False),
        ('message*="[16"', "gmetad[16]", True),
        ('message*="A"', "a", False),
        ('message^="a"', "ba", False),
        ('message$="a"', "ba", True),
        ('message=~"a.c"', "a\nc", False),
        ('message=~"^b$"', "a\nb", False),
        ('message=~"(?i)ABC"', "xabcx", True),
        ('message=~"ABC"', "xabcx", False),
        (r'message=~"\d+"', "a1", True),
        (r'message=~"\\d+"', "a1", True),
        ("message:*", "", False),
        ("message:*", " ", True),
        ("message=404", "404", True),
        ("message=404", "404.0", False),
        ("message>5", "40", False),
    ],
)
def test_messages(connection: duckdb.DuckDBPyConnection, text: str, message: str, expected: bool) -> None:
    assert holds(connection, text, message=message) is expected


LARGE = "9007199254740993"
HUGE = "123456789012345678901234567890"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a=404", "404", True),
        ("a=404", '"404"', True),
        ("a=404", "404.0", True),
        ("a=404", '"4.04e2"', True),
        ('a="404"', "404", True),
        ('a="404"', "404.0", False),
        ('a="404"', '"404"', True),
        ("a=404", '" 404"', False),
        ("a=404", '"+404"', False),
        ("a=404", '"404."', False),
        ("a=404", '"4_04"', False),
        ("a>0", '"nan"', False),
        ("a>0", '"inf"', False),
        ("a>0", '"1e999"', True),
        ("a<0", "-0", False),
        ("a>=500", "499.9", False),
        ("a>=500", "1000", True),
        ('a>="500"', '"1000"', False),
        (f"a={LARGE}", LARGE, True),
        (f"a={LARGE}", "9007199254740992", False),
        (f"a>{LARGE}", "9007199254740994", True),
        ("a>9007199254740992", f'"{LARGE}"', True),
        (f"a<-{LARGE}", "-9007199254740994", True),
        (f"a={HUGE}", HUGE, True),
        (f"a<{HUGE}", HUGE[:-1] + "1", False),
        (f"a<{HUGE[:-1]}1", HUGE, True),
        (f"a>{LARGE}", "1e300", True),
        ("a=true", "true", True),
        ('a="true"', "true", True),
        ("a=null", "null", False),
        ("a!=null", "null", True),
        ("a:*", "null", False),
        ("a:*", '""', False),
        ("a:*", "0", True),
        ('a=""', '""', True),
        ('a=""', "null", False),
        ("a!=5", "null", True),
        ("a!=5", "5", False),
        ('a="[1,2]"', "[1, 2]", True),
        ("a.b=1", '{"b": 1}', True),
        ("a.b=1", "1", False),
        ("a.b.c=1", '{"b": {"c": 1}}', True),
        ("a.b.c=1", '{"b.c": 1}', True),
        ("a:x", '{"b": "x"}', True),
        ("a in (404)", "404", True),
        ("a in (404)", '"404"', True),
        ("a in (404)", "404.0", False),
        ("a in (b, true)", "true", True),
        ("a in (b)", "null", False),
        ("a<250ms", '"100ms"', True),
        ("a<250ms", '"1.5s"', False),
        ("a>1400ms", '"1.5s"', True),
        ("a=90m", '"1h30m"', True),
        ("a=1500us", '"1.5ms"', True),
        ("a=1500us", '"1500µs"', True),
        ("a<1s", '"-5s"', True),
        ("a=100ms", '"0.1s"', True),
        ("a=1001us", '"1.001ms"', True),
        ("a>1s", "2", True),
        ("a>1s", "1", False),
        ("a<1s", '"fast"', False),
        ("a<1s", '"5MB"', False),
        ("a<1s", '"30m1h"', False),
        ("a>10MB", '"10.1MB"', True),
        ("a>10MB", '"10 mib"', True),
        ("a=1KiB", "1024", True),
        ("a=1KB", "1000", True),
        ("a=1KB", '"1s"', False),
        ("a:404", "404", True),
        ("a:40", "404", False),
        ("a:4*", "404", True),
        ('a=~"^4"', "404", True),
        ('a^="4"', "404", True),
    ],
)
def test_attributes(connection: duckdb.DuckDBPyConnection, text: str, value: str, expected: bool) -> None:
    assert holds(connection, text, attributes=f'{{"a": {value}}}') is expected


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("took_ns", 250_000_000, True),
        ("took_us", 250_000, True),
        ("took_ms", 250, True),
        ("took_s", 0.25, True),
        ("took_seconds", 0.25, True),
        ("took", 0.25, True),
        ("a.took_ms", 250, True),
        ("tookms", 250, False),
        ("took_ms", 250_000_000, False),
    ],
)
def test_a_bare_number_has_its_fields_unit(
    connection: duckdb.DuckDBPyConnection, field: str, value: float, expected: bool
) -> None:
    assert holds(connection, f"{field}=250ms", attributes=json.dumps({field: value})) is expected


@pytest.mark.parametrize(
    ("text", "attributes", "labels", "expected"),
    [
        ("a=1", {"a": 1}, {"a": 2}, True),
        ("a=2", {"a": 1}, {"a": 2}, False),
        ("a=2", {}, {"a": 2}, True),
        ("a=2", {"a": None}, {"a": 2}, True),
        ("a=2", None, {"a": 2}, True),
        ("labels.a=2", {"a": 1}, {"a": 2}, True),
        ("attributes.a=1", {"a": 1}, {"a": 2}, True),
        ("attributes.a=2", None, {"a": 2}, False),
        ("a.b=1", {"a.b": 1, "a": {"b": 2}}, None, True),
        ("a.b=2", {"a.b": None, "a": {"b": 2}}, None, True),
        ("a.b=3", {"a": {"c": 2}}, {"a.b": 3}, True),
        ("labels.app.kubernetes.io/name=web", None, {"app.kubernetes.io/name": "web"}, True),
        ("pod=x", {"pod": "x"}, None, False),
        ("attributes.pod=x", {"pod": "x"}, None, True),
        ("trace_id=x", {"trace_id": "x"}, None, True),
        ("trace_id=x", None, {"trace_id": "x"}, True),
        ("level=info", {"level": "x"}, None, True),
        ("attributes.level=x", {"level": "x"}, None, True),
        ("User=1", {"user": 1}, None, False),
        ('"x y"=1', {"x y": 1}, None, True),
        ('"q\\"/~"=1', {'q"/~': 1}, None, True),
        ('"*"=1', {"*": 1, "b": 2}, None, True),
        ('""=1', {"": 1}, None, True),
        ("a.0=5", {"a": [5]}, None, True),
        ("missing=1", {"a": 1}, {"a": 1}, False),
        ("missing!=1", None, None, True),
        ("not missing:*", None, None, True),
    ],
)
def test_fields(connection: duckdb.DuckDBPyConnection, text: str, attributes: Any, labels: Any, expected: bool) -> None:
    objects = {"attributes": attributes, "labels": labels}
    texts = {column: None if value is None else json.dumps(value) for column, value in objects.items()}
    assert holds(connection, text, **texts) is expected


@pytest.mark.parametrize(
    ("expression", "attributes", "expected"),
    [
        ("a / b", {"a": 1, "b": 2}, 0.5),
        ("a / b", {"a": 1, "b": 0}, None),
        ("a / b", {"a": 1}, None),
        ("a % b", {"a": -7, "b": 3}, -1.0),
        ("a + 1", {"a": "41"}, 42.0),
        ("a + 1", {"a": "x"}, None),
        ("1 + 2 * 3 - 4 / 2", {}, 5.0),
        ("-(a + 1) * 2", {"a": 1}, -4.0),
        ("a * a", {"a": 1e200}, None),
        ("1 / (1 / a)", {"a": 0}, None),
        ("a > b", {"a": 10, "b": "9"}, True),
        ("a > b", {"a": "x10", "b": "x9"}, False),
        ("a = b", {"a": 404, "b": "404"}, True),
        ("a = b", {"a": 9007199254740993, "b": 9007199254740992}, False),
        ("a = null", {}, False),
        ("a > 1 or not b > 1", {}, True),
        ("a and b > 1", {"a": True, "b": 2}, True),
        ("coalesce(a, b, 0)", {"b": "x"}, '"x"'),
        ("coalesce(a, b, 0)", {}, "0"),
        ("if(a > 1, 1, 2)", {}, 2.0),
        ('if(a > 1, "big", a)', {"a": 1}, "1"),
        ("if(a > 1, 5)", {}, None),
        ("round(a, 1)", {"a": 2.25}, 2.3),
        ("round(a)", {"a": -2.5}, -3.0),
        ("floor(a)", {"a": -2.5}, -3.0),
        ("ceil(a)", {"a": "2.1"}, 3.0),
        ("abs(a)", {"a": -2}, 2.0),
        ("length(a)", {"a": "日本"}, 2),
        ("upper(a)", {"a": "é"}, "É"),
        ('replace(a, "x", "")', {"a": "axbx"}, "ab"),
        ('concat(a, "-", b)', {"a": 1}, "1-"),
        ("exists(a)", {"a": None}, False),
        ("trim(a)", {"a": "  x "}, "x"),
        ('contains(a, "x")', {"a": "axb"}, True),
        ("text(a)", {"a": [1, 2]}, "[1,2]"),
        ("number(a)", {"a": "5"}, 5.0),
        ('field("x y")', {"x y": "z"}, '"z"'),
        ("a.b", {"a": {"b": True}}, "true"),
        ("a_ms > 1s", {"a_ms": 1500}, True),
        ("a_ms * 2 > 1s", {"a_ms": 1}, True),
        ("bucket(1h)", {}, 1_699_999_200_000_000_000),
        ("epoch(time)", {}, 1_700_000_000.0),
    ],
)
def test_expressions(
    connection: duckdb.DuckDBPyConnection, expression: str, attributes: dict[str, Any], expected: Any
) -> None:
    record = {**RECORD, "labels": None, "attributes": json.dumps(attributes)}
    rows = answer(connection, parse(f"* | extend x = {expression} | fields x"), [record]).rows
    assert rows == [(expected,)]
    assert type(rows[0][0]) is type(expected)
