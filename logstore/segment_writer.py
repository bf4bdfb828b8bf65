"""Writing segments: the files that logstore/segment.py describes, and their indexes."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logstore import attributes, index, nested
from logstore.attributes import ARROW, Kind
from logstore.catalog import NewSegment, Segment, StreamRange
from logstore.columns import (
    COLUMNS_MAX,
    AttributeColumns,
    Nested,
    merged,
    worth_a_column,
    worth_copying,
    worth_omitting,
)
from logstore.concatenate import concatenate
from logstore.enrich import AS_MESSAGE
from logstore.files import DataDirectory, partition_directory
from logstore.gather import Rows
from logstore.index import Index
from logstore.kinds import Kinds
from logstore.native.arrays import int64s
from logstore.order import ORDER, STREAM, WIDE_WINDOW, Ints, even_rows, hour_of, run_starts, sorted_rows
from logstore.record import IDENTITY
from logstore.segment import FORMAT_VERSION, TEMPLATE, joined, read_columns, read_layout, with_rest
from logstore.survey import KeyFacts, survey
from logstore.word_column import codes_or

GROUP_BYTES: Final = 16 << 20
"""A row group has fewer records where they would take more than this."""
PAGE_BYTES: Final = 96 << 10
"""Of a column's values, before compression: so much is decompressed for a single one (logstore/pages.py). Files are 2 %
larger than with pages of a megabyte."""
PAGE_ROWS: Final = 512
"""A page has a multiple of so many."""
_WINDOW: Final = "logstore.window_ns"
_SURVEYED_KEYS: Final = 256
_NUMBERS: Final = (Kind.INTEGER, Kind.NUMBER)
_SAMPLED_ROWS: Final = 1_024
_REPEATED: Final = 256
"""Numbers that have so many different values in the sample, or fewer, are worth a dictionary."""
_FEW: Final = 64
"""With so few values in the sample, the codes are small as they are."""
_COMPRESSED: Final = ("message", "attributes", "trace_id", "span_id")
"""Besides coarse times, and the attribute columns that have more than a few values; what is left is small as it is
encoded: compressed, files were 0.6 % smaller, and took an eighth more time to write."""
_COARSE_NS: Final = 1_000_000
"""Times of which a sample are whole milliseconds, or seconds: their differences are encoded with all their zeros, so
that compressed those of seconds take half or less."""


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
    """The records of one file: in the stored schema, then the attribute columns; with `group_rows` in a row group."""

    table: pa.Table
    columns: AttributeColumns
    group_rows: int
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
        return [self._write_file(self._split(part), window_ns, received_ns) for part in self._files(table)]

    def write_merged(
        self, table: pa.Table, columns: AttributeColumns, window_ns: int, received_ns: int
    ) -> list[NewSegment]:
        """Of records as `read_columns` gives them."""
        return [self._write_file(self._kept(part, columns), window_ns, received_ns) for part in self._files(table)]

    def join(self, group: Sequence[Segment], indexes: Sequence[Index]) -> Segment:
        """All row groups of segments of one directory in one file, as they are; `indexes` are the segments'.

        Raises:
            NotAlike: their files cannot be one.
        """
        columns = merged([segment.columns for segment in group])
        windows = {segment.window_ns for segment in group}
        window_ns = windows.pop() if len(windows) == 1 else WIDE_WINDOW
        told = pq.read_metadata(group[0].path).metadata
        metadata = {key.decode(): value.decode() for key, value in told.items()} | {_WINDOW: str(window_ns)}
        temporary = self._directory.temporary_file(".parquet")
        types = {name: ARROW[kind] for name, kind in columns.stored.items()}
        concatenate([segment.path for segment in group], temporary, types, metadata)
        min_seq, max_seq = min(one.min_seq for one in group), max(one.max_seq for one in group)
        target = group[0].path.with_name(_file_name(min_seq, max_seq))
        size = temporary.stat().st_size
        self._directory.write_index(target, index.encode(index.concatenate(indexes)))
        self._directory.publish(temporary, target)
        return replace(
            group[0],
            id=0,
            path=target,
            window_ns=window_ns,
            min_time_ns=min(one.min_time_ns for one in group),
            max_time_ns=max(one.max_time_ns for one in group),
            min_seq=min_seq,
            max_seq=max_seq,
            rows=sum(one.rows for one in group),
            bytes=size,
            plain_bytes=sum(one.plain_bytes for one in group),
            received_ns=max(one.received_ns for one in group),
            columns=columns,
        )

    def rebuild_index(self, segment: Segment) -> None:
        """Writes the index of a segment anew, from the segment alone."""
        table = read_columns(segment)
        ends, templates = read_layout(segment)
        _, content = index.build(joined(table, segment.columns), ends, self.layout.secret, templates)
        self._directory.write_index(segment.path, content)

    def _files(self, table: pa.Table) -> Iterator[pa.Table]:
        inner = [column for column in self.layout.path_columns if column not in ("cluster", "namespace")]
        if not inner and not self.layout.has_hours:
            yield table
            return
        rows = Rows(table)
        keys = [rows.words[column].ranks() for column in inner]
        if self.layout.has_hours:
            keys.append(hour_of(int64s(table["time"])))
        order = sorted_rows(*keys)
        for part in np.split(order, run_starts(*(key[order] for key in keys))[1:]):
            yield rows.take(part)

    def _split(self, table: pa.Table) -> _Contents:
        group_rows = self._group_rows(table)
        templates, content = index.build(table, _ends(table.num_rows, group_rows), self.layout.secret)
        objects, messages = index.one_chunk(table["attributes"]), index.one_chunk(table["message"])
        facts = survey(objects, _SURVEYED_KEYS, messages)
        worth = worth_a_column(facts, table.num_rows, self.layout.column_rows)
        kinds = self._kinds.of(worth)
        omitted = worth_omitting(facts, table.num_rows, self.layout.column_rows, kinds)
        keys = [(key.key, kinds[key.key]) for key in worth if key.key in kinds and key.key not in omitted]
        split = attributes.split(objects, keys, omitted, messages)
        in_rest = frozenset(key for (key, _), is_in in zip(keys, split.in_rest, strict=True) if is_in)
        table = with_rest(table, split.rest)
        for (key, _), column in zip(keys, split.columns, strict=True):
            table = table.append_column(key, column)
        inner = []
        for one, copies in self._nested(facts, objects, messages, COLUMNS_MAX - len(keys)):
            table = table.append_column(one.name, copies)
            inner.append(one)
        columns = AttributeColumns(tuple(keys), tuple(omitted), in_rest, tuple(inner), _is_of_line(objects, messages))
        return _Contents(table, columns, group_rows, templates, content)

    def _nested(
        self, facts: Sequence[KeyFacts], objects: pa.StringArray, messages: pa.StringArray, at_most: int
    ) -> Iterator[tuple[Nested, pa.Array]]:
        """The paths that are worth a column, and these."""
        worth = worth_copying(facts, len(objects), self.layout.column_rows, at_most)
        kinds = self._kinds.of(worth)
        paths = [(key.path, kinds[key.key]) for key in worth if key.key in kinds]
        for (path, kind), found in zip(paths, nested.copies(objects, paths, messages), strict=True):
            yield Nested(path, kind, found.is_all, found.has_dots), found.column

    def _kept(self, table: pa.Table, columns: AttributeColumns) -> _Contents:
        group_rows = self._group_rows(table)
        ends = _ends(table.num_rows, group_rows)
        templates, content = index.build(joined(table, columns), ends, self.layout.secret)
        return _Contents(table, columns, group_rows, templates, content)

    def _group_rows(self, table: pa.Table) -> int:
        row_bytes = max(table["message"].nbytes // table.num_rows, 1)
        at_most = max(1, int(GROUP_BYTES // row_bytes))
        return min(even_rows(table.num_rows, self.layout.row_group_rows), at_most)

    def _write_file(self, contents: _Contents, window_ns: int, received_ns: int) -> NewSegment:
        table = contents.table
        times = int64s(table["time"])
        seqs = table["_seq"].to_numpy()
        first = {column: table[column][0].as_py() for column in IDENTITY}
        values = _partition_values(first, int(times[0]), self.layout)
        temporary = self._directory.temporary_file(".parquet")
        plain_bytes = self._write_parquet(contents, temporary, values, window_ns)
        min_seq, max_seq = int(seqs.min()), int(seqs.max())
        target = self._directory.segments / partition_directory(values) / _file_name(min_seq, max_seq)
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
            min_seq=min_seq,
            max_seq=max_seq,
            rows=table.num_rows,
            bytes=size,
            plain_bytes=plain_bytes,
            received_ns=received_ns,
            format=FORMAT_VERSION,
            columns=contents.columns,
        )
        return NewSegment(segment, tuple(_stream_ranges(table, times, contents.group_rows)))

    def _write_parquet(
        self, contents: _Contents, path: Path, values: tuple[tuple[str, str], ...], window_ns: int
    ) -> int:
        table = contents.table.drop_columns(list(self.layout.path_columns))
        table = table.append_column(pa.field(TEMPLATE, pa.int64(), nullable=False), pa.array(contents.templates))
        keys = contents.columns.stored
        words = [field.name for field in table.schema if pa.types.is_dictionary(field.type) and field.name not in keys]
        distinct = {key: _distinct(table[key]) for key in keys}
        repeated = [key for key, kind in keys.items() if kind not in _NUMBERS or distinct[key] <= _REPEATED]
        packed = [key for key, kind in keys.items() if kind is Kind.INTEGER and key not in repeated]
        compressed = [*_COMPRESSED, *(key for key in keys if distinct[key] > _FEW and key not in packed)]
        if _is_coarse(table["time"]):
            compressed.append("time")
        written: list[pq.FileMetaData] = []
        with pq.ParquetWriter(
            path,
            table.schema,
            compression={name: "zstd" if name in compressed else "none" for name in table.schema.names},
            compression_level=dict.fromkeys(compressed, self.layout.compression_level),
            use_dictionary=[*words, TEMPLATE, *repeated],
            column_encoding=dict.fromkeys(("time", "_seq", *packed), "DELTA_BINARY_PACKED"),
            store_schema=False,
            data_page_version="1.0",
            data_page_size=PAGE_BYTES,
            write_batch_size=PAGE_ROWS,
            write_page_checksum=True,
            write_statistics=["time", "_seq", *words, "trace_id", *_with_statistics(contents.columns)],
            metadata_collector=written,
        ) as writer:
            writer.add_key_value_metadata(
                {
                    "logstore.format": str(FORMAT_VERSION),
                    "logstore.order": ",".join(column for column in ORDER if column not in self.layout.path_columns),
                    "logstore.partition": json.dumps(dict(values)),
                    _WINDOW: str(window_ns),
                }
            )
            writer.write_table(table, row_group_size=contents.group_rows)
        return sum(written[0].row_group(i).total_byte_size for i in range(written[0].num_row_groups))


def _is_of_line(objects: pa.StringArray, messages: pa.StringArray) -> bool:
    """Whether the attributes of enriched records are those of their messages alone."""
    is_told = pc.fill_null(pc.equal(objects, AS_MESSAGE), False)
    told, lines = objects.filter(pc.invert(is_told)), messages.filter(pc.invert(is_told))
    few = min(len(told), _SAMPLED_ROWS)
    return all(attributes.of_line(lines.slice(0, rows)).equals(told.slice(0, rows)) for rows in (few, len(told)))


def _file_name(min_seq: int, max_seq: int) -> str:
    return f"{min_seq:016x}-{max_seq:016x}-{uuid.uuid4().hex[:8]}.parquet"


def _with_statistics(columns: AttributeColumns) -> list[str]:
    """Texts have none: in no order that the rows have, their least and greatest would tell little, and cost much."""
    return [key for key, kind in columns.stored.items() if kind is not Kind.TEXT]


def _ends(rows: int, group_rows: int) -> Ints:
    return np.append(np.arange(group_rows, rows, group_rows), rows)


def _distinct(column: pa.ChunkedArray) -> int:
    """How many different values the column has, if it is a dictionary, or else a sample of it; as many as that has
    rows, where it has none."""
    if pa.types.is_dictionary(column.type):
        return len(column.chunk(0).dictionary)
    sample = column.slice(0, _SAMPLED_ROWS)
    return pc.count_distinct(sample).as_py() if sample.null_count < len(sample) else len(sample)


def _is_coarse(times: pa.ChunkedArray) -> bool:
    return not (int64s(times.slice(0, _SAMPLED_ROWS)) % _COARSE_NS).any()


def _partition_values(first: dict[str, str], time_ns: int, layout: Layout) -> tuple[tuple[str, str], ...]:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    values = [(column, first[column]) for column in layout.path_columns]
    values.append(("date", moment.strftime("%Y-%m-%d")))
    if layout.has_hours:
        values.append(("hour", moment.strftime("%H")))
    return tuple(values)


def _stream_ranges(table: pa.Table, times: Ints, group_rows: int) -> Iterator[StreamRange]:
    """The rows of each stream in each row group."""
    columns = [index.one_chunk(table[column]) for column in STREAM]
    codes = [codes_or(column, -1) for column in columns]
    groups = np.arange(table.num_rows) // group_rows
    starts = run_starts(groups, *codes)
    finishes = np.append(starts[1:], table.num_rows)
    words = ([*column.dictionary.to_pylist(), ""] for column in columns)  # a null's code is the last one's
    streams = zip(
        *([texts[at] for at in code[starts].tolist()] for code, texts in zip(codes, words, strict=True)), strict=True
    )
    lowest, highest = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    facts = (numbers.tolist() for numbers in (starts, finishes - starts, lowest, highest))
    return map(StreamRange, streams, *facts)
