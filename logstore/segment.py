"""Sorted Parquet segments: what a flush and a compaction write, and nothing else reads as a file.

Records are sorted by (pod, container, labels, time, `_seq`), so that each stream is one range of rows. What the
directory says stands in the path only, and once more in the file's key-value metadata:

    logstore.format     version of this layout
    logstore.order      the sort order
    logstore.partition  JSON object of the partition's values
    logstore.window_ns  start of the epoch-aligned hour all records lie in, or -1
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logstore.catalog import NewSegment, Segment, StreamRange
from logstore.files import DataDirectory, partition_directory
from logstore.record import DAY_NS, IDENTITY, STORED

FORMAT_VERSION: Final = 1
HOUR_NS: Final = 3_600 * 1_000_000_000
WIDE_WINDOW: Final = -1
ORDER: Final = ("pod", "container", "labels", "time", "_seq")
STREAM: Final = (*IDENTITY, "labels")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """How segments are laid out on disk."""

    partition_by: tuple[str, ...]
    row_group_rows: int
    compression_level: int = 1

    @property
    def path_columns(self) -> tuple[str, ...]:
        return tuple(column for column in self.partition_by if column in IDENTITY)

    @property
    def has_hours(self) -> bool:
        return "hour" in self.partition_by


def window_of(times_ns: Ints) -> Ints:
    """The start of the hour that each time lies in."""
    return _floor(times_ns, HOUR_NS)


def _floor(times_ns: Ints, step_ns: int) -> Ints:
    floored: Ints = times_ns - np.mod(times_ns, step_ns)
    return floored


def dictionary_ranks(column: pa.ChunkedArray) -> Ints:
    """A number for each value that sorts as the values do (by code point); null sorts first, as the empty text does."""
    combined = column.unify_dictionaries().combine_chunks()
    array = combined if isinstance(combined, pa.DictionaryArray) else combined.chunk(0)
    words = array.dictionary
    order = pc.array_sort_indices(words).to_numpy()
    ranks = np.empty(len(words) + 1, dtype=np.int64)
    ranks[order] = np.arange(1, len(words) + 1)
    ranks[-1] = 0
    empty = pc.index(words, "").as_py()
    if empty >= 0:
        ranks[empty] = 0
    found: Ints = ranks[array.indices.fill_null(len(words)).to_numpy()]
    return found


def stream_ranks(table: pa.Table) -> Ints:
    """A number for each record's stream that sorts as (cluster, namespace, pod, container, labels) do."""
    combined = np.zeros(table.num_rows, dtype=np.int64)
    for column in STREAM:
        ranks = dictionary_ranks(table[column])
        width = int(ranks.max(initial=0)) + 1
        if int(combined.max(initial=0)) >= np.iinfo(np.int64).max // (width + 1):
            combined = np.unique(combined, return_inverse=True)[1].astype(np.int64)
        combined = combined * width + ranks
    return combined


def sort(table: pa.Table, max_windows: int) -> tuple[pa.Table, list[tuple[int, int, int]]]:
    """Sorts records into partition-windows.

    Returns the sorted table and (first row, rows, window) for each run of records that go to one partition and
    window. Past `max_windows` runs a window is a day, and past that again it is everything: such runs have
    `WIDE_WINDOW`.
    """
    if table.num_rows == 0:
        return table, []
    streams = stream_ranks(table)
    partitions = _partition_ranks(table)
    times = table["time"].cast(pa.int64()).to_numpy()
    windows = window_of(times)
    is_wide = _count_pairs(partitions, windows) > max_windows
    if is_wide:
        days = _floor(times, DAY_NS)
        windows = days if _count_pairs(partitions, days) <= max_windows else np.zeros_like(days)
    order = np.lexsort((table["_seq"].to_numpy(), times, streams, windows, partitions))
    partitions, windows = partitions[order], windows[order]
    starts = _run_starts(partitions, windows)
    lengths = np.diff(np.append(starts, table.num_rows))
    runs = [
        (int(start), int(rows), WIDE_WINDOW if is_wide else int(windows[start]))
        for start, rows in zip(starts, lengths, strict=True)
    ]
    return _take(table, order), runs


def _count_pairs(ranks: Ints, windows: Ints) -> int:
    """How many different pairs there are; `ranks` are dense, so that one number can stand for a pair."""
    codes = np.unique(windows, return_inverse=True)[1]
    return len(np.unique(ranks * (int(codes.max(initial=0)) + 1) + codes))


def _take(table: pa.Table, order: Ints) -> pa.Table:
    """The rows in this order, column by column: taking from one chunk is faster, and one column's copy is small."""
    indices = pa.array(order)
    columns = [column.unify_dictionaries().combine_chunks().take(indices) for column in table.columns]
    return pa.table(columns, schema=table.schema)


def _partition_ranks(table: pa.Table) -> Ints:
    clusters, namespaces = dictionary_ranks(table["cluster"]), dictionary_ranks(table["namespace"])
    return clusters * (int(namespaces.max(initial=0)) + 1) + namespaces


def _run_starts(*columns: Ints) -> Ints:
    changes = np.zeros(len(columns[0]), dtype=bool)
    changes[0] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)


def write(
    table: pa.Table, window_ns: int, received_ns: int, directory: DataDirectory, layout: Layout
) -> list[NewSegment]:
    """Writes sorted records of one partition and window as files under their final names, durable but unpublished.

    With pods and containers as directories one partition is many files.
    """
    return [_write_file(part, window_ns, received_ns, directory, layout) for part in _split(table, layout)]


def _split(table: pa.Table, layout: Layout) -> Iterator[pa.Table]:
    inner = [column for column in layout.path_columns if column not in ("cluster", "namespace")]
    if not inner and not layout.has_hours:
        yield table
        return
    keys = [dictionary_ranks(table[column]) for column in inner]
    if layout.has_hours:
        keys.append(window_of(table["time"].cast(pa.int64()).to_numpy()))
    order = np.lexsort(tuple(reversed(keys)))
    table, keys = _take(table, order), [key[order] for key in keys]
    starts = _run_starts(*keys)
    for start, end in zip(starts, np.append(starts[1:], table.num_rows), strict=True):
        yield table.slice(int(start), int(end - start))


def _write_file(
    table: pa.Table, window_ns: int, received_ns: int, directory: DataDirectory, layout: Layout
) -> NewSegment:
    times = table["time"].cast(pa.int64()).to_numpy()
    seqs = table["_seq"].to_numpy()
    first = {column: table[column][0].as_py() for column in IDENTITY}
    values = _partition_values(first, int(times[0]) if window_ns == WIDE_WINDOW else window_ns, layout)
    temporary = directory.temporary_file(".parquet")
    plain_bytes = _write_parquet(table.drop_columns(list(layout.path_columns)), temporary, values, window_ns, layout)
    name = f"{int(seqs.min()):016x}-{int(seqs.max()):016x}-{uuid.uuid4().hex[:8]}.parquet"
    target = directory.segments / partition_directory(values) / name
    size = temporary.stat().st_size
    directory.publish(temporary, target)
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
    )
    return NewSegment(segment, tuple(_stream_ranges(table, times)))


def _partition_values(first: dict[str, str], time_ns: int, layout: Layout) -> tuple[tuple[str, str], ...]:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    values = [(column, first[column]) for column in layout.path_columns]
    values.append(("date", moment.strftime("%Y-%m-%d")))
    if layout.has_hours:
        values.append(("hour", moment.strftime("%H")))
    return tuple(values)


def _write_parquet(
    table: pa.Table, path: Path, values: tuple[tuple[str, str], ...], window_ns: int, layout: Layout
) -> int:
    metadata = {
        "logstore.format": str(FORMAT_VERSION),
        "logstore.order": ",".join(column for column in ORDER if column in table.column_names),
        "logstore.partition": json.dumps(dict(values)),
        "logstore.window_ns": str(window_ns),
    }
    plain = pa.schema(
        [
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in table.schema
        ]
    )
    words = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    with pq.ParquetWriter(
        path,
        plain,
        compression="zstd",
        compression_level=layout.compression_level,
        use_dictionary=words,
        column_encoding={"time": "DELTA_BINARY_PACKED", "_seq": "DELTA_BINARY_PACKED"},
        store_schema=False,
        data_page_version="1.0",
        write_statistics=["time", "_seq", *words, "trace_id"],
    ) as writer:
        writer.add_key_value_metadata(metadata)
        for start in range(0, table.num_rows, layout.row_group_rows * _GROUPS_AT_ONCE):
            part = table.slice(start, layout.row_group_rows * _GROUPS_AT_ONCE)
            writer.write_table(part.cast(plain), row_group_size=layout.row_group_rows)
    parquet = pq.read_metadata(path)
    return sum(parquet.row_group(i).total_byte_size for i in range(parquet.num_row_groups))


_GROUPS_AT_ONCE: Final = 8


def _codes(column: pa.ChunkedArray) -> Ints:
    """The dictionary's codes of a column of one chunk: equal values are equal codes."""
    codes: Ints = column.combine_chunks().indices.fill_null(-1).to_numpy()
    return codes


def _stream_ranges(table: pa.Table, times: Ints) -> Iterator[StreamRange]:
    starts = _run_starts(*(_codes(table[column]) for column in STREAM))
    ends = np.append(starts[1:], table.num_rows)
    names = table.select(list(STREAM)).take(pa.array(starts)).to_pylist()
    for name, start, end in zip(names, starts, ends, strict=True):
        cluster, namespace, pod, container = (name[column] for column in IDENTITY)
        yield StreamRange(
            (cluster, namespace, pod, container, name["labels"] or ""),
            int(start),
            int(end - start),
            int(times[start]),
            int(times[end - 1]),
        )


def read(segment: Segment) -> pa.Table:
    """The records of a segment in the stored schema, the path's columns included."""
    with pq.ParquetFile(segment.path) as file:
        table = file.read()
        partition = json.loads(file.metadata.metadata[b"logstore.partition"])
    columns = [_column(table, partition, field) for field in STORED]
    return pa.table(columns, schema=STORED)


def _column(table: pa.Table, partition: dict[str, str], field: pa.Field) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        value = pa.array([partition[field.name]], pa.string())
        indices = pa.array(np.zeros(table.num_rows, dtype=np.int32))
        return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, value)])
    column = table[field.name]
    return (
        column.dictionary_encode().cast(field.type) if pa.types.is_dictionary(field.type) else column.cast(field.type)
    )
