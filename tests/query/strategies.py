"""Random records and random queries, small enough that they often have to do with each other."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from query import ast, literals

WORDS = (
    "error",
    "Error",
    "timeout",
    "conn",
    "connection",
    "reset",
    "web-1",
    "10.1.0.4",
    "x_1",
    "Ünï",
    "404",
    "ß",
    "日本",
)
GLUE = (" ", "", "-", ".", ": ", "_", "=", "\n", "é", "/")
KEYS = ("status", "duration", "duration_ms", "size", "user", "a", "a.b", "b", "count_s", "app", 'q"/~', "x y")
NAMES = (
    *KEYS,
    "pod",
    "namespace",
    "level",
    "severity",
    "message",
    "trace_id",
    "_seq",
    "attributes.status",
    "labels.app",
)
NAMES += ("attributes.status", "labels.app", "a.b.c", "attributes", "labels", "missing", "labels.a.b", "Status")
NUMBERS = ("0", "-1", "2", "2.5", "404", "500", "9007199254740992", "9007199254740993", "-9007199254740993", "1e3")
NUMBERS += ("123456789012345678901234567890", "123456789012345678901234567891", "-0", "0.5")
UNITS = ("250ms", "1.5s", "1h30m", "10MB", "1KiB", "2s", "-5s", "1us", "100B", "0.1s", "100ms")
TEXTS = (
    *WORDS,
    *NUMBERS,
    *UNITS,
    "",
    " ",
    "true",
    "null",
    "a b",
    'say "x"\\',
    "+5",
    " 5",
    "5.",
    "nan",
    "1e999",
    "0x1",
    "n/a",
)
TIMES = (1_700_000_000_000_000_000, 1_700_000_000_000_000_001, 1_700_000_001_000_000_000, -1_500_000_001, 0)
NOW_NS = 1_700_000_002_000_000_000
PATTERNS = ("err", "^e", "r$", "[0-9]+", "(?i)ERROR", "a.c", "web-.", "^$", r"\.", "日")

name = st.sampled_from(NAMES)
text = st.one_of(st.sampled_from(TEXTS), st.lists(st.sampled_from(WORDS + GLUE), max_size=4).map("".join))
message = st.lists(st.sampled_from(WORDS + GLUE), max_size=7).map("".join)

# Records

json_number = st.sampled_from((*NUMBERS, "1.50", "1E3", "1e21", "0.0001", "12.5", "3", "1e-7"))


@st.composite
def json_value(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 9 if depth else 6))
    if kind <= 2:
        return draw(json_number)
    if kind <= 4:
        return json.dumps(draw(text), ensure_ascii=draw(st.booleans()))
    if kind <= 6:
        return draw(st.sampled_from(["true", "false", "null"]))
    if kind == 7:
        return "[" + ",".join(draw(st.lists(json_value(depth - 1), max_size=2))) + "]"
    return draw(json_object(depth - 1))


@st.composite
def json_object(draw: st.DrawFn, depth: int = 2) -> str:
    keys = draw(st.lists(st.sampled_from(KEYS), max_size=4, unique=True))
    return "{" + ",".join(f"{json.dumps(key)}:{draw(json_value(depth))}" for key in keys) + "}"


@st.composite
def records(draw: st.DrawFn, most: int = 8) -> list[dict[str, Any]]:
    return [
        {
            "time": draw(st.sampled_from(TIMES)),
            "cluster": "c",
            "namespace": draw(st.sampled_from(["shop", "pay"])),
            "pod": draw(st.sampled_from(["web-1", "web-2", "404", ""])),
            "container": "app",
            "stream": "stdout",
            "severity": draw(st.sampled_from(["", "info", "error"])),
            "message": draw(message),
            "labels": draw(st.none() | json_object(1)),
            "trace_id": draw(st.none() | st.sampled_from(["", "abc", "404"])),
            "span_id": None,
            "attributes": draw(st.none() | json_object()),
            "_seq": seq,
        }
        for seq in range(draw(st.integers(0, most)))
    ]


# Conditions

number = st.sampled_from(NUMBERS).map(ast.Number)
quoted = text.map(ast.Text)
operator = st.sampled_from(list(ast.Operator))
affix = st.sampled_from(list(ast.Affix))


def quantity(written: str) -> ast.Quantity:
    found = literals.quantity(written)
    assert found is not None
    return ast.Quantity(written, *found)


literal: SearchStrategy[Any] = st.one_of(number, quoted, st.sampled_from(UNITS).map(quantity))
time_literal = st.sampled_from(["1s", "2s", "-1s", "+1s"]).map(ast.Text) | st.sampled_from(TIMES[:3]).map(
    lambda ns: ast.Number(str(ns))
)
named = name.map(ast.Name)


def tests_of(target: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Tests that filters and expressions have in common."""
    return st.one_of(
        st.builds(ast.Comparison, operator, target, literal),
        st.builds(ast.Comparison, operator, st.just(ast.Name("time")), time_literal),
        st.builds(ast.Match, target, st.sampled_from(PATTERNS)),
        st.builds(ast.Contains, target, affix, text),
        st.builds(ast.OneOf, target, st.lists(text, min_size=1, max_size=3).map(tuple)),
        st.deferred(lambda: st.builds(ast.InQuery, target, subquery)),
    )


def logic(leaves: SearchStrategy[Any]) -> SearchStrategy[Any]:
    def grown(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(st.builds(ast.And, several), st.builds(ast.Or, several), st.builds(ast.Not, inner))

    return st.recursive(leaves, grown, max_leaves=4)


filters = logic(
    st.one_of(
        st.just(ast.All()),
        st.builds(ast.Phrase, st.just(ast.Name("message")), text, st.booleans()),
        st.builds(ast.Phrase, named, text, st.booleans()),
        st.builds(ast.Present, named),
        tests_of(named),
    )
)

# Expressions


def calls(values: SearchStrategy[Any], conditions: SearchStrategy[Any]) -> SearchStrategy[Any]:
    def call(function: str, *arguments: SearchStrategy[Any]) -> SearchStrategy[Any]:
        return st.tuples(*arguments).map(lambda made: ast.Call(function, made))

    textual = [call(function, values) for function in ("lower", "upper", "length", "trim", "text", "exists")]
    textual += [call(function, values, quoted) for function in ("contains", "starts_with", "ends_with")]
    return st.one_of(
        *textual,
        call("replace", values, quoted, quoted),
        call("concat", values, values),
        call("coalesce", values, values),
        call("if", conditions, values, values),
        call("if", conditions, values),
    )


numeric_names = named.filter(lambda node: node.name != "time")


def arithmetics(leaves: SearchStrategy[Any]) -> SearchStrategy[Any]:
    def grown(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
        return st.one_of(
            st.builds(ast.Arithmetic, st.sampled_from("+-*/%"), inner, inner),
            st.builds(ast.Negative, inner).filter(lambda node: not isinstance(node.operand, ast.Number | ast.Quantity)),
            st.tuples(st.sampled_from(["abs", "floor", "ceil", "round", "number"]), inner).map(
                lambda made: ast.Call(made[0], (made[1],))
            ),
        )

    return st.recursive(leaves, grown, max_leaves=4)


simple = st.one_of(named, named, literal)
numeric = arithmetics(st.one_of(numeric_names, st.sampled_from(["1", "2", "0.5", "0"]).map(ast.Number)))
bare_conditions = st.one_of(tests_of(named), st.builds(ast.Comparison, operator, named, named))
value = st.one_of(simple, numeric, calls(simple, bare_conditions))
conditions = logic(
    st.one_of(
        tests_of(value),
        st.builds(ast.Comparison, operator, value, value),
        st.builds(ast.Comparison, operator, named, named),
        value.filter(lambda node: isinstance(node, ast.Name) and node.name not in ("time", "_seq")),
        st.sampled_from([ast.Boolean(True), ast.Comparison(ast.Operator.EQ, ast.Name("a"), ast.Null())]),
    )
)

# Pipes

names = st.lists(named, min_size=1, max_size=3).map(tuple)
some_names = st.lists(named, min_size=1, max_size=2, unique_by=lambda node: node.name).map(tuple)


@st.composite
def stats(draw: st.DrawFn) -> ast.Stats:
    functions = st.sampled_from(["sum", "avg", "min", "max", "median", "p90", "count", "count_distinct"])
    more = range(draw(st.integers(0, 2)))
    aggregates = [ast.Aggregate(draw(functions), draw(numeric_names), f"n{index}") for index in more]
    aggregates.insert(0, ast.Aggregate("count", None, "count"))
    keys = [ast.Key(node, node.name) for node in draw(st.lists(named, max_size=2, unique_by=lambda node: node.name))]
    if draw(st.booleans()):
        keys.append(ast.Key(ast.Call("bucket", (quantity("2s"),)), "time"))
    return ast.Stats(tuple(aggregates), tuple(key for key in keys if key.name != "count"))


assignment = st.builds(ast.Assignment, st.sampled_from(["n", "m", "status", "pod", "level", "x y"]), value)
pipes: SearchStrategy[Any] = st.one_of(
    st.builds(ast.Where, conditions),
    st.builds(ast.Fields, names),
    st.builds(ast.Extend, st.lists(assignment, min_size=1, max_size=2).map(tuple)),
    stats(),
    st.builds(ast.Sort, st.lists(st.builds(ast.SortKey, named, st.booleans()), min_size=1, max_size=2).map(tuple)),
    st.builds(ast.Limit, st.integers(0, 5)),
    st.builds(ast.Top, st.integers(1, 3), some_names),
    st.builds(ast.Uniq, names),
    st.builds(ast.Patterns, st.integers(1, 4)),
)

subquery = st.builds(
    lambda kept, more, last: ast.Query(kept, (*more, ast.Fields((last,))), NOW_NS),
    st.builds(ast.Phrase, st.just(ast.Name("message")), text),
    st.lists(st.builds(ast.Limit, st.integers(0, 3)), max_size=1),
    named,
)
queries = st.builds(lambda kept, made: ast.Query(kept, tuple(made), NOW_NS), filters, st.lists(pipes, max_size=4))

# Records and tests that are nearly always about the same field: where rules about values meet

CLOSE_NAMES = ("a", "a_ms", "a.b", "labels.a", "attributes.a")
close_text = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(UNITS), st.sampled_from(TEXTS))
close_value = st.one_of(
    json_number, close_text.map(json.dumps), close_text.map(json.dumps), st.sampled_from(["true", "null", '{"b":1}'])
)


@st.composite
def close_object(draw: st.DrawFn) -> str:
    keys = draw(st.lists(st.sampled_from(["a", "a_ms", "a.b"]), min_size=1, max_size=3, unique=True))
    return "{" + ",".join(f'"{key}":{draw(close_value)}' for key in keys) + "}"


@st.composite
def close_records(draw: st.DrawFn) -> list[dict[str, Any]]:
    blank = dict.fromkeys(("cluster", "namespace", "pod", "container", "stream", "severity", "message"), "")
    columns = {"time": 0, "trace_id": None, "span_id": None, **blank}
    objects = st.none() | close_object()
    return [{**columns, "labels": draw(objects), "attributes": draw(objects), "_seq": seq} for seq in range(4)]


close_name = st.sampled_from(CLOSE_NAMES).map(ast.Name)
close_literal = st.one_of(
    number, close_text.map(ast.Text), st.sampled_from(UNITS).map(quantity), st.sampled_from(UNITS).map(quantity)
)
close_tests = st.one_of(
    st.builds(ast.Comparison, operator, close_name, close_literal),
    st.builds(ast.Comparison, operator, close_name, close_literal),
    st.builds(ast.Comparison, operator, close_name, close_name),
    st.builds(ast.Phrase, close_name, close_text, st.booleans()),
    st.builds(ast.OneOf, close_name, st.lists(close_text, min_size=1, max_size=3).map(tuple)),
    st.builds(ast.Present, close_name),
)
close_conditions = st.one_of(close_tests, st.builds(ast.Not, close_tests))

WORD_PARTS = ("error", "err", "or", "E", "4", "04", "_", "-", " ", ".", "é", "\u0301", "日", "²", "ß", "x")
word_text = st.lists(st.sampled_from(WORD_PARTS), min_size=1, max_size=3).map("".join)
word_message = st.lists(st.sampled_from(WORD_PARTS), max_size=8).map("".join)
