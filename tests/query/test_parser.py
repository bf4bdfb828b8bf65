"""What a query says: the rules of terms, strings and keywords, and its errors."""

import pytest

from logstore.errors import InvalidQuery, Position
from query import ast, limits
from query.parser import parse


def word(text: str, prefix: bool = False) -> ast.Phrase:
    return ast.Phrase(ast.Name("message"), text, prefix)


def equals(field: str, value: ast.Literal) -> ast.Comparison:
    return ast.Comparison(ast.Operator.EQ, ast.Name(field), value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ast.All()),
        ("  \n\t", ast.All()),
        ("*", ast.All()),
        ("timeout", word("timeout")),
        ("conn*", word("conn", prefix=True)),
        ('"conn re"*', word("conn re", prefix=True)),
        ("web-1", word("web-1")),
        ("10.1.0.4", word("10.1.0.4")),
        ("/api/v1", word("/api/v1")),
        ("a*b", word("a*b")),
        ("hello!", word("hello!")),
        ("a b", ast.And((word("a"), word("b")))),
        ("a and b", ast.And((word("a"), word("b")))),
        ("a AND b OR c", ast.Or((ast.And((word("a"), word("b"))), word("c")))),
        ("a or b c", ast.Or((word("a"), ast.And((word("b"), word("c")))))),
        ("not a", ast.Not(word("a"))),
        ("-a", ast.Not(word("a"))),
        ("-level:warn", ast.Not(ast.Phrase(ast.Name("level"), "warn"))),
        ("-(a b)", ast.Not(ast.And((word("a"), word("b"))))),
        ("a -b", ast.And((word("a"), ast.Not(word("b"))))),
        ("a - b", ast.And((word("a"), word("-"), word("b")))),
        ('"and"', word("and")),
        ("logged in production", ast.And((word("logged"), word("in"), word("production")))),
        ("level:warn", ast.Phrase(ast.Name("level"), "warn")),
        ("path:api*", ast.Phrase(ast.Name("path"), "api", prefix=True)),
        ("trace_id:*", ast.Present(ast.Name("trace_id"))),
        ('x:"*"', ast.Phrase(ast.Name("x"), "*")),
        ("pod = web-1", equals("pod", ast.Text("web-1"))),
        ("pod==web-1", equals("pod", ast.Text("web-1"))),
        ('pod!="x"', ast.Not(equals("pod", ast.Text("x")))),
        ('"my field"=1', equals("my field", ast.Number("1"))),
        ("not=1", equals("not", ast.Number("1"))),
        ("status=404", equals("status", ast.Number("404"))),
        ('status="404"', equals("status", ast.Text("404"))),
        ("x=-1.5e3", equals("x", ast.Number("-1.5e3"))),
        ("x=250ms", equals("x", ast.Quantity("250ms", ast.Dimension.DURATION, 250_000_000))),
        ("x=1h30m", equals("x", ast.Quantity("1h30m", ast.Dimension.DURATION, 5_400 * 10**9))),
        ("x=10MB", equals("x", ast.Quantity("10MB", ast.Dimension.SIZE, 10_000_000))),
        ("x=1KiB", equals("x", ast.Quantity("1KiB", ast.Dimension.SIZE, 1024))),
        ("x=5x", equals("x", ast.Text("5x"))),
        ("pod!~`^a`", ast.Not(ast.Match(ast.Name("pod"), "^a"))),
        ('message*="a[1"', ast.Contains(ast.Name("message"), ast.Affix.ANYWHERE, "a[1")),
        ("path$=.js", ast.Contains(ast.Name("path"), ast.Affix.END, ".js")),
        ("ns in (a, `b c`)", ast.OneOf(ast.Name("ns"), ("a", "b c"))),
        ("ns NOT IN (1)", ast.Not(ast.OneOf(ast.Name("ns"), ("1",)))),
        (
            "time>=2026-01-31T12:00:00Z",
            ast.Comparison(ast.Operator.GE, ast.Name("time"), ast.Text("2026-01-31T12:00:00Z")),
        ),
    ],
)
def test_filters(text: str, expected: ast.Filter) -> None:
    assert parse(text).filter == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r'"a\"b"', 'a"b'),
        (r'"a\\b"', "a\\b"),
        (r'"\d+"', r"\d+"),
        (r'"\\d+"', r"\d+"),
        (r'"a\nb\tc"', "a\nb\tc"),
        (r'"\x41\u00e9"', "Aé"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\x4"', r"\x4"),
        ('"line\nbreak"', "line\nbreak"),
        (r"`\n`", r"\n"),
    ],
)
def test_strings(written: str, said: str) -> None:
    assert parse(f"x={written}").filter == equals("x", ast.Text(said))


def test_a_subquery_is_a_query() -> None:
    inner = ast.Query(word("error"), (ast.Fields((ast.Name("trace_id"),)),))
    assert parse("trace_id in (error | fields trace_id)").filter == ast.InQuery(ast.Name("trace_id"), inner)


def test_aggregates_are_called_by_their_names() -> None:
    stats = parse("| stats count(), p99(duration_ms), count_distinct(user) as users by level, bucket(5m)").pipes[0]
    assert isinstance(stats, ast.Stats)
    assert [part.name for part in stats.aggregates] == ["count", "p99_duration_ms", "users"]
    assert [part.name for part in stats.by] == ["level", "time"]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a | stat count()", 1, 5, 'unknown pipe "stat" at column 5; did you mean "stats"?'),
        ("a\n| where (a", 2, 11, "the query ends too early at line 2, column 11; expected"),
        ("a)", 1, 2, 'unexpected ")" at column 2; there is no "("'),
        ('x="abc', 1, 3, "the string has no end at column 3"),
        ("a\x01b", 1, 2, "a control character"),
        ("a\x85b", 1, 2, "a control character"),
        ("x=a:b", 1, 4, 'a text that has ":" in it must be quoted'),
        ("a or", 1, 5, "the query ends too early"),
        ("and", 1, 1, 'to search for the word, quote it: "and"'),
        ("a or or", 1, 6, 'to search for the word, quote it: "or"'),
        ("*:x", 1, 1, '"*" is no field'),
        ("x in ()", 1, 7, 'unexpected ")"'),
        ("| where 5x > 3", 1, 9, '"5x" is no number with a unit'),
        ("| stats sum(a / b)", 1, 9, "needs a name"),
        ("a\ud800", 1, 2, "half a surrogate pair"),
        (r'"\ud800"', 1, 1, "half a surrogate pair"),
        ("a |", 1, 4, "a pipe is missing"),
        ("* | limit 5000000000000000000", 1, 11, "too many rows"),
    ],
)
def test_errors_say_what_and_where(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.position == Position(line, column)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("x" * (limits.TEXT_BYTES_MAX + 1), "longer than 65536 bytes"),
        ("not " * 5000 + "a", "deeper than 64"),
        ("| where " + "1 + " * 500 + "1 > 0", "deeper than 64"),
        ("a " * 6000, "more than 1000 parts"),
        ("x in (" + "a," * 10_000 + "a)", "more than 10000 members"),
        ("| fields " + ", ".join(["a"] * 201), "more than 200 columns"),
        ("*" + "|limit 1" * 65, "more than 64 pipes"),
    ],
)
def test_each_bound_is_named(text: str, limit: str) -> None:
    with pytest.raises(InvalidQuery, match=limit):
        parse(text)


def test_parentheses_cost_no_depth() -> None:
    assert parse("(" * 10_000 + "a" + ")" * 10_000).filter == word("a")
