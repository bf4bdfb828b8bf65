"""Rows that are alike, and the words of rows, as a plain reading finds them."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ingest.placing_kernels import rows_alike, take_words

CODES = st.one_of(st.none(), st.integers(0, 3))


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[CODES] * width), min_size=1, max_size=60)))
def test_rows_are_alike_where_all_their_codes_are(rows: list[tuple[int | None, ...]]) -> None:
    columns = [pa.array(column, pa.int32()) for column in zip(*rows, strict=True)]
    first, which = rows_alike(columns, len(rows))
    distinct = list(dict.fromkeys(rows))
    assert [rows[row] for row in first] == distinct
    assert [rows[row] for row in first[which]] == rows
    assert first.tolist() == [rows.index(one) for one in distinct]


@given(st.integers(0, 9), st.integers(1, 20))
def test_a_column_may_begin_anywhere_in_its_buffers(offset: int, count: int) -> None:
    codes = [None if place % 3 == 0 else place % 5 for place in range(offset + count)]
    column = pa.array(codes, pa.int32())[offset:]
    first, which = rows_alike([column], count)
    assert [codes[offset + row] for row in first[which]] == codes[offset:]


def test_no_column_tells_rows_apart() -> None:
    first, which = rows_alike([], 3)
    assert (first.tolist(), which.tolist()) == ([0], [0, 0, 0])


def test_as_many_groups_as_rows_are_found() -> None:
    count = 100_000
    codes = np.random.default_rng(1).permutation(count).astype(np.int32)
    first, which = rows_alike([pa.array(codes), pa.array(codes % 7)], count)
    assert np.array_equal(first, np.arange(count)) and np.array_equal(which, np.arange(count))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=20),
    st.data(),
)
def test_the_words_of_rows_are_those_of_their_places(known: list[tuple[int, int]], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(known) - 1), min_size=1, max_size=10))
    which = data.draw(st.lists(st.integers(0, len(places) - 1), min_size=1, max_size=30))
    columns = [np.array(column, np.int32) for column in zip(*known, strict=True)]
    sizes = [6, 3]
    layout = np.array([(one.ctypes.data, size) for one, size in zip(columns, sizes, strict=True)], np.int64)
    is_used, taken = take_words(layout, np.array(places, np.int32), np.array(which, np.int32))
    codes = np.frombuffer(taken, np.int32).reshape(2, len(which))
    for number, (column, begin) in enumerate(zip(columns, (0, 6), strict=True)):
        words = np.flatnonzero(np.frombuffer(is_used[begin : begin + sizes[number]], np.uint8))
        assert words.tolist() == sorted({int(column[place]) for place in places})
        assert words[codes[number]].tolist() == [int(column[places[one]]) for one in which]
