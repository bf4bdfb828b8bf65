"""What is read of arrays without pyarrow, as pyarrow reads it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.native.arrays import has_one_of, int64s, is_one_of, repeated

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), max_size=20)
WORDS = st.sampled_from(["", "web", "api", "é", "x" * 40])


@given(st.lists(NUMBERS, max_size=4), st.integers(0, 2))
def test_numbers_are_those_of_all_chunks(chunks: list[list[int]], offset: int) -> None:
    parts = [pa.array([7] * offset + chunk, pa.int64())[offset:] for chunk in chunks]
    column = pa.chunked_array(parts, pa.int64())
    assert int64s(column).tolist() == column.to_pylist()
    assert int64s(column.cast(pa.timestamp("ns"))).tolist() == column.to_pylist()
    for part in parts:
        assert int64s(part).tolist() == part.to_pylist()


@given(NUMBERS, NUMBERS)
def test_numbers_that_are_wanted_are_marked(values: list[int], wanted: list[int]) -> None:
    found = is_one_of(np.array(values, np.int64), np.array(wanted, np.int64))
    assert found.tolist() == [value in wanted for value in values]


def test_of_very_many_wanted_each_is_found() -> None:
    numbers = np.random.default_rng(1).integers(-(2**62), 2**62, 50_000)
    assert is_one_of(numbers, numbers[::2])[::2].all()
    assert np.array_equal(is_one_of(numbers, numbers[:9]), np.isin(numbers, numbers[:9]))


@given(
    st.lists(st.lists(st.none() | WORDS, max_size=8), max_size=3),
    st.frozensets(WORDS),
    st.booleans(),
    st.integers(0, 2),
)
def test_texts_that_are_wanted_are_marked(
    chunks: list[list[str | None]], words: frozenset[str], is_encoded: bool, offset: int
) -> None:
    kind = pa.dictionary(pa.int32(), pa.string()) if is_encoded else pa.string()
    parts = [pa.array(["web"] * offset + chunk, pa.string()).cast(kind)[offset:] for chunk in chunks]
    column = pa.chunked_array(parts, kind)
    expected = pc.is_in(column, value_set=pa.array(words, pa.string())).to_pylist()
    assert has_one_of(column, words).tolist() == expected


@pytest.mark.parametrize("count", [1, 16, 17, 500])
def test_many_words_are_found_among_very_many(count: int) -> None:
    column = pa.chunked_array([pa.array([f"w{at}" for at in range(9_000)]).dictionary_encode()])
    wanted = {f"w{at * 8}" for at in range(count)}
    assert np.flatnonzero(has_one_of(column, wanted | {"none"})).tolist() == [at * 8 for at in range(count)]


@given(WORDS, st.integers(0, 9))
def test_a_text_is_repeated(word: str, rows: int) -> None:
    column = repeated(word, rows)
    column.validate(full=True)
    assert column.to_pylist() == [word] * rows
