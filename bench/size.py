"""Size: what segments take on disk, and to write, by compression level, rows of a row group and encoding of columns.

The server takes the corpus in; its segments are read back, and all records written again by the segment writer with
each layout: bytes of Parquet and of indexes, and the CPU of writing both, sorted records in memory. Then the columns
that make up most of the files of the layout in use are written each by itself, in the same row groups, with each
encoding: bytes of its pages as they lie in the file, and the CPU of writing them. Each is measured once.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from bench.corpus import corpus
from bench.measure import directory_bytes, table
from bench.query import filled
from bench.stored import opened
from logstore import segment
from logstore.files import DataDirectory
from logstore.gather import Rows
from logstore.kinds import Kinds
from logstore.order import runs
from logstore.record import STORED
from logstore.segment_writer import Layout, SegmentWriter
from logstore.settings import StoreSettings
from logstore.store import Store

LEVELS: Final = (1, 3, 6, 9)
ROW_GROUPS: Final = (4_096, 8_192, 16_384)
ATTRIBUTE_TEXTS: Final = "texts of attributes"
"""The columns of attributes that are texts, all together."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one column is written. `name` is Parquet's, or `dictionary`; `level` is zstd's, and 0 without it."""

    name: str
    level: int


@dataclass(frozen=True, slots=True)
class Spent:
    bytes: int
    index_bytes: int
    cpu_s: float


_TEXT: Final = (Encoding("PLAIN", 1), Encoding("dictionary", 1))
_NUMBER: Final = tuple(
    Encoding(name, level)
    for name in ("DELTA_BINARY_PACKED", "PLAIN", "BYTE_STREAM_SPLIT", "dictionary")
    for level in (0, 1)
)
COLUMNS: Final = {"message": _TEXT, "attributes": _TEXT, ATTRIBUTE_TEXTS: _TEXT, "time": _NUMBER, "_seq": _NUMBER}


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        with filled(source, directory) as (server, _):
            server.stop()
        with opened(directory / "data") as store:
            layouts = _layouts(store, directory)
            files = sorted((directory / _name(_in_use(store)) / "segments").rglob("*.parquet"))
        return "\n\n".join((layouts, _all_columns(files), _encodings(files)))


def _in_use(store: Store) -> Layout:
    settings = StoreSettings()
    return Layout(settings.partition_by, settings.row_group_rows, store.catalog.secret(), settings.column_rows)


def _name(layout: Layout) -> str:
    return f"{layout.row_group_rows}-{layout.compression_level}"


def _layouts(store: Store, directory: Path) -> str:
    in_use = _in_use(store)
    layouts = [replace(in_use, compression_level=level) for level in LEVELS]
    layouts += [replace(in_use, row_group_rows=rows) for rows in ROW_GROUPS if rows != in_use.row_group_rows]
    with store.snapshot() as snapshot:
        records = pa.concat_tables([segment.read(found) for found in snapshot.segments])
    rows: list[list[object]] = []
    for layout in layouts:
        spent = _written(records, layout, Kinds(store.catalog), directory / _name(layout))
        name = "in use" if layout == in_use else ""
        sizes = [spent.bytes / 1e6, spent.index_bytes / 1e6, (spent.bytes + spent.index_bytes) / 1e6]
        rows.append([layout.compression_level, layout.row_group_rows, *sizes, spent.cpu_s, name])
    return table(["zstd level", "rows a group", "Parquet MB", "indexes MB", "both", "CPU s", ""], rows)


def _written(records: pa.Table, layout: Layout, kinds: Kinds, root: Path) -> Spent:
    """All records as segments under this directory."""
    directory = DataDirectory(root)
    directory.prepare()
    writer = SegmentWriter(directory, layout, kinds)
    rows = Rows(records)
    sorted_runs = runs(records, rows.words, StoreSettings().flush_files, layout.row_group_rows)
    parts = [(rows.take(found.rows), found.window_ns) for found in sorted_runs]
    cpu_s = _cpu_s(lambda: [writer.write(part, window_ns, 0) for part, window_ns in parts])
    return Spent(directory_bytes(directory.segments), directory_bytes(directory.indexes), cpu_s)


def _all_columns(files: Sequence[Path]) -> str:
    """Where the bytes of the layout in use are, the largest first."""
    sizes: Counter[str] = Counter()
    for file in files:
        sizes.update(_pages_bytes(pq.read_metadata(file)))
    sizes["footers"] = sum(file.stat().st_size for file in files) - sizes.total()
    found = ", ".join(f"{name} {size / 1e6:.2f}" for name, size in sizes.most_common())
    return f"MB of each column in use: {found}."


def _encodings(files: Sequence[Path]) -> str:
    rows: list[list[object]] = []
    for column, encodings in COLUMNS.items():
        in_use = sum(_pages_bytes(pq.read_metadata(file))[name] for file in files for name in _columns(file, column))
        rows.append([column, "in use", "", in_use / 1e6, ""])
        for encoding in encodings:
            spent = [_encoded(file, _columns(file, column), encoding) for file in files]
            sizes = sum(one.bytes for one in spent) / 1e6
            rows.append([column, encoding.name, encoding.level or "none", sizes, sum(one.cpu_s for one in spent)])
    return table(["column", "encoding", "zstd level", "MB", "CPU s"], rows)


def _columns(file: Path, name: str) -> list[str]:
    if name != ATTRIBUTE_TEXTS:
        return [name]
    schema = pq.read_schema(file)
    return [field.name for field in schema if field.type == pa.string() and field.name not in STORED.names]


def _encoded(file: Path, names: Sequence[str], encoding: Encoding) -> Spent:
    if not names:
        return Spent(0, 0, 0.0)
    columns = pq.read_table(file, columns=list(names), partitioning=None)
    has_dictionary = encoding.name == "dictionary"
    sink = pa.BufferOutputStream()
    cpu_s = _cpu_s(
        lambda: pq.write_table(
            columns,
            sink,
            row_group_size=pq.read_metadata(file).row_group(0).num_rows,
            compression="zstd" if encoding.level else "none",
            compression_level=encoding.level or None,
            use_dictionary=has_dictionary,
            column_encoding=None if has_dictionary else dict.fromkeys(names, encoding.name),
            write_statistics=False,
            store_schema=False,
        )
    )
    written = pq.read_metadata(pa.BufferReader(sink.getvalue()))
    return Spent(_pages_bytes(written).total(), 0, cpu_s)


def _pages_bytes(metadata: pq.FileMetaData) -> Counter[str]:
    """Of each column, as its pages lie in the file."""
    sizes: Counter[str] = Counter()
    for i in range(metadata.num_row_groups):
        group = metadata.row_group(i)
        for chunk in map(group.column, range(group.num_columns)):
            sizes[chunk.path_in_schema] += chunk.total_compressed_size
    return sizes


def _cpu_s(work: Callable[[], object]) -> float:
    before_s = time.process_time()
    work()
    return time.process_time() - before_s
