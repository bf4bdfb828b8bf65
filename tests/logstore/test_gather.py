"""Rows gathered from a table in chunks, against Arrow's own take."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logstore.gather import Rows

TEXTS = st.none() | st.text(max_size=40)
WORDS = st.none() | st.sampled_from(["", "a", "bee", "\u00e9"])
CHUNKS = st.lists(st.lists(st.tuples(TEXTS, WORDS, st.none() | st.integers(0, 9)), max_size=12), max_size=5)


def _table(chunks: list[list[tuple[str | None, str | None, int | None]]]) -> pa.Table:
    schema = pa.schema(
        [("text", pa.string()), ("word", pa.dictionary(pa.int32(), pa.string())), ("number", pa.int64())]
    )
    batches = []
    for rows in chunks:
        text, word, number = zip(*rows, strict=True) if rows else ((), (), ())
        padded = pa.array(["before", *text]).slice(1)  # an offset, as slices of batches have one
        words = pa.array(word, pa.string()).dictionary_encode()
        batches.append(pa.record_batch([padded, words, pa.array(number, pa.int64())], schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


@given(CHUNKS, st.data())
def test_gathered_rows_are_those_of_arrow(
    chunks: list[list[tuple[str | None, str | None, int | None]]], data: st.DataObject
) -> None:
    table = _table(chunks)
    places = st.integers(0, max(table.num_rows - 1, 0))
    rows = np.array(data.draw(st.lists(places, max_size=20 if table.num_rows else 0)), np.int64)
    gathered = Rows(table).take(rows)
    assert gathered.to_pylist() == table.take(pa.array(rows)).to_pylist()
    assert gathered.schema == table.schema


def test_a_dictionary_keeps_no_word_of_other_rows() -> None:
    table = _table([[("x", "a", 1), ("y", "bee", 2)], [("z", "a", 3)]])
    assert Rows(table).take(np.array([2, 0]))["word"].chunk(0).dictionary.to_pylist() == ["a"]
