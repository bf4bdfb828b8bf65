"""Sorted Parquet segments: what a flush and a compaction write, and nothing else reads as a file.

Records are in the order of logstore/order.py, a row group a slice. What the directory says stands in the path only,
and once more in the file's key-value metadata:

    logstore.format     version of this layout
    logstore.order      the sort order
    logstore.partition  JSON object of the partition's values
    logstore.window_ns  start of the epoch-aligned hour all records lie in, or -1

Beside the record's columns there are `_template`, the id of the message's template (logstore/templates.py), and the
frequent attributes under their own names (logstore/columns.py); `attributes` has the others.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logstore import attributes, index
from logstore.attributes import ARROW, Kind
from logstore.catalog import NewSegment, Segment, StreamRange
from logstore.columns import AttributeColumns, worth_a_column
from logstore.files import DataDirectory, partition_directory
from logstore.kinds import Kinds
from logstore.order import ORDER, STREAM, WIDE_WINDOW, Ints, dictionary_ranks, run_starts, take, window_of
from logstore.record import IDENTITY, STORED

FORMAT_VERSION: Final = 2
TEMPLATE: Final = "_template"
GROUP_BYTES: Final = 16 << 20
"""A row group has fewer records where they would take more than this."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How segments are laid out on disk.

    `secret` is the store's, for the ids of templates; `column_rows`: records that have an attribute from which on it
    may be a column.
    """

    partition_by: tuple[str, ...]
    row_group_rows: int
    secret: bytes
    column_rows: int
    compression_level: int = 1

    @property
    def path_columns(self) -> tuple[str, ...]:
        return tuple(column for column in self.partition_by if column in IDENTITY)

    @property
    def has_hours(self) -> bool:
        return "hour" in self.partition_by


@dataclass(frozen=True, slots=True)
class _Contents:
    """The records of one file: in the stored schema, then the attribute columns."""

    table: pa.Table
    columns: AttributeColumns
    templates: Ints
    index: bytes


class SegmentWriter:
    """Writes sorted records of one partition and window as files under their final names, durable but unpublished.

    With pods and containers as directories one partition is many files.
    """

    def __init__(self, directory: DataDirectory, layout: Layout, kinds: Kinds) -> None:
        self._directory = directory
        self._kinds = kinds
        self.layout = layout

    def write(self, table: pa.Table, window_ns: int, received_ns: int) -> list[NewSegment]:
        """Of records in the stored schema."""
        return [self._write_file(self._split(part), part, window_ns, received_ns) for part in self._files(table)]

    def write_merged(
        self, table: pa.Table, columns: AttributeColumns, window_ns: int, received_ns: int
    ) -> list[NewSegment]:
        """Of records as `read_columns` gives them."""
        return [
            self._write_file(self._kept(part, columns), part, window_ns, received_ns) for part in self._files(table)
        ]

    def rebuild_index(self, segment: Segment) -> None:
        """Writes the index of a segment anew, from the segment alone."""
        table, columns = read_columns(segment), segment.columns
        self._directory.write_index(segment.path, self._kept(table, columns).index)

    def _files(self, table: pa.Table) -> Iterator[pa.Table]:
        inner = [column for column in self.layout.path_columns if column not in ("cluster", "namespace")]
        if not inner and not self.layout.has_hours:
            yield table
            return
        keys = [dictionary_ranks(table[column]) for column in inner]
        if self.layout.has_hours:
            keys.append(window_of(table["time"].cast(pa.int64()).to_numpy()))
        order = np.lexsort(tuple(reversed(keys)))
        table, keys = take(table, order), [key[order] for key in keys]
        starts = run_starts(*keys)
        for start, end in zip(starts, np.append(starts[1:], table.num_rows), strict=True):
            yield table.slice(int(start), int(end - start))

    def _split(self, table: pa.Table) -> _Contents:
        templates, content = index.build(table, self._ends(table), self.layout.secret)
        objects, messages = index.one_chunk(table["attributes"]), index.one_chunk(table["message"])
        worth = worth_a_column(attributes.survey(objects, _SURVEYED_KEYS), table.num_rows, self.layout.column_rows)
        kinds = self._kinds.of(worth)
        omitted = [key.key for key in worth if kinds.get(key.key) is Kind.TEXT and key.is_near_unique]
        keys = [(key.key, kinds[key.key]) for key in worth if key.key in kinds and key.key not in omitted]
        split = attributes.split(objects, keys, omitted, messages)
        in_rest = frozenset(key for (key, _), is_in in zip(keys, split.in_rest, strict=True) if is_in)
        table = _with_rest(table, split.rest)
        for (key, _), column in zip(keys, split.columns, strict=True):
            table = table.append_column(key, column)
        return _Contents(table, AttributeColumns(tuple(keys), tuple(omitted), in_rest), templates, content)

    def _kept(self, table: pa.Table, columns: AttributeColumns) -> _Contents:
        texts = [
            index.one_chunk(table[key]).cast(pa.string())
            for key, kind in columns.kinds
            if kind in (Kind.TEXT, Kind.INTEGER)
        ]
        messages = index.one_chunk(table["message"])
        omitted = [attributes.line_member(messages, key)[0] for key in columns.omitted]
        templates, content = index.build(table, self._ends(table), self.layout.secret, (*texts, *omitted))
        return _Contents(table, columns, templates, content)

    def _ends(self, table: pa.Table) -> Ints:
        return np.append(np.arange(self._group_rows(table), table.num_rows, self._group_rows(table)), table.num_rows)

    def _group_rows(self, table: pa.Table) -> int:
        row_bytes = max(table["message"].nbytes // table.num_rows, 1)
        return max(1, min(self.layout.row_group_rows, int(GROUP_BYTES // row_bytes)))

    def _write_file(self, contents: _Contents, table: pa.Table, window_ns: int, received_ns: int) -> NewSegment:
        times = table["time"].cast(pa.int64()).to_numpy()
        seqs = table["_seq"].to_numpy()
        first = {column: table[column][0].as_py() for column in IDENTITY}
        values = _partition_values(first, int(times[0]) if window_ns == WIDE_WINDOW else window_ns, self.layout)
        temporary = self._directory.temporary_file(".parquet")
        plain_bytes = self._write_parquet(contents, temporary, values, window_ns)
        name = f"{int(seqs.min()):016x}-{int(seqs.max()):016x}-{uuid.uuid4().hex[:8]}.parquet"
        target = self._directory.segments / partition_directory(values) / name
        size = temporary.stat().st_size
        self._directory.write_index(target, contents.index)
        self._directory.publish(temporary, target)
        segment = Segment(
            id=0,
            path=target,
            cluster=first["cluster"],
            namespace=first["namespace"],
            window_ns=window_ns,
            min_time_ns=int(times.min()),
            max_time_ns=int(times.max()),
            min_seq=int(seqs.min()),
            max_seq=int(seqs.max()),
            rows=table.num_rows,
            bytes=size,
            plain_bytes=plain_bytes,
            received_ns=received_ns,
            format=FORMAT_VERSION,
            columns=contents.columns,
        )
        return NewSegment(segment, tuple(_stream_ranges(table, times, self._ends(table))))

    def _write_parquet(
        self, contents: _Contents, path: Path, values: tuple[tuple[str, str], ...], window_ns: int
    ) -> int:
        table = contents.table.drop_columns(list(self.layout.path_columns))
        table = table.append_column(pa.field(TEMPLATE, pa.int64(), nullable=False), pa.array(contents.templates))
        words = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
        repeated = [key for key, _ in contents.columns.kinds if _is_repetitive(table[key])]
        table = _with_own_words(table, words)
        with pq.ParquetWriter(
            path,
            table.schema,
            compression="zstd",
            compression_level=self.layout.compression_level,
            use_dictionary=[*words, TEMPLATE, *repeated],
            column_encoding={"time": "DELTA_BINARY_PACKED", "_seq": "DELTA_BINARY_PACKED"},
            store_schema=False,
            data_page_version="1.0",
            write_statistics=["time", "_seq", *words, "trace_id", *(key for key, _ in contents.columns.kinds)],
        ) as writer:
            writer.add_key_value_metadata(
                {
                    "logstore.format": str(FORMAT_VERSION),
                    "logstore.order": ",".join(column for column in ORDER if column not in self.layout.path_columns),
                    "logstore.partition": json.dumps(dict(values)),
                    "logstore.window_ns": str(window_ns),
                }
            )
            writer.write_table(table, row_group_size=self._group_rows(contents.table))
        parquet = pq.read_metadata(path)
        return sum(parquet.row_group(i).total_byte_size for i in range(parquet.num_row_groups))


_SURVEYED_KEYS: Final = 256


def _with_rest(table: pa.Table, rest: pa.StringArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index("attributes"), STORED.field("attributes"), rest)


def _with_own_words(table: pa.Table, words: Iterable[str]) -> pa.Table:
    """The table with dictionaries that have no other words than its own rows."""
    for name in words:
        column = index.one_chunk(table[name])
        is_used = np.zeros(len(column.dictionary), np.bool_)
        is_used[column.indices.drop_null().to_numpy()] = True
        new_codes = pa.array((np.cumsum(is_used) - 1).astype(np.int32))
        words_used = column.dictionary.filter(pa.array(is_used))
        own = pa.DictionaryArray.from_arrays(new_codes.take(column.indices), words_used)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), own)
    return table


def _is_repetitive(column: pa.ChunkedArray) -> bool:
    """Whether values come often enough that a dictionary pays."""
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return True
    sample = column.slice(0, 8_192).drop_null()
    return len(sample) > 0 and pc.count_distinct(sample).as_py() * 4 < len(sample)


def _partition_values(first: dict[str, str], time_ns: int, layout: Layout) -> tuple[tuple[str, str], ...]:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    values = [(column, first[column]) for column in layout.path_columns]
    values.append(("date", moment.strftime("%Y-%m-%d")))
    if layout.has_hours:
        values.append(("hour", moment.strftime("%H")))
    return tuple(values)


def _codes(column: pa.ChunkedArray) -> Ints:
    """The dictionary's codes of a column of one chunk: equal values are equal codes."""
    codes: Ints = index.one_chunk(column).indices.fill_null(-1).to_numpy()
    return codes


def _stream_ranges(table: pa.Table, times: Ints, ends: Ints) -> Iterator[StreamRange]:
    """The rows of each stream in each row group."""
    groups = np.searchsorted(ends, np.arange(table.num_rows), side="right")
    starts = run_starts(groups, *(_codes(table[column]) for column in STREAM))
    finishes = np.append(starts[1:], table.num_rows)
    names = table.select(list(STREAM)).take(pa.array(starts)).to_pylist()
    lowest, highest = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    for at, (name, start, end) in enumerate(zip(names, starts, finishes, strict=True)):
        cluster, namespace, pod, container = (name[column] for column in IDENTITY)
        yield StreamRange(
            (cluster, namespace, pod, container, name["labels"] or ""),
            int(start),
            int(end - start),
            int(lowest[at]),
            int(highest[at]),
        )


def read(segment: Segment) -> pa.Table:
    """The records of a segment in the stored schema."""
    table = read_columns(segment)
    return joined(table, segment.columns)


def joined(table: pa.Table, columns: AttributeColumns) -> pa.Table:
    """Records in the stored schema of records with attribute columns."""
    if not columns.kinds and not columns.omitted:
        return table.select(STORED.names)
    return _with_rest(table.select(STORED.names), _joined(table, columns))


def _joined(table: pa.Table, columns: AttributeColumns) -> pa.StringArray:
    return attributes.join(
        index.one_chunk(table["attributes"]),
        [(key, index.one_chunk(table[key])) for key, _ in columns.kinds],
        columns.omitted,
        index.one_chunk(table["message"]),
    )


def read_columns(segment: Segment) -> pa.Table:
    """The records of a segment: the stored schema, the path's columns included, then its attribute columns."""
    with pq.ParquetFile(segment.path) as file:
        table = file.read()
        partition = json.loads(file.metadata.metadata[b"logstore.partition"])
    fields = [*STORED, *(pa.field(key, ARROW[kind]) for key, kind in segment.columns.kinds)]
    return pa.table([_column(table, partition, field) for field in fields], schema=pa.schema(fields))


def read_groups(segment: Segment, groups: Sequence[int], names: Sequence[str]) -> pa.Table:
    """These columns of the stored schema, of the records of these row groups."""
    columns = segment.columns
    needed = set(names) | ({"attributes", "message", *dict(columns.kinds)} if "attributes" in names else set())
    with pq.ParquetFile(segment.path, metadata=_metadata(segment.path)) as file:
        present = [name for name in file.schema_arrow.names if name in needed]
        table = file.read_row_groups(list(groups), columns=present, use_threads=False)
        partition = json.loads(file.metadata.metadata[b"logstore.partition"])
    if "attributes" in names and (columns.kinds or columns.omitted):
        table = _with_rest(table, _joined(table, columns))
    schema = pa.schema([STORED.field(name) for name in names])
    return pa.table([_column(table, partition, field) for field in schema], schema=schema)


@lru_cache(maxsize=256)
def _metadata(path: Path) -> pq.FileMetaData:
    return pq.read_metadata(path)


def _column(table: pa.Table, partition: dict[str, str], field: pa.Field) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        value = pa.array([partition[field.name]], pa.string())
        indices = pa.array(np.zeros(table.num_rows, dtype=np.int32))
        return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, value)])
    column = table[field.name]
    return (
        column.dictionary_encode().cast(field.type) if pa.types.is_dictionary(field.type) else column.cast(field.type)
    )


def concat(each: Sequence[pa.Table], columns: AttributeColumns) -> pa.Table:
    """Records of several segments as `read_columns` gives them, under the columns of all."""
    schema = pa.schema([*STORED, *(pa.field(key, ARROW[kind]) for key, kind in columns.kinds)])
    return pa.concat_tables(each, promote_options="default").select(schema.names).cast(schema)
