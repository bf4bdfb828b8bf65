"""Parquet files put one after the other are read by every reader as their records were."""

from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore import thrift
from logstore.concatenate import NotAlike, concatenate
from logstore.errors import Damaged

TYPES = {"text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "flag": pa.bool_()}
VALUES = {
    "text": st.none() | st.text(max_size=5),
    "number": st.none() | st.floats(allow_nan=False),
    "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
    "flag": st.none() | st.booleans(),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Some rows of a required column, and of some of the others, in any order."""
    rows = draw(st.integers(1, 20))
    names = draw(st.lists(st.sampled_from(list(TYPES)), unique=True))
    columns = {
        name: pa.array(draw(st.lists(VALUES[name], min_size=rows, max_size=rows)), TYPES[name]) for name in names
    }
    fields = [pa.field("id", pa.int64(), nullable=False), *(pa.field(name, TYPES[name]) for name in names)]
    return pa.table([pa.array(range(rows), pa.int64()), *columns.values()], schema=pa.schema(fields))


@settings(max_examples=60, deadline=None)
@given(
    each=st.lists(tables(), min_size=1, max_size=4),
    group_rows=st.integers(1, 8),
    codec=st.sampled_from(["zstd", "none"]),
)
def test_all_readers_find_the_rows_of_each_file_in_order(
    tmp_path_factory: pytest.TempPathFactory, each: list[pa.Table], group_rows: int, codec: str
) -> None:
    directory = tmp_path_factory.mktemp("files")
    sources = [directory / f"{number}.parquet" for number in range(len(each))]
    for table, source in zip(each, sources, strict=True):
        pq.write_table(table, source, row_group_size=group_rows, compression=codec, store_schema=False)
    target = directory / "all.parquet"
    concatenate(sources, target, TYPES, {"made": "here"})

    expected = pa.concat_tables(each, promote_options="default")
    names = expected.column_names
    assert pq.read_table(target).select(names).equals(expected)
    assert duckdb.sql(f"from '{target}'").to_arrow_table().select(names).to_pylist() == expected.to_pylist()
    assert pl.read_parquet(target).select(names).rows() == [tuple(row.values()) for row in expected.to_pylist()]
    metadata = pq.read_metadata(target)
    assert metadata.metadata == {b"made": b"here"}
    assert metadata.num_row_groups == sum(pq.read_metadata(source).num_row_groups for source in sources)


def test_each_row_group_keeps_its_statistics(tmp_path: Path) -> None:
    sources = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for first, source in zip((0, 100), sources, strict=True):
        pq.write_table(pa.table({"id": range(first, first + 10)}), source, row_group_size=5)
    concatenate(sources, tmp_path / "all.parquet", {}, {})
    metadata = pq.read_metadata(tmp_path / "all.parquet")
    found = [metadata.row_group(group).column(0).statistics for group in range(4)]
    assert [(one.min, one.max) for one in found] == [(0, 4), (5, 9), (100, 104), (105, 109)]
    assert duckdb.sql(f"select count(*) from '{tmp_path}/all.parquet' where id > 102").fetchall() == [(7,)]


def test_columns_of_one_name_and_two_types_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["one"]}), tmp_path / "b.parquet")
    with pytest.raises(NotAlike, match="id"):
        concatenate([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "all.parquet", {}, {})


def test_a_required_column_that_a_file_lacks_is_refused(tmp_path: Path) -> None:
    required = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("text", pa.string())])
    pq.write_table(pa.table([[1], ["a"]], schema=required), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["b"]}), tmp_path / "b.parquet")
    with pytest.raises(NotAlike, match="id"):
        concatenate([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "all.parquet", TYPES, {})


@pytest.mark.parametrize(
    "content", [b"PAR1" + bytes(20), b"PAR1\xff\xff\xff\x03\x00\x00\x00PAR1"], ids=["cut", "footer"]
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(Damaged, match=r"a\.parquet"):
        concatenate([tmp_path / "a.parquet"], tmp_path / "all.parquet", {}, {})


def structs(depth: int = 3) -> st.SearchStrategy[thrift.Struct]:
    scalar = (
        st.tuples(st.sampled_from([thrift.TRUE, thrift.FALSE]), st.none())
        | st.tuples(st.just(thrift.BYTE), st.integers(0, 255))
        | st.tuples(st.sampled_from([thrift.I16, thrift.I32, thrift.I64]), st.integers(-(2**63), 2**63 - 1))
        | st.tuples(st.just(thrift.DOUBLE), st.binary(min_size=8, max_size=8))
        | st.tuples(st.just(thrift.BINARY), st.binary(max_size=40))
        | st.tuples(
            st.just(thrift.LIST), st.tuples(st.just(thrift.TRUE), st.lists(st.sampled_from([1, 2]), max_size=40))
        )
        | st.tuples(st.just(thrift.LIST), st.tuples(st.just(thrift.I32), st.lists(st.integers(-9, 9), max_size=40)))
    )
    if depth:
        inner = st.tuples(st.just(thrift.STRUCT), st.deferred(lambda: structs(depth - 1)))
        scalar |= inner
    return st.dictionaries(st.integers(1, 300), scalar, max_size=6)


@settings(deadline=None)
@given(structs())
def test_a_struct_comes_back(struct: thrift.Struct) -> None:
    assert thrift.parse(thrift.serialize(struct)) == struct


@given(table=tables(), group_rows=st.integers(1, 8))
def test_footers_of_arrow_come_back_byte_by_byte(table: pa.Table, group_rows: int) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=group_rows)
    content = sink.getvalue().to_pybytes()
    footer = content[-8 - int.from_bytes(content[-8:-4], "little") : -8]
    assert thrift.serialize(thrift.parse(footer)) == footer


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(content: bytes) -> None:
    try:
        thrift.parse(content)
    except ValueError:
        return
