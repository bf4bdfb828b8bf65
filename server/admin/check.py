"""`logstore check`: read back everything that is stored and say what is damaged."""

import argparse
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from logstore import wal
from logstore.catalog import Catalog, Segment
from logstore.errors import Damaged
from logstore.files import DataDirectory
from logstore.segment import read
from logstore.unreadable import in_one_line
from logstore.verify import verify
from query.damage import read_by_duckdb
from server.admin.data import add_data, existing

EPILOG = """\
Every byte is read: each entry of the write-ahead log against its checksum, the catalog by SQLite's own check, each
Parquet file against the checksums of its pages and what the catalog says of it. Nothing is changed.
Exit code 0: no damage, 1: damage, each named on a line of its own.
"""


def add(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.epilog = EPILOG
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    directory = existing(arguments)
    directory.lock()
    try:
        return _report(directory)
    finally:
        directory.unlock()


def _report(directory: DataDirectory) -> int:
    found = list(_faults_of_catalog(directory))
    segments = _segments(directory) if not found else []
    found += _faults_of_wal(directory)
    found += _faults_of_segments(segments)
    for fault in found:
        print(fault)
    records = sum(segment.rows for segment in segments)
    logs = len(wal.wal_files(directory.wal))
    verdict = f"{len(found)} faults" if found else "no damage"
    print(f"{len(segments)} segments with {records} records, {logs} log files: {verdict}")
    return 1 if found else 0


def _faults_of_catalog(directory: DataDirectory) -> Iterator[str]:
    try:
        with closing(sqlite3.connect(directory.catalog)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    yield from (f"{directory.catalog}: {text}" for text in found if text != "ok")


def _faults_of_wal(directory: DataDirectory) -> Iterator[str]:
    files = wal.wal_files(directory.wal)
    for path in files:
        try:
            for item in wal.read(path):
                # The last write before a crash was never acknowledged; the next start cuts it off.
                if isinstance(item, wal.Gap) and not (item.is_torn_tail and path == files[-1]):
                    yield f"{path}: bytes {item.start} to {item.end} are no valid entry"
        except (Damaged, OSError, pa.ArrowException) as error:
            yield f"{path}: {error}"


def _faults_of_segments(segments: Sequence[Segment]) -> Iterator[str]:
    for segment in segments:
        try:
            fault = _fault_of_segment(segment)
        except FileNotFoundError:
            fault = "the catalog names it and it is not there"
        except Damaged as error:
            fault = f"unreadable: {in_one_line(error.__cause__)}"
        except (OSError, KeyError, ValueError, duckdb.Error) as error:
            fault = f"unreadable: {in_one_line(error)}"
        if fault:
            yield f"{segment.path}: {fault}"


def _fault_of_segment(segment: Segment) -> str:
    size_bytes = segment.path.stat().st_size
    if size_bytes != segment.bytes:
        return f"has {size_bytes} bytes, the catalog says {segment.bytes}"
    verify(segment)
    read_by_duckdb(segment)
    table = read(segment)
    if table.num_rows != segment.rows:
        return f"has {table.num_rows} records, the catalog says {segment.rows}"
    times, seqs = (pc.min_max(table[name].cast(pa.int64())).as_py() for name in ("time", "_seq"))
    if (times["min"], times["max"]) != (segment.min_time_ns, segment.max_time_ns):
        return "its times are not those that the catalog says"
    if (seqs["min"], seqs["max"]) != (segment.min_seq, segment.max_seq):
        return "its record numbers are not those that the catalog says"
    return ""


def _segments(directory: DataDirectory) -> list[Segment]:
    catalog = Catalog(directory.catalog, directory.segments)
    try:
        return catalog.segments()
    finally:
        catalog.close()
