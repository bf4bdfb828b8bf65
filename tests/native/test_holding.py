"""Literals in texts, against a plain reading."""

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.lines_kernels import rows_holding
from logstore.native import holds

BYTES = 'aab"P:t\u00e9 '
LITERALS = st.text(BYTES, min_size=1, max_size=4) | st.sampled_from(['"tt":"P"', "b" * 70, "P" + "a" * 64])
PADDING = st.sampled_from(["", "a" * 61, "b:" * 40, "\u00e9" * 33])


@st.composite
def texts_around(draw: st.DrawFn) -> tuple[list[str | None], list[str]]:
    """Texts, some of which have one of the literals, wherever in a block of 64 bytes."""
    literals = draw(st.lists(LITERALS, min_size=1, max_size=2))
    middle = st.text(BYTES, max_size=6) | st.sampled_from(literals) | st.sampled_from([text[:-1] for text in literals])
    text = st.builds("".join, st.tuples(PADDING, middle, st.text(BYTES, max_size=3), middle, PADDING))
    return draw(st.lists(st.none() | text, max_size=8)), literals


@given(texts_around(), st.integers(0, 3))
@example((["a" * 63 + '"P', '"t'], ['"P"t']), 0)
@example((["", None], ["a"]), 0)
def test_rows_hold_a_literal_where_a_plain_reading_finds_it(
    around: tuple[list[str | None], list[str]], skipped: int
) -> None:
    texts, literals = around
    column = pa.array(texts, pa.string()).slice(min(skipped, len(texts)))
    expected = [text is not None and any(literal in text for literal in literals) for text in column.to_pylist()]
    assert rows_holding(column, literals).tolist() == expected
    for text in filter(None, texts):
        assert [holds(text.encode(), literal.encode()) for literal in literals] == [one in text for one in literals]
