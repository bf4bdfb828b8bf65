"""What every match of a pattern contains, against RE2 itself."""

from collections.abc import Callable

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.regexes import LONG_S, NOTHING, Needed, fold, needed, plain
from tests.query import needles
from tests.query.relation import connect

CHANGES: list[Callable[[str], str]] = [str, str.swapcase, lambda text: text.replace("s", LONG_S)]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return connect()


def first_match(connection: duckdb.DuckDBPyConnection, text: str, pattern: str) -> str | None:
    """None where there is none, or the pattern is no RE2."""
    sql = "SELECT CASE WHEN regexp_matches($text, $pattern) THEN regexp_extract($text, $pattern) END"
    try:
        found = connection.execute(sql, {"text": text, "pattern": pattern}).fetchone()
    except duckdb.Error:
        return None
    assert found is not None
    return None if found[0] is None else str(found[0])


@settings(max_examples=1000, deadline=None)
@given(needles.samples, st.sampled_from(CHANGES), needles.text)
def test_every_match_contains_what_is_needed(
    connection: duckdb.DuckDBPyConnection, sample: tuple[str, str], change: Callable[[str], str], around: str
) -> None:
    pattern, text = sample
    for candidate in (text, change(text), around + text + around):
        found = first_match(connection, candidate, pattern)
        if found is not None:
            wanted = needed(pattern)
            match = fold(found) if wanted.folded else found
            assert any(all(part in match for part in parts) for parts in wanted.alternatives), (found, wanted)


def test_the_long_s_is_the_only_character_that_case_folding_sees_otherwise(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    sql = (
        "SELECT c FROM (SELECT unnest(?::VARCHAR[]) AS c)"
        " WHERE regexp_matches(c, '(?i)^[\\x00-\\x7f]$') AND NOT regexp_matches(lower(c), '^[\\x00-\\x7f]$')"
    )
    assert connection.execute(sql, [characters]).fetchall() == [(LONG_S,)]


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("error", [("error",)]),
        ("a.c", [("a", "c")]),
        (r"id=\d+ user=(\w+)", [(" user=", "id=")]),
        ("conn(ection)? reset", [(" reset", "conn")]),
        ("(timeout|refused): x", [("timeout: x",), ("refused: x",)]),
        ("timeout|refused", [("timeout",), ("refused",)]),
        ("ab+c", [("ab", "c")]),
        ("ab*c", [("a", "c")]),
        ("(ab){2}c", [("ab", "c")]),
        ("[Ee]rror", [("Error",), ("error",)]),
        (r"\[[A-Z]+\] \Q1.5*\Ex", [("] 1.5*x", "[")]),
        (r"^\x41\x{42}\.$", [("AB.",)]),
    ],
)
def test_typical_patterns(pattern: str, texts: list[tuple[str, ...]]) -> None:
    assert needed(pattern) == Needed(tuple(texts))


def test_where_case_does_not_count_texts_are_folded() -> None:
    assert needed("(?i)Réset: K") == Needed((("set: k", "r"),), folded=True)
    assert needed("x(?i:Y)") == Needed((("xy",),), folded=True)


@pytest.mark.parametrize(
    "pattern",
    ["", ".*", "a|", "(a|b)?", "[^a]", "a*", "a(?i)*", r"a\Q\E*", r"\101", "x" * 1001, "(" * 40 + "a" + ")" * 40],
)
def test_nothing_is_said_where_it_is_not_sure(pattern: str) -> None:
    assert needed(pattern) == NOTHING


def test_plain_patterns() -> None:
    assert plain("timeout|refused by") == ("timeout", "refused by")
    assert plain("") == ("",)
    assert plain("a.b") is None
