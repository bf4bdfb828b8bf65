"""Sorted Parquet segments: what a flush and a compaction write, and nothing else reads as a file. What reads one raises
`Damaged` where that cannot be done.

Records are in the order of logstore/order.py, a row group a slice. What the directory says stands in the path only,
and once more in the file's key-value metadata:

    logstore.format     version of this layout
    logstore.order      the sort order
    logstore.partition  JSON object of the partition's values
    logstore.window_ns  start of the epoch-aligned day all records lie in, or -1

Beside the record's columns there are `_template`, the id of the message's template (logstore/templates.py), and the
frequent attributes under their own names (logstore/columns.py), copies of what is frequent in their objects among them;
`attributes` has the others.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from logstore import attributes, pages
from logstore.attributes import ARROW
from logstore.catalog import Segment
from logstore.chunks import Chunks, Read
from logstore.columns import AttributeColumns
from logstore.native.arrays import int64s, repeated
from logstore.order import Ints
from logstore.record import STORED
from logstore.unreadable import naming
from logstore.wanted import EVERYTHING, Wanted

FORMAT_VERSION: Final = 2
TEMPLATE: Final = "_template"
_CHUNKS: Final = Chunks()
AT_ONCE_ROWS: Final = 2_048
"""Of so few records a column is read sooner than it is asked whether that is needed."""


def read(segment: Segment) -> pa.Table:
    """The records of a segment in the stored schema."""
    table = read_columns(segment)
    return joined(table, segment.columns)


def joined(table: pa.Table, columns: AttributeColumns) -> pa.Table:
    """Records in the stored schema of records with attribute columns."""
    if not columns.is_split:
        return table.select(STORED.names)
    return with_rest(table.select(STORED.names), _joined(table, columns))


def with_rest(table: pa.Table, rest: pa.StringArray) -> pa.Table:
    """The records with these texts as their attributes."""
    return table.set_column(table.schema.get_field_index("attributes"), STORED.field("attributes"), rest)


def _joined(table: pa.Table, columns: AttributeColumns) -> pa.StringArray:
    return _attributes(_plain(table.select(list(_sources(columns)))), columns)


def _sources(columns: AttributeColumns) -> Iterable[str]:
    """The file's columns that attributes are made of."""
    if not columns.is_split:
        return ("attributes",)
    return ("message",) if columns.of_line else ("attributes", "message", *dict(columns.kinds))


def _attributes(plain: Mapping[str, pa.Array], columns: AttributeColumns) -> pa.StringArray:
    if columns.of_line:
        return attributes.of_line(plain["message"])
    kinds = [(key, plain[key]) for key, _ in columns.kinds]
    return attributes.join(plain["attributes"], kinds, columns.omitted, plain["message"])


def read_columns(segment: Segment) -> pa.Table:
    """The records of a segment: the stored schema, the path's columns included, then its attribute columns."""
    with naming(segment.path), pq.ParquetFile(segment.path, page_checksum_verification=True) as file:
        table = file.read()
        values = json.loads(file.metadata.metadata[b"logstore.partition"])
        fields = [*STORED, *(pa.field(name, ARROW[kind]) for name, kind in segment.columns.stored.items())]
        return pa.table([_column(table, values, field) for field in fields], schema=pa.schema(fields))


def read_layout(segment: Segment) -> tuple[Ints, Ints]:
    """The row after each row group's last, and the id of each record's template."""
    with naming(segment.path), pq.ParquetFile(segment.path) as file:
        rows = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        return np.cumsum(rows), int64s(file.read([TEMPLATE])[TEMPLATE])


def read_groups(
    segment: Segment,
    groups: Sequence[int],
    names: Sequence[str],
    between_ns: tuple[int, int] | None = None,
    wanted: Wanted = EVERYTHING,
) -> pa.Table:
    """These columns of the stored schema, of the records of these row groups.

    Where two times are given, both inclusive, `time` is among the columns, and records that are not `between_ns` may be
    missing; so may those that are not wanted.
    """
    needed = _needed(segment, names)
    with naming(segment.path):
        with _opened(segment) as file:
            if wanted or between_ns is not None:
                table = _read_wanted(segment, file, groups, needed, wanted, between_ns)
            else:
                table = _read(file, groups, needed)
        if between_ns is not None and _has_more(segment, names):
            table = table.filter(pa.array(_is_between(table, between_ns)))
        return _stored(segment, table, names)


def read_rows(segment: Segment, groups: Sequence[int], rows: Ints, names: Sequence[str]) -> pa.Table:
    """These columns of the stored schema, but without dictionaries, of the records that have these places (ascending)
    among those of these row groups."""
    needed = _needed(segment, names)
    with naming(segment.path):
        with _reading(segment) as read:
            table = _read_rows(segment, partial(_CHUNKS.read, segment.path, read), groups, rows, needed)
        columns = _plain(table)
        if _has_more(segment, names):
            columns["attributes"] = _attributes(columns, segment.columns)
        for name, word in partition(segment.path).items():
            columns.setdefault(name, repeated(word, len(rows)))
        return pa.table([columns[name] for name in names], names=list(names))


def _plain(table: pa.Table) -> dict[str, pa.Array]:
    """The columns in one piece each, without dictionaries."""
    kinds = {field.name: pa.string() if pa.types.is_dictionary(field.type) else field.type for field in table.schema}
    batches = [batch.to_struct_array().cast(pa.struct(list(kinds.items()))) for batch in table.to_batches()]
    if not batches:
        return {name: pa.array([], kind) for name, kind in kinds.items()}
    whole = batches[0] if len(batches) == 1 else pa.concat_arrays(batches)
    return dict(zip(table.column_names, whole.flatten(), strict=True))


def _read_rows(segment: Segment, read: Read, groups: Sequence[int], rows: Ints, needed: Collection[str]) -> pa.Table:
    """Those of these columns that the file has. Groups that have none of the rows are not read."""
    metadata = _metadata(segment.path)
    sizes = np.array([metadata.row_group(group).num_rows for group in groups], np.int64)
    if len(rows) == sizes.sum():
        return read(groups, needed)
    has_some, which, in_groups, places = pages.spread(sizes, rows)
    some = [groups[at] for at in has_some]
    messages = _messages_at(segment, some, in_groups, which) if "message" in needed else None
    if messages is None:
        return read(some, needed).take(places)
    others = read(some, set(needed).difference(["message"])).take(places)
    return pa.table({**{name: others[name] for name in others.column_names}, "message": messages})


def _messages_at(segment: Segment, groups: Sequence[int], rows: Ints, which: Ints) -> pa.ChunkedArray | None:
    """The messages of these rows, each of the group at that position; None where they have to be read whole."""
    metadata = _metadata(segment.path)
    with segment.path.open("rb", buffering=0) as content:
        found = [
            pages.texts(content.fileno(), metadata, group, "message", rows[which == number])
            for number, group in enumerate(groups)
        ]
    return None if any(one is None for one in found) else pa.chunked_array(found, pa.string())


@contextmanager
def _reading(segment: Segment) -> Iterator[Read]:
    """Reads of the segment's file, which is opened for the first."""
    with ExitStack() as stack:
        opened: list[pq.ParquetFile] = []

        def read(groups: Sequence[int], names: Collection[str]) -> pa.Table:
            if not opened:
                opened.append(stack.enter_context(_opened(segment)))
            return _read(opened[0], groups, names)

        yield read


@contextmanager
def _opened(segment: Segment) -> Iterator[pq.ParquetFile]:
    """Few of a row group's pages are read at a time, and columns with a dictionary as they are."""
    metadata, dictionaries = _footer(segment.path)
    with (
        pa.OSFile(str(segment.path)) as file,
        pq.ParquetFile(file, metadata=metadata, read_dictionary=dictionaries, pre_buffer=False) as opened,
    ):
        yield opened


def _stored(segment: Segment, table: pa.Table, names: Sequence[str]) -> pa.Table:
    """These columns of the stored schema, of records as they are in the segment's file."""
    if _has_more(segment, names):
        others = [name for name in table.column_names if name != "attributes"]
        whole = _joined(table, segment.columns)
        table = table.select(others).append_column(STORED.field("attributes"), whole)
    values = partition(segment.path)
    schema = pa.schema([STORED.field(name) for name in names])
    return pa.table([_column(table, values, field) for field in schema], schema=schema)


def _has_more(segment: Segment, names: Sequence[str]) -> bool:
    """Whether attributes are among the columns and have to be put together."""
    return "attributes" in names and segment.columns.is_split


def _read(file: pq.ParquetFile, groups: Sequence[int], needed: Collection[str]) -> pa.Table:
    present = [name for name in file.schema_arrow.names if name in needed]
    return file.read_row_groups(list(groups), columns=present, use_threads=False)


def _read_wanted(
    segment: Segment,
    file: pq.ParquetFile,
    groups: Sequence[int],
    needed: Collection[str],
    wanted: Wanted,
    between_ns: tuple[int, int] | None,
) -> pa.Table:
    """What tells which records are wanted is read first, the smallest of it before messages, and all else only of
    these; few records are read at once."""
    small = {*wanted.identity, *(["time"] if between_ns is not None else [])}.intersection(file.schema_arrow.names)
    rows = sum(file.metadata.row_group(group).num_rows for group in groups)
    if rows <= AT_ONCE_ROWS:
        table = _read(file, groups, {*needed, *small, *(["message"] if wanted.words else [])})
        mask = wanted.mask(table) & _is_between(table, between_ns)
        return table.select([name for name in table.column_names if name in needed]).filter(pa.array(mask))
    places = np.arange(rows)
    known: dict[str, pa.ChunkedArray | pa.Array] = {}
    if small:
        told = _read(file, groups, small)
        places = places[wanted.has_identity(told) & _is_between(told, between_ns)]
        known = dict(zip(told.column_names, told.take(places).columns, strict=True))
    if wanted.words:
        messages = _read_rows(segment, partial(_read, file), groups, places, ["message"])["message"]
        has_words = wanted.has_words(messages)
        places = places[has_words]
        known = {name: column.filter(pa.array(has_words)) for name, column in (known | {"message": messages}).items()}
    rest = _read_rows(segment, partial(_read, file), groups, places, set(needed).difference(known))
    read = dict(zip(rest.column_names, rest.columns, strict=True))
    return pa.table({**read, **{name: column for name, column in known.items() if name in needed}})


def _is_between(table: pa.Table, between_ns: tuple[int, int] | None) -> npt.NDArray[np.bool_]:
    if between_ns is None:
        return np.ones(table.num_rows, np.bool_)
    times = int64s(table["time"])
    mask: npt.NDArray[np.bool_] = (times >= between_ns[0]) & (times <= between_ns[1])
    return mask


def read_facts(segment: Segment, groups: Sequence[int], identity: Collection[str] = ()) -> pa.Table:
    """Of the records of these row groups the template's id, the time, and those of these columns of identity that are
    not in the path."""
    with naming(segment.path), _reading(segment) as read:
        return _CHUNKS.read(segment.path, read, groups, {TEMPLATE, "time", *identity})


def _needed(segment: Segment, names: Sequence[str]) -> set[str]:
    """The file's columns that these columns are made of."""
    needed = set(names)
    return (needed - {"attributes"}).union(_sources(segment.columns)) if "attributes" in names else needed


def chunk_bytes(segment: Segment, groups: Sequence[int], names: Sequence[str]) -> int:
    """Compressed bytes that `read_groups` reads."""
    needed = _needed(segment, names)
    metadata = _metadata(segment.path)
    found = (metadata.row_group(group).column(at) for group in groups for at in range(metadata.num_columns))
    return sum(chunk.total_compressed_size for chunk in found if chunk.path_in_schema in needed)


def group_rows(segment: Segment, groups: Sequence[int]) -> int:
    """How many records these row groups have."""
    metadata = _metadata(segment.path)
    return sum(metadata.row_group(group).num_rows for group in groups)


def group_times(segment: Segment) -> tuple[Ints, Ints]:
    """The least and the greatest time (ns) of each row group."""
    metadata = _metadata(segment.path)
    at = metadata.schema.names.index("time")
    # As raw integers: pyarrow's own conversion of nanoseconds needs pandas.
    found = [metadata.row_group(group).column(at).statistics for group in range(metadata.num_row_groups)]
    return np.array([one.min_raw for one in found], np.int64), np.array([one.max_raw for one in found], np.int64)


def row_groups(segment: Segment) -> int:
    """How many row groups the segment has."""
    return int(_metadata(segment.path).num_row_groups)


def file_readings() -> dict[str, float]:
    """The numbers of footers and column chunks in memory, for /metrics."""
    found = _footer.cache_info()
    return {"footer_cache_segments": found.currsize, "footer_loads": found.misses, **_CHUNKS.readings()}


@lru_cache(maxsize=256)
def _footer(path: Path) -> tuple[pq.FileMetaData, list[str]]:
    """And the names of the columns of texts that have a dictionary."""
    with naming(path):
        metadata = pq.read_metadata(path)
        columns = [metadata.row_group(0).column(at) for at in range(metadata.num_columns)]
        texts = (column for column in columns if column.physical_type == "BYTE_ARRAY" and column.has_dictionary_page)
        return metadata, [column.path_in_schema for column in texts]


def _metadata(path: Path) -> pq.FileMetaData:
    return _footer(path)[0]


def footer(segment: Segment) -> pq.FileMetaData:
    """What the file says of its row groups."""
    return _metadata(segment.path)


@lru_cache(maxsize=4_096)
def partition(path: Path) -> Mapping[str, str]:
    """The partition's values, as the file has them."""
    with naming(path):
        found: dict[str, str] = json.loads(_metadata(path).metadata[b"logstore.partition"])
    return found


def _column(table: pa.Table, values: Mapping[str, str], field: pa.Field) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        value = pa.array([values[field.name]], pa.string())
        indices = pa.array(np.zeros(table.num_rows, dtype=np.int32))
        return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, value)])
    column = table[field.name]
    if column.type == field.type:
        return column
    is_encoded = pa.types.is_dictionary(column.type) or not pa.types.is_dictionary(field.type)
    return (column if is_encoded else column.dictionary_encode()).cast(field.type)


def concat(each: Sequence[pa.Table], columns: AttributeColumns) -> pa.Table:
    """Records of several segments as `read_columns` gives them, under the columns of all."""
    schema = pa.schema([*STORED, *(pa.field(name, ARROW[kind]) for name, kind in columns.stored.items())])
    return pa.concat_tables(each, promote_options="default").select(schema.names).cast(schema)
