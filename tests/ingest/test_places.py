"""What metadata told before, as a plain reading of each row finds it."""

import threading
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.identity_table import default_table
from ingest.places import COLUMNS, Defaults, Keys, Places, tell

PODS = st.one_of(st.none(), st.sampled_from(["", "web", "ä", "x" * 300]))
METADATA = st.one_of(
    st.none(),
    st.sampled_from(
        [
            '{"kubernetes":{"pod_name":"p","namespace_name":"default","labels":{"app":"a"},"odd":1.50}}',
            '{"kubernetes":{"pod_name":"q","namespace_name":"shop"},"trace":{"id":"t1"}}',
            '{"trace":{"id":"t2"},"log.level":"WARN","k8s.cluster.name":"prod"}',
        ]
    ),
)
LABELS = st.one_of(st.none(), st.sampled_from(['{"a":"b"}', "{}"]))
ROW = st.tuples(METADATA, LABELS, st.just(""), st.sampled_from(["", "shop", "default"]), PODS, st.just(""), st.just(""))


def parts_of(rows: Sequence[Keys], offset: int = 0) -> list[pa.DictionaryArray]:
    """Columns of the rows, which begin somewhere in their buffers."""
    columns = zip(*rows[:1] * offset, *rows, strict=True)
    return [pa.array(column, pa.string()).dictionary_encode()[offset:] for column in columns]


def words(told: dict[str, pa.DictionaryArray], rows: int) -> list[dict[str, str | None]]:
    columns = {name: column.to_pylist() if len(column) else [None] * rows for name, column in told.items()}
    return [{name: column[row] for name, column in columns.items()} for row in range(rows)]


def by_itself(row: Keys, defaults: Defaults) -> dict[str, str | None]:
    return words(tell(default_table(), parts_of([row]), defaults), 1)[0]


@given(st.lists(ROW, min_size=1, max_size=12), st.integers(0, 2), st.sampled_from([("c", "default"), ("", "shop")]))
@example([(None, None, "", "", None, "", ""), (None, None, "", "default", "", "", "")], 1, ("", "default"))
def test_each_row_is_told_the_same_alone_and_among_others(rows: list[Keys], offset: int, defaults: Defaults) -> None:
    told = tell(default_table(), parts_of(rows, offset), defaults)
    assert list(told) == list(COLUMNS)
    for column in told.values():
        column.validate(full=True)
        texts = column.dictionary.to_pylist()
        assert len(set(texts)) == len(texts)
    assert words(told, len(rows)) == [by_itself(row, defaults) for row in rows]


def test_what_is_not_known_is_asked_for_once() -> None:
    places = Places(default_table())
    rows: list[Keys] = [("", None, "", "", pod, "", "") for pod in ("a", "b", "a", "c", "b")]
    assert places.tell(parts_of(rows), ("", "")) == [0, 1, 3]
    places.add(rows[1])
    assert places.tell(parts_of(rows), ("", "")) == [0, 3]
    for row in rows:
        places.add(row)
    told = places.tell(parts_of(rows), ("", ""))
    assert isinstance(told, dict)
    assert told["pod"].to_pylist() == ["a", "b", "a", "c", "b"]


def test_as_many_as_there_are_rows_are_told_apart() -> None:
    count = 20_000
    pods = [f"pod-{number}" for number in np.random.default_rng(1).permutation(count)]
    rows: list[Keys] = [(None, None, "", f"n{at % 7}", pod, "", "") for at, pod in enumerate(pods)]
    told = tell(default_table(), parts_of(rows), ("c", "d"))
    assert told["pod"].to_pylist() == pods
    assert told["namespace"].to_pylist() == [f"n{at % 7}" for at in range(count)]
    assert told["cluster"].dictionary.to_pylist() == ["c"]


def test_threads_tell_while_others_add() -> None:
    wrong: list[str] = []

    def tell_some(seed: int) -> None:
        for turn in range(30):
            pods = [f"t-{(seed * turn + at) % 5_000}" for at in range(300)]
            told = tell(default_table(), parts_of([(None, None, "", "", pod, "", "") for pod in pods]), ("", ""))
            if told["pod"].to_pylist() != pods:
                wrong.append(f"{seed} {turn}")

    threads = [threading.Thread(target=tell_some, args=(seed,)) for seed in (7, 11, 13, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
