"""Backup of a data directory while it is in use: a directory that a store opens as its own.

The order makes it consistent without stopping anything: first the WAL, then the catalog, then the segments that this
catalog names. What was flushed in between is in both, and replay skips it by the catalog's positions. A segment that a
compaction has replaced meanwhile is still kept aside; one that retention removed makes it begin again.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from logstore.catalog import Catalog
from logstore.errors import InvalidInput, Unavailable
from logstore.files import DataDirectory, sync_directory, sync_file

ATTEMPTS: Final = 10


def backup(source: Path, target: Path) -> int:
    """Copies everything acknowledged so far to `target`, which must be new or empty; returns the bytes of segments.

    Segments are hard links where `target` is on the same disk: they never change.

    Raises:
        InvalidInput: `source` holds no store, or `target` is not empty.
        Unavailable: retention was faster than ten attempts.
    """
    origin = DataDirectory(source)
    if not origin.catalog.exists():
        raise InvalidInput(f"{source} holds no logstore data (no catalog.sqlite)")
    if target.exists() and any(target.iterdir()):
        raise InvalidInput(f"{target} is not empty; name a new directory")
    for _ in range(ATTEMPTS):
        copy = DataDirectory(target)
        copy.prepare()
        try:
            return _copy(origin, copy)
        except FileNotFoundError:
            shutil.rmtree(target)
    raise Unavailable(f"segments of {source} went away while they were copied, {ATTEMPTS} times; try again later")


def _copy(origin: DataDirectory, copy: DataDirectory) -> int:
    for path in sorted(origin.wal.glob("*.wal")):
        _copy_wal(path, copy.wal / path.name)
    with closing(sqlite3.connect(origin.catalog)) as source, closing(sqlite3.connect(copy.catalog)) as target:
        source.backup(target)
    catalog = Catalog(copy.catalog, copy.segments)
    try:
        segments = catalog.segments()
    finally:
        catalog.close()
    for segment in segments:
        segment.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _link_or_copy(origin.segments / segment.path.relative_to(copy.segments), segment.path)
        except FileNotFoundError:
            _link_or_copy(origin.merged / segment.path.name, segment.path)
    _sync_tree(copy.root)
    return sum(segment.bytes for segment in segments)


def _copy_wal(path: Path, target: Path) -> None:
    try:
        shutil.copyfile(path, target)
    except FileNotFoundError:
        # Flushed since it was listed: its records are in the segments of the catalog that is copied next.
        target.unlink(missing_ok=True)


def _link_or_copy(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(path, target)


def _sync_tree(root: Path) -> None:
    for directory, _, names in os.walk(root):
        for name in names:
            sync_file(Path(directory) / name)
        sync_directory(Path(directory))
