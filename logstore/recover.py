"""Recovery on start: what the last process left becomes one consistent state, and one log line says what was found."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logstore import wal
from logstore.buffer import number, rows_of
from logstore.catalog import Catalog, Partition
from logstore.files import DataDirectory, relative_files, sync_directory
from logstore.listing import Listing
from logstore.wal import Entry, Gap, KeyedReceipt


@dataclass(slots=True)
class Recovery:
    """What was found; `next_seq` is the first free record number."""

    segments: Listing
    missing: list[str] = field(default_factory=list)
    orphans: int = 0
    wal_files: int = 0
    replayed_records: int = 0
    torn_bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    next_seq: int = 0


def check_segments(directory: DataDirectory, catalog: Catalog) -> Recovery:
    """Sets aside the files that no transaction published, and names those that are gone."""
    listed = Listing.read(directory.segments, catalog)
    published = listed.paths()
    files = set(relative_files(directory.segments, ".parquet"))
    # A file that a walk does not come to can still be there, behind a symbolic link.
    is_there = np.array([path in files or (directory.segments / path).exists() for path in published], np.bool_)
    found = Recovery(
        listed if is_there.all() else listed.take(is_there),
        [str(directory.segments / published[at]) for at in np.flatnonzero(~is_there)],
        next_seq=max(catalog.next_seq(), int(listed.max_seq.max(initial=-1)) + 1),
    )
    for path in sorted(files.difference(published)):
        directory.retire(directory.segments / path)
        found.orphans += 1
    indexes = {path.removesuffix(".parquet") for path in found.segments.paths()}
    for path in relative_files(directory.indexes, ".index"):
        if path.removesuffix(".index") not in indexes:
            (directory.indexes / path).unlink()
    return found


def replay(
    directory: DataDirectory,
    catalog: Catalog,
    found: Recovery,
    take: Callable[[pa.RecordBatch, int], None],
    remember: Callable[[KeyedReceipt, int], bool],
) -> None:
    """Hands every record of the WAL that is in no segment to `take`, numbered as it was, with its received_ns.

    Only an invalid suffix of the newest file is cut off; damage elsewhere is copied aside and named.
    """
    flushed = catalog.flushed()
    files = wal.wal_files(directory.wal)
    found.wal_files = len(files)
    for path in files:
        for item in wal.read(path):
            if isinstance(item, Gap):
                _handle_gap(directory, item, found, is_newest=path == files[-1])
                continue
            found.next_seq = max(found.next_seq, item.first_seq + item.rows)
            for batch in _without_repeats(item, remember):
                unflushed = _unflushed(batch, flushed)
                found.replayed_records += unflushed.num_rows
                if unflushed.num_rows:
                    take(unflushed, item.received_ns)


def _without_repeats(entry: Entry, remember: Callable[[KeyedReceipt, int], bool]) -> Iterator[pa.RecordBatch]:
    """The numbered batches of an entry, less those whose key an earlier entry had: a write that failed towards its
    sender can still have reached the disk, and was then sent again."""
    repeated = [key for key in entry.keys if not remember(key, entry.received_ns)]
    seq = entry.first_seq
    for batch in entry.batches:
        numbered = number(batch, seq)
        seq += batch.num_rows
        for key in repeated:
            before = pc.less(numbered["_seq"], key.first_seq)
            after = pc.greater_equal(numbered["_seq"], key.first_seq + key.rows)
            numbered = numbered.filter(pc.or_(before, after))
        yield numbered


def _unflushed(batch: pa.RecordBatch, flushed: dict[Partition, int]) -> pa.RecordBatch:
    if batch.num_rows == 0:
        return batch
    first_seq, last_seq = batch["_seq"][0].as_py(), batch["_seq"][-1].as_py()
    by_seq: dict[int, set[Partition]] = {}
    for partition, seq in flushed.items():
        if seq >= first_seq:
            by_seq.setdefault(min(seq, last_seq), set()).add(partition)
    for seq, partitions in by_seq.items():
        is_flushed = pc.and_(rows_of(batch, frozenset(partitions)), pc.less_equal(batch["_seq"], seq))
        batch = batch.filter(pc.invert(is_flushed))
    return batch


def _handle_gap(directory: DataDirectory, gap: Gap, found: Recovery, *, is_newest: bool) -> None:
    if gap.is_torn_tail and is_newest:
        found.torn_bytes += gap.end - gap.start
        _cut(gap.path, gap.start)
        return
    aside = directory.damaged / f"{gap.path.stem}-{gap.start}-{gap.end}.bin"
    with gap.path.open("rb") as source:
        source.seek(gap.start)
        aside.write_bytes(source.read(gap.end - gap.start))
    sync_directory(directory.damaged)
    found.damaged.append(f"{gap.path} bytes {gap.start}-{gap.end}, copied to {aside}")


def _cut(path: Path, size: int) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(fd, size)
        os.fsync(fd)
    finally:
        os.close(fd)
