"""`logstore backup`: a consistent copy of a data directory, also while a server writes to it.

The order makes it consistent. The write-ahead log is copied first, then the catalog in one SQLite transaction, then
the segments that this catalog names. What was acknowledged before the backup began is in the log's copy, or was
flushed before its log file went, and then the later catalog names its segment. Opening the copy replays the log and
skips what the catalog says is in segments, as after a crash.
"""

import argparse
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from logstore import wal
from logstore.catalog import Catalog, Segment
from logstore.errors import InvalidSettings, Unavailable
from logstore.files import DataDirectory, sync_directory, sync_file
from server.admin.data import add_data, existing

ATTEMPTS = 5
EPILOG = """\
To restore: start the server with --data DIR, or copy DIR to where the data shall be and start it there.
`logstore check --data DIR` verifies the copy.
"""

CopyFile = Callable[[Path, Path], None]


class SegmentGoneError(Exception):
    """A merge took a segment away between the catalog's copy and its own; the next attempt sees the merged one."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="DIR", type=Path, help="where the copy goes; must not exist, or be empty")
    parser.add_argument(
        "--link", action="store_true", help="hard links to the Parquet files instead of copies; on the same disk only"
    )
    add_data(parser)
    parser.epilog = EPILOG
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    source = existing(arguments)
    segments = backup(source, arguments.target, _link if arguments.link else _copy)
    print(
        f"{len(segments)} segments with {sum(s.rows for s in segments)} records, and the log, are in {arguments.target}"
    )
    return 0


def backup(source: DataDirectory, target: Path, copy_segment: CopyFile) -> list[Segment]:
    """Copy `source` to the new directory `target`, which appears only when it is complete.

    Raises InvalidSettings if `target` is there already, Unavailable if it cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidSettings(f"{target} is there already and not empty: name a new directory")
    unfinished = target.with_name(target.name + ".partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    copy = DataDirectory(unfinished)
    try:
        copy.prepare()
        _copy_wal(source, copy)
        segments = _copy_segments(source, copy, copy_segment)
        if target.exists():
            target.rmdir()
        unfinished.rename(target)
        sync_directory(target.absolute().parent)
    except OSError as error:
        raise Unavailable(f"the backup could not be written: {error}") from error
    return segments


def _copy_wal(source: DataDirectory, copy: DataDirectory) -> None:
    for path in wal.wal_files(source.wal):
        try:
            _copy_durably(path, copy.wal / path.name, _copy)
        except FileNotFoundError:
            continue
    sync_directory(copy.wal)


def _copy_segments(source: DataDirectory, copy: DataDirectory, copy_segment: CopyFile) -> list[Segment]:
    for _ in range(ATTEMPTS):
        _copy_catalog(source.catalog, copy.catalog)
        catalog = Catalog(copy.catalog, copy.segments)
        try:
            segments = catalog.segments()
        finally:
            catalog.close()
        try:
            for segment in segments:
                _copy_one(source, copy, segment, copy_segment)
        except SegmentGoneError:
            continue
        _remove_others(copy, {segment.path for segment in segments})
        return segments
    raise Unavailable(f"segments were merged under the backup {ATTEMPTS} times in a row; try again")


def _copy_catalog(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(source, timeout=30)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
    sync_file(target)


def _copy_one(source: DataDirectory, copy: DataDirectory, segment: Segment, copy_segment: CopyFile) -> None:
    if segment.path.exists():
        return
    segment.path.parent.mkdir(parents=True, exist_ok=True)
    original = source.segments / segment.path.relative_to(copy.segments)
    try:
        _copy_durably(original, segment.path, copy_segment)
    except FileNotFoundError as error:
        raise SegmentGoneError from error
    sync_directory(segment.path.parent)


def _copy_durably(original: Path, target: Path, copy_file: CopyFile) -> None:
    copy_file(original, target)
    sync_file(target)


def _copy(original: Path, target: Path) -> None:
    shutil.copyfile(original, target)


def _link(original: Path, target: Path) -> None:
    os.link(original, target)


def _remove_others(copy: DataDirectory, kept: set[Path]) -> None:
    for path in [path for path in copy.segment_files() if path not in kept]:
        copy.remove_segment(path)
