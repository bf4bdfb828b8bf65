"""Flush: records of the buffer become segments, and the WAL lets go of them."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Final

import pyarrow as pa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from logstore import buffer as buffers
from logstore import wal
from logstore.buffer import Buffer, Chunk
from logstore.catalog import Catalog, NewSegment, Partition
from logstore.errors import Unavailable
from logstore.files import DataDirectory
from logstore.gather import Rows
from logstore.indexes import Indexes
from logstore.keys import Keys
from logstore.live import LiveSegments
from logstore.metrics import Metrics
from logstore.order import runs
from logstore.pace import Pace
from logstore.record import STORED
from logstore.segment_writer import SegmentWriter
from logstore.settings import StoreSettings

log = structlog.get_logger("logstore.flush")

FAILURES_TO_QUARANTINE: Final = 2
STORAGE_ERRORS: Final = (OSError, SQLAlchemyError, sqlite3.Error)

Choice = tuple[tuple[Chunk, ...], frozenset[Partition]]
"""The chunks to flush, which are the oldest, and of which partitions."""
Choose = Callable[[tuple[Chunk, ...]], Choice]


def due(chunks: Sequence[Chunk], now_s: float, flush_bytes: int, flush_age_s: float) -> frozenset[Partition]:
    """The partitions that have grown past a size or an age."""
    sizes: Counter[Partition] = Counter()
    old: set[Partition] = set()
    for chunk in chunks:
        sizes.update(chunk.partitions)
        if now_s - chunk.since_s >= flush_age_s:
            old.update(chunk.partitions)
    return frozenset(old | {partition for partition, size in sizes.items() if size >= flush_bytes})


def partitions_of(chunks: Sequence[Chunk]) -> frozenset[Partition]:
    return frozenset(partition for chunk in chunks for partition in chunk.partitions)


def everything(chunks: tuple[Chunk, ...]) -> Choice:
    return chunks, partitions_of(chunks)


def oldest(chunks: tuple[Chunk, ...], size_bytes: int, without: Collection[Partition]) -> Choice:
    """The oldest records of about this size, those of some partitions not counted."""
    for count, chunk in enumerate(chunks, 1):
        size_bytes -= sum(size for partition, size in chunk.partitions.items() if partition not in without)
        if size_bytes <= 0:
            return everything(chunks[:count])
    return everything(chunks)


class Flusher:
    """Takes records out of the buffer, one flush at a time."""

    def __init__(
        self,
        directory: DataDirectory,
        settings: StoreSettings,
        writer: SegmentWriter,
        buffer: Buffer,
        catalog: Catalog,
        keys: Keys,
        live: LiveSegments,
        indexes: Indexes,
        metrics: Metrics,
        pace: Pace,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._writer = writer
        self._buffer = buffer
        self._catalog = catalog
        self._keys = keys
        self._live = live
        self._indexes = indexes
        self._metrics = metrics
        self._pace = pace
        self._one_at_a_time = threading.Lock()
        self._failures: Counter[Partition] = Counter()
        self.quarantined: set[Partition] = set()
        """Partitions that failed twice by themselves: they stay in the WAL and in memory, and the rest goes on."""

    def flush_all(self) -> None:
        """Flushes everything accepted so far. Raises Unavailable."""
        self._flush(everything)

    def flush_due(self) -> None:
        """Flushes what is large or old enough; where memory fills up the oldest half of it, again and again, so that
        who waits for room gets some soon; where the WAL does, everything. Raises Unavailable."""
        while self._flush(self._due) and self._is_filling(self._buffer.bytes):
            pass

    def _is_filling(self, size_bytes: int) -> bool:
        return size_bytes >= self._settings.buffer_bytes // 2

    def _wal_bytes(self) -> int:
        return sum(path.stat().st_size for path in wal.wal_files(self._directory.wal))

    def _due(self, chunks: tuple[Chunk, ...]) -> Choice:
        settings = self._settings
        if self._wal_bytes() >= settings.wal_max_bytes:
            return everything(chunks)
        if self._is_filling(sum(chunk.bytes for chunk in chunks)):
            return oldest(chunks, settings.buffer_bytes // 2, self.quarantined)
        return chunks, due(chunks, time.monotonic(), settings.flush_bytes, settings.flush_age_s)

    def _flush(self, choose: Choose) -> bool:
        """Whether there was something to flush."""
        with self._one_at_a_time:
            chunks, chosen = choose(self._buffer.seal())
            partitions = chosen - self.quarantined
            try:
                if partitions:
                    self._flush_or_divide(chunks, partitions)
            except STORAGE_ERRORS as error:
                self._metrics.add("flush_failures")
                log.error("flush failed", error=str(error), kept="everything, in the WAL")
                raise Unavailable(f"segments could not be written: {error}") from error
            return bool(partitions)

    def _flush_or_divide(self, chunks: tuple[Chunk, ...], partitions: frozenset[Partition]) -> None:
        """A failure that is not the disk's or the catalog's is one partition's: each then goes by itself."""
        try:
            self._publish(chunks, partitions)
        except STORAGE_ERRORS:
            raise
        except Exception:
            if len(partitions) > 1:
                for partition in sorted(partitions):
                    self._flush_or_divide(self._buffer.seal(), frozenset([partition]))
                return
            self._count_failure(next(iter(partitions)))

    def _publish(self, chunks: tuple[Chunk, ...], partitions: frozenset[Partition]) -> None:
        sizes = (size for chunk in chunks for one, size in chunk.partitions.items() if one in partitions)
        self._pace.begin(sum(sizes), time.monotonic())
        try:
            self._write_and_replace(chunks, partitions)
        except BaseException:
            self._pace.give_up()
            raise
        self._pace.end(time.monotonic())

    def _write_and_replace(self, chunks: tuple[Chunk, ...], partitions: frozenset[Partition]) -> None:
        records, received_ns = _collect(chunks, partitions)
        up_to_seq = chunks[-1].last_seq
        new = self._write(records, received_ns)
        keys = self._keys.fresh(up_to_seq)
        added = self._catalog.publish_flush(new, partitions, up_to_seq, keys)
        with self._live.lock:
            self._live.change(added, ())
            self._buffer.replace(buffers.without(chunks, partitions), up_to_seq)
        self._keys.persisted(keys)
        self._indexes.prepare(added)
        self._metrics.add("flushes")
        self._metrics.add("flushed_records", records.num_rows)
        self._metrics.add("flushed_bytes", sum(segment.bytes for segment in added))

    def _write(self, records: pa.Table, received_ns: int) -> list[NewSegment]:
        settings = self._settings
        rows = Rows(records)
        row_bytes = max(1, records.get_total_buffer_size() // records.num_rows)
        max_rows = max(settings.row_group_rows, settings.file_bytes // row_bytes)
        new: list[NewSegment] = []
        written = 0
        for run in runs(records, rows.words, settings.flush_files, settings.row_group_rows, max_rows):
            new += self._writer.write(rows.take(run.rows), run.window_ns, received_ns)
            written += len(run.rows)
            self._pace.progress(written / records.num_rows, time.monotonic())
        return new

    def release_wal(self) -> None:
        """Deletes the WAL files whose records are all in segments; not while they are still being replayed."""
        with self._one_at_a_time:
            oldest = self._buffer.oldest_seq()
            for path, following in pairwise(wal.wal_files(self._directory.wal)):
                if oldest is not None and wal.first_seq_of(following) > oldest:
                    break
                path.unlink()
            self._metrics.set("wal_disk_bytes", self._wal_bytes())

    def _count_failure(self, partition: Partition) -> None:
        self._failures[partition] += 1
        self._metrics.add("flush_failures")
        if self._failures[partition] >= FAILURES_TO_QUARANTINE:
            self.quarantined.add(partition)
            self._metrics.set("quarantined_partitions", len(self.quarantined))
        cluster, namespace = partition
        log.exception(
            "flush failed",
            cluster=cluster,
            namespace=namespace,
            quarantined=partition in self.quarantined,
            kept="in the WAL",
        )


def _collect(chunks: Sequence[Chunk], partitions: frozenset[Partition]) -> tuple[pa.Table, int]:
    """The records of these partitions, and when the last of them was accepted."""
    parts: list[pa.RecordBatch] = []
    received_ns = 0
    for chunk in chunks:
        if partitions.isdisjoint(chunk.partitions):
            continue
        is_whole = chunk.partitions.keys() <= partitions
        parts.append(chunk.records if is_whole else chunk.records.filter(buffers.rows_of(chunk.records, partitions)))
        received_ns = max(received_ns, chunk.received_ns)
    return pa.Table.from_batches(parts, schema=STORED), received_ns
