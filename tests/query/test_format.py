"""`parse` reads back what `format` writes."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query import ast
from query.format import format, quoted  # noqa: A004
from query.parser import parse
from tests.query import strategies

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.queries)
def test_a_formatted_query_parses_to_itself(query: ast.Query) -> None:
    assert parse(format(query), query.now_ns) == query


@given(ANY_TEXT)
def test_every_text_survives_quoting(text: str) -> None:
    assert parse(f"user={quoted(text)}").filter == ast.Comparison(ast.Operator.EQ, ast.Name("user"), ast.Text(text))


@given(ANY_TEXT, ANY_TEXT)
def test_every_field_name_and_phrase_survives(name: str, phrase: str) -> None:
    query = ast.Query(ast.Phrase(ast.Name(name), phrase, prefix=True), (ast.Fields((ast.Name(name),)),))
    assert parse(format(query)) == query
