"""Column chunks kept in memory: what is read through them is what the files have, within their bound."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.chunks import LARGEST_SHARE, Chunks, Read

ROWS, GROUP_ROWS = 1_000, 100
NAMES = ("number", "word", "text", "no_column")
ASKED = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.lists(st.integers(0, ROWS // GROUP_ROWS - 1), min_size=1, unique=True),
        st.sets(st.sampled_from(NAMES), min_size=1),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    paths = [tmp_path_factory.mktemp("chunks") / f"{number}.parquet" for number in range(2)]
    for number, path in enumerate(paths):
        table = pa.table(
            {
                "number": pa.array(range(number, number + ROWS)),
                "word": pa.array([f"w{row % 7}" for row in range(ROWS)]).dictionary_encode(),
                "text": pa.array([f"text {row * (number + 1)}" for row in range(ROWS)]),
            }
        )
        pq.write_table(table, path, row_group_size=GROUP_ROWS)
    return paths


def reader(path: Path, asked: list[int]) -> Read:
    """Reads a file, and notes how many columns were asked for."""

    def read(groups: Sequence[int], names: Collection[str]) -> pa.Table:
        asked.append(len(names))
        with pq.ParquetFile(path, read_dictionary=["word"]) as file:
            return file.read_row_groups(list(groups), columns=[n for n in file.schema_arrow.names if n in names])

    return read


@given(ASKED, st.sampled_from([0, 20_000, 1 << 20]))
def test_what_is_read_is_what_the_file_has(
    files: list[Path], asked: list[tuple[int, list[int], set[str]]], max_bytes: int
) -> None:
    chunks = Chunks(max_bytes)
    for number, groups, names in asked:
        read = reader(files[number], [])
        found = chunks.read(files[number], read, groups, names)
        plain = read(groups, names)
        assert set(found.column_names) == names - {"no_column"}
        assert {name: found[name].to_pylist() for name in found.column_names} == plain.to_pydict()
        assert chunks.readings()["chunk_cache_bytes"] <= max_bytes


def test_what_was_read_a_moment_ago_is_not_read_again(files: list[Path]) -> None:
    chunks, asked = Chunks(), list[int]()
    read = reader(files[0], asked)
    chunks.read(files[0], read, [1, 2], ["number", "no_column"])
    chunks.read(files[0], read, [2, 1], ["number", "word", "no_column"])
    chunks.read(files[0], read, [1], ["word"])
    assert asked == [2, 2, 1, 1]
    assert chunks.readings()["chunk_loads"] == 6


def test_what_is_large_is_not_kept(files: list[Path]) -> None:
    table = pq.read_table(files[0], columns=["text"]).slice(0, GROUP_ROWS).combine_chunks()
    size_bytes = table["text"].get_total_buffer_size()
    chunks, asked = Chunks(LARGEST_SHARE * size_bytes // 2), list[int]()
    for _ in range(2):
        chunks.read(files[0], reader(files[0], asked), [0], ["text"])
    assert asked == [1, 1] and chunks.readings()["chunk_cache_bytes"] == 0
