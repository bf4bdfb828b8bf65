"""What templates say of conditions on messages: never wrong, and exact where conditions are as people write them."""

import itertools
from collections.abc import Callable

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.errors import InvalidQuery
from query import ast
from query.format import condition as format_condition
from query.parser import parse
from query.sql import predicate
from query.sql.fragment import Sql, join
from query.sql.verdicts import leaf
from tests.query import needles
from tests.query.relation import connect
from tests.reference.templates import WILDCARD, has_digit, letters, template, words

MESSAGE = ast.Name("message")


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect()


@st.composite
def conditions(draw: st.DrawFn, messages: list[str]) -> ast.Expression:
    cut = needles.cut(messages)
    match draw(st.integers(0, 10)):
        case 0 | 1 | 2:
            return ast.Phrase(MESSAGE, draw(cut), draw(st.booleans()))
        case 3 | 4 | 5:
            return ast.Contains(MESSAGE, draw(st.sampled_from(ast.Affix)), draw(cut))
        case 6:
            return ast.Comparison(ast.Operator.EQ, MESSAGE, ast.Text(draw(cut)))
        case 7:
            return ast.OneOf(MESSAGE, tuple(draw(st.lists(cut, min_size=1, max_size=3))))
        case 8:
            return ast.Match(MESSAGE, draw(needles.samples)[0])
        case 9:
            return ast.Match(MESSAGE, draw(needles.pattern_of(messages)))
    return ast.Present(MESSAGE)


def valid_conditions(messages: list[str]) -> st.SearchStrategy[ast.Expression]:
    return conditions(messages).filter(_is_valid)


def _is_valid(condition: ast.Expression) -> bool:
    try:
        predicate(condition)
    except InvalidQuery:
        return False
    return True


def verdicts(
    connection: duckdb.DuckDBPyConnection, messages: list[str], condition: ast.Expression
) -> list[tuple[bool, bool, bool]]:
    """For each message: whether it satisfies the condition, and what its template says: must, may."""
    found = leaf(condition)
    assert found is not None
    said = ask(connection, messages, found.must, found.may, shown=template)
    holds = ask(connection, messages, predicate(condition))
    return [(*held, *told) for held, told in zip(holds, said, strict=True)]


def ask(
    connection: duckdb.DuckDBPyConnection,
    messages: list[str],
    *pieces: Sql,
    shown: Callable[[str], str] = lambda message: message,
) -> list[tuple[bool, ...]]:
    columns = join(", ", pieces)
    source = "(SELECT unnest(?::VARCHAR[]) AS message, unnest(?::BIGINT[]) AS letters)"
    told = [list(map(shown, messages)), list(map(letters, messages))]
    return connection.execute(f"SELECT {columns.text} FROM {source}", [*columns.params, *told]).fetchall()


@settings(max_examples=600, deadline=None)
@given(st.data(), st.lists(needles.text, min_size=1, max_size=6))
def test_verdicts_are_never_wrong(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, messages: list[str]
) -> None:
    condition = data.draw(valid_conditions(messages))
    for message, (holds, must, may) in zip(messages, verdicts(connection, messages, condition), strict=True):
        assert must <= holds <= may, (format_condition(condition), message)


@settings(max_examples=600, deadline=None)
@given(st.data(), st.lists(needles.text, min_size=1, max_size=6))
def test_what_must_be_is_where_some_wildcards_are_the_words_that_all_messages_have(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, messages: list[str]
) -> None:
    condition = data.draw(valid_conditions(messages))
    kept = data.draw(st.lists(st.booleans(), min_size=1, max_size=5))

    def fuller(message: str) -> str:
        is_kept = itertools.cycle(kept)
        return "".join(WILDCARD if has_digit(run) and not next(is_kept) else run for run in words(message))

    found = leaf(condition)
    assert found is not None
    said = ask(connection, messages, found.must, shown=fuller)
    for message, (must,), (holds,) in zip(messages, said, ask(connection, messages, predicate(condition)), strict=True):
        assert must <= holds, (format_condition(condition), message, fuller(message))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(needles.text, min_size=1, max_size=6))
def test_where_no_word_has_a_digit_verdicts_are_exact(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, messages: list[str]
) -> None:
    messages = [message for message in messages if WILDCARD not in template(message)]
    condition = data.draw(conditions(messages))
    if isinstance(condition, ast.Match | ast.Contains) or (isinstance(condition, ast.Phrase) and condition.prefix):
        return
    if any(WILDCARD in template(text) for text in texts_of(condition)):
        return
    for holds, must, may in verdicts(connection, [*messages, "id=4711 gone"], condition):
        assert must == holds == may, format_condition(condition)


def texts_of(condition: ast.Expression) -> tuple[str, ...]:
    match condition:
        case ast.Phrase(_, text) | ast.Comparison(_, _, ast.Text(text)):
            return (text,)
        case ast.OneOf(_, values):
            return values
    return ()


LINES = (
    "GET /api/users/42 took 17ms",
    "connection reset by peer",
    "user u-77 logged in",
    "[ERROR] timeout after 30 s: retrying",
)
"""Templates: `GET /api/users/# took #`, as it is, `user u-# logged in`, `[ERROR] timeout after # s: retrying`."""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("error", "0 0 0 1"),
        ('"logged in"', "0 0 1 0"),
        ("conn*", "0 1 0 0"),
        ("1*", "? 0 ? ?"),
        ("42", "? 0 ? ?"),
        ('"users/42"', "? 0 0 0"),
        ('"after 30 s"', "0 0 0 ?"),
        ('"u-77 logged"', "0 0 ? 0"),
        ('"timeout after 3"*', "0 0 0 ?"),
        ('"/api/"', "1 0 0 0"),
        ('message*="reset by"', "0 1 0 0"),
        ('message*="timeout after"', "0 0 0 1"),
        ('message*="time"', "0 0 0 1"),
        ('message*="7ms"', "? 0 0 0"),
        ('message*="S"', "? 0 0 0"),
        ('message^="GET "', "1 0 0 0"),
        ('message^="conn"', "0 1 0 0"),
        ('message$="17ms"', "? 0 0 0"),
        ('message$="peer"', "0 1 0 0"),
        ('message$=" peer"', "0 1 0 0"),
        ('message="connection reset by peer"', "0 1 0 0"),
        ('message="user u-77 logged in"', "0 0 ? 0"),
        ('message in ("connection reset by peer", "user u-78 logged in")', "0 1 ? 0"),
        ("message:*", "1 1 1 1"),
        (r'message=~" took \\d+ms"', "? 0 0 0"),
        (r'message=~"^conn.*peer$"', "0 1 0 0"),
        (r'message=~"^connection .*by peer$"', "0 1 0 0"),
        (r'message=~" reset |timeout after "', "0 1 0 1"),
        (r'message=~"(?i)(error|failed)\\] "', "0 0 0 1"),
        (r'message=~"/[a-z]+/"', "1 0 0 0"),
        (r'message=~"[^0-9] t[a-z]+ "', "? 0 0 1"),
        (r'message=~"(?i)logged (in|out)$"', "0 0 ? 0"),
        (r'message=~"[0-9]+"', "? 0 ? ?"),
    ],
)
def test_typical_conditions(connection: duckdb.DuckDBPyConnection, query: str, expected: str) -> None:
    """`1`: every message of the template; `0`: none; `?`: only the message tells."""
    condition = parse(query).filter
    said = ["?" if must != may else str(int(may)) for _, must, may in verdicts(connection, list(LINES), condition)]
    assert " ".join(said) == expected


@pytest.mark.parametrize(
    "condition",
    [
        ast.Phrase(MESSAGE, WILDCARD),
        ast.Contains(MESSAGE, ast.Affix.START, f"a {WILDCARD}"),
        ast.OneOf(MESSAGE, (WILDCARD, "a 1")),
        ast.Match(MESSAGE, WILDCARD),
        ast.Match(MESSAGE, f"{WILDCARD}.*"),
    ],
)
def test_a_wildcard_that_is_searched_for_says_nothing(
    connection: duckdb.DuckDBPyConnection, condition: ast.Expression
) -> None:
    assert [said[1:] for said in verdicts(connection, ["a 1"], condition)] == [(False, True)]


@pytest.mark.parametrize(
    "query", ["*", "pod:web", "status=404", 'message<"b"', "not error", "error timeout", "error or x", "time>=-15m"]
)
def test_other_conditions_are_no_leaves(query: str) -> None:
    assert leaf(parse(query).filter) is None


def test_a_pattern_with_an_error_is_one_here_too() -> None:
    with pytest.raises(InvalidQuery):
        leaf(ast.Match(MESSAGE, "("))
