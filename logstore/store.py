"""The store: append, snapshot, follow, flush. The facade that the other packages use.

A record's way: `append` enriches its batch and queues it; the writing thread takes all that is queued, writes it to the
WAL as one entry, syncs once, hands it to the buffer and answers; the flushing thread makes segments of it; the tending
thread merges and retires those. One lock guards the state that a snapshot sees.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import structlog

from logstore import compact, recover, retain
from logstore.appending import Appender
from logstore.buffer import Buffer, make_chunk
from logstore.catalog import Catalog, Segment
from logstore.compact import Group
from logstore.enrich import enrich
from logstore.errors import OperatorError, Unavailable
from logstore.files import DataDirectory
from logstore.flush import Flusher
from logstore.follow import Follow
from logstore.indexes import Indexes
from logstore.keys import Ack, IdempotencyKey, Keys
from logstore.kinds import Kinds
from logstore.labels import with_keys_of
from logstore.live import LiveSegments
from logstore.metrics import Metrics
from logstore.pace import Pace
from logstore.record import STORED
from logstore.segment_writer import Layout, SegmentWriter
from logstore.settings import StoreSettings
from logstore.snapshot import Snapshot
from logstore.streams import stream_totals
from logstore.wal import KeyedReceipt
from logstore.yielding import BULK_NICE, LONG_NICE, yield_to_others

log = structlog.get_logger("logstore.store")

WRITER_SHIFT: Final = 48
_REBUILD_S: Final = 10.0  # then other upkeep has its turn, should all of them be gone
_RETRY_S: Final = 1.0


class Store:
    """One data directory, open for reading and writing. All methods are safe in any thread."""

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        """Use `Store.open`."""
        self.settings = settings
        self.path = path.absolute()
        self.directory = DataDirectory(path)
        self.metrics = Metrics()
        self.buffer = Buffer(settings.recent_bytes)
        self._tending = threading.Lock()
        self._stopping = threading.Event()
        self._flush_soon = threading.Event()
        self._live = LiveSegments(self.directory)
        self.indexes = Indexes(self.directory, self.settings.index_cache_bytes)
        self._threads: list[threading.Thread] = []

    @classmethod
    def open(cls, path: Path, settings: StoreSettings | None = None) -> "Store":
        """Locks the directory, recovers what the last process left, and starts.

        Raises:
            Unavailable: another process holds the directory.
            Damaged: a newer version wrote it.
        """
        store = cls(path, settings or StoreSettings())
        store.directory.lock()
        try:
            store._recover()
        except BaseException:
            store.directory.unlock()
            raise
        store._start()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def append(self, batch: pa.RecordBatch, receipt: bytes = b"", key: IdempotencyKey | None = None) -> Future[Ack]:
        """Takes a batch in the schema of an accepted record; resolves once it is durable and visible.

        A repeat of a known key resolves with the first answer. The future fails with `Unavailable` where the write
        failed.

        Raises:
            Busy: too much is waiting already.
            Unavailable: the disk is full or below its reserve, or the store is closing.
            KeyConflict: the key was used with another body.
        """
        return self._appender.append(batch, receipt, key)

    def snapshot(self) -> Snapshot:
        """Everything acknowledged before the call, at one instant."""
        with self._live.lock:
            chunks, last_seq = self.buffer.state()
            segments, generation = self._live.segments, self._live.begin_read()
        table = pa.Table.from_batches([chunk.records for chunk in chunks], schema=STORED)
        label_keys = with_keys_of(self.catalog.label_keys, table["labels"])
        return Snapshot(segments, table, last_seq, label_keys, lambda: self._live.end_read(generation))

    def follow(self, after_seq: int) -> Follow:
        """The records accepted after `after_seq`, as they come."""
        return Follow(self.buffer, after_seq, self._stopping)

    @property
    def last_seq(self) -> int:
        """The number of the last record that is acknowledged or about to be."""
        return self._appender.next_seq - 1

    def streams(self) -> pa.Table:
        """Every stream with records: identity, labels (JSON text, '' where none), records, first and last time."""
        self.catalog.stream_totals()  # a sum of everything, should it be one, is not made under the lock
        with self._live.lock:
            chunks = self.buffer.chunks()
            stored = self.catalog.stream_totals()
        return stream_totals(self.catalog.named(stored), [chunk.records for chunk in chunks])

    def flush(self) -> None:
        """Returns when everything accepted so far is in segments.

        Raises:
            Unavailable: the disk is full, or a partition is quarantined.
        """
        self._flusher.flush_all()
        self._flusher.release_wal()
        if quarantined := self._flusher.quarantined:
            names = ", ".join("/".join(partition) for partition in sorted(quarantined))
            raise Unavailable(f"these partitions cannot be flushed and stay in the WAL: {names}; see the server's log")

    def compact(self) -> int:
        """Merges the small segments that are worth it; returns how many merges that were.

        A merge that fails keeps no other from being done; what it raises is raised at the end.
        """
        with self._tending:
            merges = compact.plan(self._live.segments, self.settings, time.time_ns())
            work = [(self._rewrite, group) for group in merges.rewritten]
            work += [(self._join, group) for group in merges.joined]
            done = 0
            first: Exception | None = None  # not all: each holds on to what was read
            for merge, group in work:
                if self._stopping.is_set():
                    return done
                try:
                    done += merge(group)
                except Exception as error:
                    error.add_note(f"while merging {', '.join(str(segment.path) for segment in group)}")
                    first = first or error
            if first is not None:
                raise first
            return done

    def _rewrite(self, group: Group) -> bool:
        new = compact.rewrite(group, self._segments, self.settings.flush_files)
        self._keep_for_backups(group)
        self._replace(group, self.catalog.replace(group, new))
        return True

    def _join(self, group: Group) -> bool:
        """Whether that could be done: not before all of them have an index."""
        found = self.indexes.load(group)
        if found is None:
            return False
        joined = self._segments.join(group, found)
        self._keep_for_backups(group)
        self._replace(group, [self.catalog.join(group, joined)])
        return True

    def _keep_for_backups(self, group: Group) -> None:
        for segment in group:
            self.directory.keep_merged(segment.path)

    def _replace(self, group: Group, new: list[Segment]) -> None:
        self._live.change(new, group)
        self.indexes.forget(group)
        self.indexes.prepare(new)
        self._live.sweep()
        self.metrics.add("compactions")
        self.metrics.add("compacted_segments", len(group))
        self.metrics.add("compacted_bytes", sum(segment.bytes for segment in group))

    def rebuild_indexes(self) -> int:
        """Builds indexes again that were found missing or damaged, for some seconds; see `Indexes.rebuild`."""
        until_s = time.monotonic() + _REBUILD_S
        return self.indexes.rebuild(self._rebuild_index, lambda: self._stopping.is_set() or time.monotonic() > until_s)

    def _rebuild_index(self, segment: Segment) -> bool:
        """Whether there still is such a segment."""
        with self._tending:
            if segment.id not in self._live.segments.id:
                return False
            self._segments.rebuild_index(segment)
            return True

    def retain(self) -> int:
        """Removes the segments that retention has run out for; returns how many."""
        settings = self.settings
        with self._tending:
            gone = retain.expired(
                self._live.segments, time.time_ns(), settings.retention_age_s, settings.retention_bytes
            )
            if gone:
                self.catalog.remove(gone)
                self._live.change((), gone)
                self.indexes.forget(gone)
                self._live.sweep()
                self.metrics.add("expired_segments", len(gone))
                log.info("retention removed segments", segments=len(gone), bytes=sum(s.bytes for s in gone))
            return len(gone)

    def readings(self) -> Mapping[str, float]:
        """The numbers for /metrics."""
        segments = self._live.segments
        now = {
            "buffer_bytes": self.buffer.bytes,
            "segments": len(segments),
            "segment_bytes": int(segments.bytes.sum()),
        }
        return self.metrics.read() | now

    def _flush_forever(self) -> None:
        yield_to_others(BULK_NICE)
        interval_s = min(1.0, self.settings.flush_age_s / 4)
        while not self._stopping.is_set():
            self._flush_soon.wait(interval_s)
            self._flush_soon.clear()
            try:
                self._flusher.flush_due()
                self._flusher.release_wal()
            except Exception as error:
                if not isinstance(error, OperatorError):
                    log.exception("flush failed", kept="everything, in the WAL")
                self._stopping.wait(_RETRY_S)

    def _tend_forever(self) -> None:
        yield_to_others(LONG_NICE)
        self._tend(self.indexes.fill, self._live.segments, self._stopping)
        while not self._stopping.wait(self.settings.compact_interval_s):
            for duty in (self.compact, self.retain, self.rebuild_indexes, self._sweep):
                self._tend(duty)

    def _tend(self, duty: Callable[..., object], *arguments: object) -> None:
        try:
            duty(*arguments)
        except Exception:
            self.metrics.add("tending_failures")
            log.exception("upkeep failed", of=duty.__name__.lstrip("_"), kept="all segments as they were")

    def _sweep(self) -> None:
        self.directory.sweep_retired(time.time(), self.settings.retired_age_s)
        oldest_ns = time.time_ns() - int(self.settings.key_age_s * 1e9)
        self.catalog.forget_keys(oldest_ns, self.settings.key_count)

    def _start(self) -> None:
        for name, target in (
            ("write", self._appender.run),
            ("flush", self._flush_forever),
            ("tend", self._tend_forever),
        ):
            thread = threading.Thread(target=target, name=f"logstore-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Takes nothing more, flushes everything accepted, and unlocks."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._appender.stop()
        with self.buffer.changed:
            self.buffer.changed.notify_all()
        self._flush_soon.set()
        for thread in self._threads:
            thread.join()
        try:
            self.flush()
        except OperatorError as error:
            log.error("last flush failed", error=str(error), kept="in the WAL, for the next start")
        self.catalog.close()
        self.directory.unlock()

    def _recover(self) -> None:
        started_s = time.monotonic()
        self.directory.prepare()
        self.catalog = Catalog(self.directory.catalog, self.directory.segments)
        self.keys = Keys(self.catalog)
        settings, metrics, pace = self.settings, self.metrics, Pace()
        layout = Layout(settings.partition_by, settings.row_group_rows, self.catalog.secret(), settings.column_rows)
        self._segments = writer = SegmentWriter(self.directory, layout, Kinds(self.catalog))
        self._flusher = Flusher(
            self.directory,
            settings,
            writer,
            self.buffer,
            self.catalog,
            self.keys,
            self._live,
            self.indexes,
            metrics,
            pace,
        )
        found = recover.check_segments(self.directory, self.catalog)
        self._live.begin(found.segments)
        recover.replay(self.directory, self.catalog, found, self._take_replayed, self._remember_replayed)
        first_seq = max(found.next_seq, self.settings.writer << WRITER_SHIFT)
        self.buffer.newest_seq = first_seq - 1
        self._appender = Appender(
            self.directory, settings, self.buffer, self.keys, metrics, first_seq, pace, on_filling=self._flush_soon.set
        )
        self.metrics.set("damaged_wal_ranges", len(found.damaged))
        self.metrics.set("missing_segments", len(found.missing))
        level = log.error if found.damaged or found.missing else log.info
        level(
            "recovered",
            path=str(self.path),
            seconds=round(time.monotonic() - started_s, 3),
            segments=len(found.segments),
            missing_segments=found.missing,
            orphans_retired=found.orphans,
            wal_files=found.wal_files,
            replayed_records=found.replayed_records,
            torn_bytes_cut=found.torn_bytes,
            damaged=found.damaged,
        )

    def _take_replayed(self, batch: pa.RecordBatch, received_ns: int) -> None:
        self.buffer.add([make_chunk(enrich(batch), received_ns, time.monotonic())])
        if self.buffer.bytes >= self.settings.buffer_bytes // 2:
            self._flusher.flush_all()

    def _remember_replayed(self, key: KeyedReceipt, received_ns: int) -> bool:
        known = self.catalog.key(key.key)
        if known is not None:
            return known.first_seq == key.first_seq
        return self.keys.add(key, received_ns)
