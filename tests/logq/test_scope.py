"""Flags narrow a query without changing its meaning, and an error's place is found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logq.scope import filter_end, narrowed, quoted


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("*", 'namespace="shop" and (*)'),
        ("a or b", 'namespace="shop" and (a or b)'),
        ("a | stats count()", 'namespace="shop" and (a )| stats count()'),
        ('"x | y" | limit 1', 'namespace="shop" and ("x | y" )| limit 1'),
        (r'"\" | y" | limit 1', r'namespace="shop" and ("\" | y" )| limit 1'),
        (r"`\` | limit 1", r'namespace="shop" and (`\` )| limit 1'),
        (
            "trace_id in (error | fields trace_id) b | limit 1",
            'namespace="shop" and (trace_id in (error | fields trace_id) b )| limit 1',
        ),
        ("| limit 1", 'namespace="shop" | limit 1'),
    ],
)
def test_the_filter_is_narrowed_and_the_pipes_stay(query: str, sent: str) -> None:
    assert narrowed(query, {"namespace": ["shop"]}).text == sent


def test_several_values_and_columns() -> None:
    text = narrowed("a", {"namespace": ["x", "y"], "pod": ['we"b\\']}).text
    assert text == 'namespace in ("x", "y") and pod="we\\"b\\\\" and (a)'


def test_without_flags_the_query_is_sent_as_typed() -> None:
    assert narrowed("a or b | x", {"namespace": []}).text == "a or b | x"


@given(st.text(alphabet='ab"`\\()| \n', max_size=30), st.data())
def test_every_place_of_the_typed_text_is_found_in_the_sent_one(query: str, data: st.DataObject) -> None:
    scoped = narrowed(query, {"namespace": ["shop"]})
    typed = data.draw(st.integers(0, len(query)))
    sent = typed + scoped.added + (scoped.closed if typed >= scoped.filter_end and scoped.closed else 0)
    before = scoped.text[:sent]
    line, column = before.count("\n") + 1, sent - (before.rfind("\n") + 1) + 1
    assert scoped.offset(line, column) == typed
    assert scoped.text[sent : sent + 1] == query[typed : typed + 1]


@given(st.text(alphabet='ab"`\\()| \n', max_size=30))
def test_the_filter_ends_at_a_pipe_or_at_the_end(query: str) -> None:
    end = filter_end(query)
    assert query[end : end + 1] in ("", "|")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_value_reads_back_as_itself(value: str) -> None:
    text = quoted(value)
    assert text[0] == text[-1] == '"'
    assert not any(character < " " for character in text)
    read, index = "", 1
    while index < len(text) - 1:
        if text[index] != "\\":
            read, index = read + text[index], index + 1
        elif text[index + 1] == "x":
            read, index = read + chr(int(text[index + 2 : index + 4], 16)), index + 4
        else:
            read, index = read + text[index + 1], index + 2
    assert read == value
