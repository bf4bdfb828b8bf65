"""The order of rows, against numpy's and Python's own sorting."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logstore.buffer import number
from logstore.gather import Rows
from logstore.order import runs, sorted_rows
from logstore.record import DAY_NS
from logstore.word_column import WordColumn
from tests.logstore.records import BASE_NS, batch

FEW = st.integers(-3, 3)
ANY = st.integers(-(2**63), 2**63 - 1)
NEAR = st.integers(1_700_000_000_000_000_000, 1_700_000_000_000_009_999)
WORDS = st.none() | st.sampled_from(["", "a", "B", "bee", "é", "\U0001f600", "￿"])


@given(st.lists(st.tuples(FEW, ANY | FEW, NEAR), max_size=300))
def test_rows_are_sorted_by_the_first_key_and_then_by_the_next(rows: list[tuple[int, int, int]]) -> None:
    keys = [np.array([row[i] for row in rows], np.int64) for i in range(3)]
    assert sorted_rows(*keys).tolist() == sorted(range(len(rows)), key=rows.__getitem__)


@given(st.integers(0, 2**32), st.integers(1, 2**40), st.sampled_from([10, 1_000, 20_000]))
def test_many_rows_are_sorted_as_numpy_sorts_them(seed: int, greatest: int, count: int) -> None:
    random = np.random.default_rng(seed)
    keys = random.integers(0, 5, count), random.integers(-greatest, greatest, count)
    assert np.array_equal(sorted_rows(*keys), np.lexsort(tuple(reversed(keys))))


@given(st.lists(st.lists(WORDS, max_size=6), max_size=4))
def test_ranks_sort_as_words_do(chunks: list[list[str | None]]) -> None:
    encoded = [pa.array(chunk, pa.string()).dictionary_encode() for chunk in chunks]
    ranks = WordColumn.of(pa.chunked_array(encoded, pa.dictionary(pa.int32(), pa.string()))).ranks().tolist()
    words = [word or "" for chunk in chunks for word in chunk]
    ordered = {word: rank for rank, word in enumerate(sorted(set(words)))}
    assert [sorted(set(ranks)).index(rank) for rank in ranks] == [ordered[word] for word in words]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.sampled_from("xyz")), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_a_run_has_one_partition_and_day_and_no_more_rows_than_it_may(
    records: list[tuple[str, int, str]], max_rows: int
) -> None:
    namespaces, hours, pods = zip(*records, strict=True)
    times = [BASE_NS + hour * 3_600 * 10**9 for hour in hours]
    made = batch([""] * len(records), namespace=namespaces, pod=pods, time_ns=times)
    table = pa.Table.from_batches([number(made, 0)])
    found = runs(table, Rows(table).words, 256, 4, max_rows)
    assert sorted(row for run in found for row in run.rows) == list(range(len(records)))
    for run in found:
        assert len(run.rows) <= max_rows
        assert {namespaces[row] for row in run.rows} == {namespaces[run.rows[0]]}
        assert {times[row] // DAY_NS * DAY_NS for row in run.rows} == {run.window_ns}
    for before, after in pairwise(found):
        if namespaces[before.rows[0]] == namespaces[after.rows[0]]:
            assert max(times[row] for row in before.rows) <= min(times[row] for row in after.rows)
