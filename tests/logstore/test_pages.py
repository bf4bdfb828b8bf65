"""Single texts out of Parquet's pages, against pyarrow, which reads whole columns."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstore import pages

TEXTS = st.lists(st.text(max_size=40) | st.just("é" * 3_000), min_size=1, max_size=200)
FIELD = pa.field("message", pa.string(), nullable=False)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages") / "file.parquet"


@pytest.fixture
def content(path: Path) -> Iterator[IO[bytes]]:
    path.touch()
    with path.open("r+b", buffering=0) as file:
        yield file


def write(path: Path, texts: list[str], **options: object) -> None:
    layout: dict[str, object] = {
        "compression": "zstd",
        "use_dictionary": False,
        "data_page_size": 1_000,
        "write_batch_size": 7,
    }
    layout["write_page_checksum"] = True
    table = pa.table({"message": texts}, schema=pa.schema([FIELD]))
    pq.write_table(table, path, **{**layout, **options})


def read(path: Path, rows: list[int], metadata: pq.FileMetaData | None = None) -> pa.StringArray | None:
    metadata = metadata or pq.read_metadata(path)
    with path.open("rb") as file:
        return pages.texts(file.fileno(), metadata, 0, "message", np.array(rows, np.int64))


@given(st.data(), TEXTS)
def test_the_texts_are_those_of_the_rows(path: Path, data: st.DataObject, texts: list[str]) -> None:
    rows = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1))))
    write(path, texts)
    found = read(path, rows)
    assert found is not None
    found.validate(full=True)
    assert found.to_pylist() == [texts[row] for row in rows]


@pytest.mark.parametrize(
    ("option", "value"),
    [("use_dictionary", True), ("compression", "none"), ("compression", "gzip"), ("data_page_version", "2.0")],
)
def test_other_layouts_are_left_to_others(path: Path, option: str, value: object) -> None:
    write(path, ["a", "b"], **{option: value})
    assert read(path, [1]) is None


def test_texts_that_may_be_null_are_left_to_others(path: Path) -> None:
    pq.write_table(pa.table({"message": ["a", None]}), path, compression="zstd", use_dictionary=False)
    assert read(path, [0]) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_the_bytes_are_nothing_else_is_read(path: Path, content: IO[bytes], data: st.DataObject) -> None:
    write(path, [f"text {number}" * 9 for number in range(60)])
    metadata = pq.read_metadata(path)
    chunk = metadata.row_group(0).column(0)
    start, size = chunk.data_page_offset, chunk.total_compressed_size
    for _ in range(data.draw(st.integers(1, 4))):
        at = start + data.draw(st.integers(0, min(size - 1, 120)))
        os.pwrite(content.fileno(), data.draw(st.binary(min_size=1, max_size=3)), at)
    try:
        found = read(path, [0, 31, 59], metadata)
    except (OSError, pa.ArrowException):
        return
    assert found is None or len(found) == 3


def test_a_frame_that_claims_to_be_huge_takes_no_memory() -> None:
    content = b"\x28\xb5\x2f\xfd\xe0" + (1 << 44).to_bytes(8, "little") + bytes(9)
    page = np.array([(0, len(content), 100, 1)], pages._PAGE)
    with pytest.raises(OSError, match="not of the 100 bytes"):
        pages._plain(content, page)
