"""Words that every record has which a condition accepts: never one too many, and those that can be known."""

import json
from collections.abc import Collection
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstore.errors import InvalidQuery
from logstore.words import may_hold
from query import ast
from query.format import condition as format_condition
from query.parser import parse
from query.required import ALTERNATIVES_MAX, NESTED, SETS_MAX, required_words, words_of_message
from query.sql import predicate
from tests.query import needles, strategies
from tests.query.relation import connect, table
from tests.query.test_hostile import RECORD
from tests.reference.tokens import tokens

FIELDS = ("message", "trace_id", "span_id", "attributes", "labels", "pod", "severity")
KEYS = ("a", "a.b", "b", "attributes.a", "attributes.a.b", "labels.a", "attributes.attributes.a")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect()


text = needles.text
NUMBERS = ("404", "-1", "4.04e2", "4040E-1", "404.50", "0", "-0", "1e999", "12345678901234567890123", "1e-7")
NUMBERS = (*NUMBERS, "403.99999999999999999", "1e15", "999999999999999.99", "12345678901234567.5", "12345678901234568")
number = st.sampled_from(NUMBERS)
scalar = st.one_of(
    text.map(json.dumps), st.just('"0404"'), number, number.map(json.dumps), st.sampled_from(["true", "false", "null"])
)
key = st.sampled_from(["a", "b", "a.b", "x\nerror", "e4"])


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.dictionaries(key, values, max_size=3)
    return members.map(lambda made: "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in made.items()) + "}")


lists = st.lists(scalar, max_size=2).map(lambda items: f"[{','.join(items)}]")
attributes = objects(st.one_of(scalar, scalar, objects(scalar), lists))


@st.composite
def records(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        {
            **RECORD,
            "message": draw(text),
            "trace_id": draw(st.none() | text),
            "span_id": draw(st.none() | text),
            "labels": draw(st.none() | objects(scalar)),
            "attributes": draw(st.none() | attributes),
            "pod": draw(text),
            "_seq": seq,
        }
        for seq in range(draw(st.integers(1, 5)))
    ]


def values_of(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Names and the text forms that they have in these records."""
    found = [(name, record[name]) for record in records for name in FIELDS if record[name] is not None]
    for source in ("attributes", "labels"):
        for record in records:
            for name, value in json.loads(record[source] or "{}").items():
                found += [(name, form(value)), (f"{source}.{name}", form(value))]
                if isinstance(value, dict):
                    found += [(f"{source}.{name}.{inner}", form(inside)) for inner, inside in value.items()]
    return found


def form(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@st.composite
def leaves(draw: st.DrawFn, values: list[tuple[str, str]]) -> ast.Expression:
    """About one of these fields, and mostly a part of what it is there."""
    field, value = draw(st.sampled_from(values))
    name = ast.Name(draw(st.one_of(*[st.just(field)] * 9, st.sampled_from(KEYS))))
    cut = needles.cut([value])
    match draw(st.integers(0, 7)):
        case 0 | 1:
            return ast.Phrase(name, draw(cut), draw(st.booleans()))
        case 2 | 3:
            return ast.Contains(name, draw(st.sampled_from(ast.Affix)), draw(cut))
        case 4:
            numeral = ast.Number(draw(st.sampled_from((*NUMBERS, "0404", "1000000000000000"))))
            literal = draw(st.one_of(cut.map(ast.Text), st.just(ast.Text(value)), strategies.literal, st.just(numeral)))
            sides = (name, literal) if draw(st.booleans()) else (literal, name)
            return ast.Comparison(draw(st.sampled_from([ast.Operator.EQ, ast.Operator.EQ, ast.Operator.LT])), *sides)
        case 5:
            return ast.OneOf(name, (value, *draw(st.lists(cut, max_size=2))))
        case 6:
            return ast.Match(name, draw(needles.pattern_of([value])))
    return ast.Present(name)


def label_keys(records: list[dict[str, Any]]) -> set[str]:
    return {key for record in records for key in json.loads(record["labels"] or "{}")}


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(st.data(), records(), st.booleans(), st.booleans())
def test_records_that_are_accepted_have_the_words(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, records: list[dict[str, Any]], few: bool, known: bool
) -> None:
    records = [{**record, "labels": None} for record in records] if few else records
    leaf = leaves(values_of(records))
    condition = data.draw(st.one_of(leaf, leaf, strategies.logic(leaf)))
    try:
        wanted = predicate(condition)
    except InvalidQuery:
        return
    connection.register("records", table(records))
    accepted = connection.execute(f"SELECT {wanted.text} FROM records ORDER BY _seq", wanted.params).fetchall()
    wanted = required_words(condition, label_keys(records) if known else None)
    in_message = words_of_message(condition)
    for record, (holds,) in zip(records, accepted, strict=True):
        message = pa.chunked_array([[record["message"]]], pa.string())
        assert not holds or all(tokens(record) & words for words in wanted), (format_condition(condition), record)
        assert not holds or all(may_hold(message, words)[0] for words in in_message), (condition, record)


@pytest.mark.parametrize(
    ("attributes", "query"),
    [
        ('{"a": 404.50}', 'attributes.a="404.5"'),
        ('{"a": 4.04e2}', "attributes.a:404"),
        ('{"a": 4.04e2}', "attributes.a=404"),
        ('{"a": 403.99999999999999999}', "attributes.a=404"),
        ('{"a": 1e15}', "attributes.a=1000000000000000"),
        ('{"a": 12345678901234567.5}', "attributes.a=12345678901234568"),
        ('{"a": "0012345678901234567"}', "attributes.a=12345678901234567"),
        ('{"trace_id": "0404"}', "trace_id=0404"),
        ('{"a": "0404"}', "attributes.a=404"),
        ('{"a": 4.04e2}', 'attributes.a^="404."'),
        ('{"a": true}', "attributes.a:TRUE"),
        ('{"a": true}', 'attributes.a="true"'),
        ('{"a": false}', 'attributes.a in ("false")'),
        ('{"a": {"key": 1}}', "attributes.a:key"),
        ('{"a": {"key": 1}}', 'attributes.a=`{"key":1}`'),
        ('{"a": ["x\\ny"]}', "attributes.a:ny"),
        ('{"a": {"b": "x\\ny z"}}', 'attributes.a*="ny z"'),
        ('{"a": {"b": "x\\ny z"}}', 'attributes.a=~".ny z"'),
        ('{"a": {"b": "x\\ny z"}}', 'attributes.a.b="x\\ny z"'),
        ('{"a": "is4 wa\u017f4 "}', 'attributes.a=~"(?i)is4 was4 "'),
        ('{"a": "\u212aelvin"}', "attributes.a:kelvin"),
    ],
)
def test_values_whose_text_is_not_as_it_is_written(
    connection: duckdb.DuckDBPyConnection, attributes: str, query: str
) -> None:
    record = {**RECORD, "message": "", "attributes": attributes, "_seq": 0}
    condition = parse(query).filter
    wanted = predicate(condition)
    connection.register("records", table([record]))
    assert connection.execute(f"SELECT {wanted.text} FROM records", wanted.params).fetchall() == [(True,)]
    assert all(tokens(record) & words for words in required_words(condition))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("42", ["42"]),
        ('"GET /users/42A took"', ["42a", "?letters|users", "?letters|took", "?letters|get"]),
        ("web-1*", ["?letters|web"]),
        ('"web-1 "*', ["1", "?letters|web"]),
        ('"10.0.0.7"', ["10.0.0.7|?addresses", "10", "0", "7"]),
        ('"from 10-0-0-7:80"', ["10-0-0-7|?addresses", "10", "80", "0", "7", "?letters|from"]),
        ('"1.2.3.4.5"', ["1.2.3.4|?addresses", "2.3.4.5|?addresses", "1", "2", "3", "4", "5"]),
        ('"10.0.0.7"*', ["10", "0"]),
        ('"10.0.0.7 "*', ["10.0.0.7|?addresses", "10", "0", "7"]),
        ('message*="10.0.0.7"', ["0"]),
        ('message*="=10.0.0.7 "', ["10.0.0.7|?addresses", "10", "0", "7"]),
        (r'message=~" 10\\.0\\.0\\.7:"', ["10.0.0.7|?addresses", "10", "0", "7"]),
        ('"1.2.3" or "10.0.0.7"', ["1|10.0.0.7|?addresses"]),
        ('"10.0.0.7" or "10.0.0.8"', ["10.0.0.7|10.0.0.8|?addresses"]),
        ("timeout", ["?letters|timeout"]),
        ("42 4711", ["4711", "42"]),
        ("42 or 4711", ["42|4711"]),
        ("42 or timeout", ["42|?letters|timeout"]),
        ("42 not 4711", ["42"]),
        ('message*="id=42 x7 y"', ["42", "x7"]),
        ('message^="42 x"', ["42"]),
        ('message$="x 42"', ["42"]),
        ('message="id=42"', ["42", "?letters|id"]),
        ("message=42", ["42"]),
        (r'message=~"^user=\\w+ id=42, "', ["42", "?letters|id"]),
        (r'message=~"(a 17 b|c 18 d)"', ["17|18"]),
        (r'message=~"(?i) is42 X5 "', ["x5"]),
        ('trace_id="ABC-def"', ["abc", "def"]),
        ("trace_id:ABC", ["abc|{"]),
        ('user="Ada Lovelace"', ["lovelace", "ada"]),
        ('user in ("ada", "bob b")', ["ada|bob"]),
        ("user:ada", ["ada|{"]),
        ('user*="ada l"', []),
        ('user*=" ada "', ["ada|{"]),
        ('user="404"', ["404"]),
        ("user=404", ["404|?numbers"]),
        ("user=-00404", ["404|?numbers"]),
        ("user=4.04e2", ["404|?numbers"]),
        ("user=404.5", []),
        ("user=0", []),
        ("user=1e15", []),
        ("user=12345678901234567890", ["+|12345678901234567890|?numbers"]),
        ("user=404 or user=17", ["17|404|?numbers"]),
        ("user=4s", []),
        ("user>=404", []),
        ("not user=404", []),
        ("trace_id=404", ["404"]),
        ("trace_id=0404", ["0404"]),
        ("app=404", []),
        ("pod=404", []),
        ("user:404", []),
        ('user:"10.0.0.7"', ["10.0.0.7|?addresses|{", "10|{", "0|{", "7|{"]),
        ('user="10.0.0.7"', ["10.0.0.7|?addresses", "10", "0", "7"]),
        ('user:"1.5"', []),
        ('user:"-1.5e-3"', []),
        ('user:"1-5"', ["1|{", "5|{"]),
        ('user="4.5"', []),
        ('user="true"', []),
        ("user:true", []),
        ('attributes.app="web"', ["web"]),
        ('labels.app="web"', []),
        ('app="web"', []),
        ('app.x="web"', []),
        ('pod="web-1"', []),
        ("level=error", []),
        ('attributes*=" 42 "', []),
        ("user:*", []),
        ('not user="ada"', []),
    ],
)
def test_typical_conditions(query: str, expected: list[str]) -> None:
    found = required_words(parse(query).filter, labels={"app"})
    told = ["|".join(sorted(words, key=lambda word: (word == NESTED, word))) for words in found]
    assert told == expected


@pytest.mark.parametrize("labels", [None, {"user"}])
def test_what_could_be_a_label_says_nothing(labels: Collection[str] | None) -> None:
    assert required_words(parse('user="ada"').filter, labels) == ()


def test_words_are_bounded() -> None:
    message = ast.Name("message")
    assert len(required_words(ast.Phrase(message, " ".join(f"w{n}" for n in range(100))))) == SETS_MAX
    many = tuple(f"w{n}" for n in range(ALTERNATIVES_MAX + 1))
    assert required_words(ast.OneOf(message, many)) == ()
    assert required_words(ast.OneOf(message, many[1:])) == (frozenset(many[1:]),)
    addresses = tuple(f"10.1.{n // 100}.{n % 100}" for n in range(ALTERNATIVES_MAX))
    (words,) = required_words(ast.OneOf(ast.Name("ip"), addresses), frozenset())
    assert words >= set(addresses)
