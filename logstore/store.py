"""The store: append, snapshot, follow, flush. The facade that the other packages use.

A record's way: `append` queues its batch; the writing thread takes all that is queued, writes it to the WAL as one
entry, syncs once, hands it to the buffer and answers; the enriching thread completes it; the flushing thread makes
segments of it; the tending thread merges and retires those. One lock guards the state that a snapshot sees.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import structlog

from logstore import compact, flush, recover, retain, wal
from logstore.buffer import Buffer, Chunk, Raw, combine
from logstore.catalog import Catalog, Partition, Segment
from logstore.errors import Busy, OperatorError, Unavailable
from logstore.files import DataDirectory
from logstore.follow import Follow
from logstore.keys import Ack, IdempotencyKey, Keys
from logstore.metrics import Metrics
from logstore.record import STORED
from logstore.segment import Layout
from logstore.settings import StoreSettings
from logstore.streams import stream_totals
from logstore.wal import Entry, KeyedReceipt, WalWriter

log = structlog.get_logger("logstore.store")

WRITER_SHIFT: Final = 48
_GROUP_BYTES: Final = 8 << 20
_SMALL_ROWS: Final = 1_000
_DISK_CHECK_S: Final = 1.0
_RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Append:
    batch: pa.RecordBatch
    receipt: bytes
    key: IdempotencyKey | None
    future: Future[Ack]

    @property
    def bytes(self) -> int:
        return int(self.batch.get_total_buffer_size())


class Snapshot:
    """Segments and buffer at one instant. A context manager: while it is open, no file of it goes away."""

    def __init__(self, segments: tuple[Segment, ...], buffer: pa.Table, release: Callable[[], None]) -> None:
        self.segments = segments
        self.buffer = buffer
        """Records that are in no segment yet, in the stored schema, in `_seq` order."""
        self._release = release
        self._is_open = True

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Store:
    """One data directory, open for reading and writing. All methods are safe in any thread."""

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        """Use `Store.open`."""
        self.settings = settings
        self.path = path.absolute()
        self.directory = DataDirectory(path)
        self.layout = Layout(settings.partition_by, settings.row_group_rows)
        self.metrics = Metrics()
        self.buffer = Buffer(settings.recent_bytes)
        self.flush_failures: Counter[Partition] = Counter()
        self.quarantined: set[Partition] = set()
        self._state = threading.Lock()
        self._queue: deque[_Append] = deque()
        self._queued_bytes = 0
        self._work = threading.Condition()
        self._flushing = threading.Lock()
        self._tending = threading.Lock()
        self._stopping = threading.Event()
        self._flush_soon = threading.Event()
        self._segments: tuple[Segment, ...] = ()
        self._generation = 0
        self._readers: Counter[int] = Counter()
        self._unlinked: list[tuple[int, Segment]] = []
        self._disk_checked_s = 0.0
        self._disk_full = ""
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

    # Writing

    def append(self, batch: pa.RecordBatch, receipt: bytes = b"", key: IdempotencyKey | None = None) -> Future[Ack]:
        """Takes a batch in the schema of an accepted record; resolves once it is durable and visible.

        A repeat of a known key resolves with the first answer. The future fails with `Unavailable` where the write
        failed.

        Raises:
            Busy: too much is waiting already.
            Unavailable: the disk is full or below its reserve, or the store is closing.
            KeyConflict: the key was used with another body.
        """
        with self._work:
            if key is not None and (known := self.keys.find(key)):
                return known
            self._check_writable()
            request = _Append(batch, receipt, key, Future())
            if self._queued_bytes and self._queued_bytes + request.bytes > self.settings.pending_bytes:
                self.metrics.add("busy")
                raise Busy(
                    f"{self._queued_bytes} bytes wait to be written; the limit is {self.settings.pending_bytes} "
                    "(pending_bytes)"
                )
            if key is not None:
                self.keys.begin(key, request.future)
            self._queue.append(request)
            self._queued_bytes += request.bytes
            self._work.notify_all()
            return request.future

    def _check_writable(self) -> None:
        if self._stopping.is_set():
            raise Unavailable("the server is stopping")
        now_s = time.monotonic()
        if now_s - self._disk_checked_s > _DISK_CHECK_S:
            free, reserve = self.directory.free_bytes(), self.settings.disk_reserve_bytes
            self.metrics.set("disk_free_bytes", free)
            self._disk_checked_s = now_s
            self._disk_full = (
                f"{free} bytes are free on the disk of {self.path}, below the reserve of {reserve} (disk_reserve)"
                if free < reserve
                else ""
            )
        if self._disk_full:
            raise Unavailable(self._disk_full)

    def _write_forever(self) -> None:
        while True:
            with self._work:
                while not (self._queue or self._stopping.is_set()):
                    self._work.wait()
                if not self._queue:
                    return
            self._wait_for_room()
            self._write(self._take_group())

    def _wait_for_room(self) -> None:
        """Holds the writing while the buffer is full, so that the queue fills and senders are told."""
        if self.buffer.bytes < self.settings.buffer_bytes:
            return
        self.metrics.add("buffer_full")
        self._flush_soon.set()
        with self.buffer.changed:
            self.buffer.changed.wait_for(
                lambda: self.buffer.size_locked() < self.settings.buffer_bytes or self._stopping.is_set()
            )

    def _take_group(self) -> list[_Append]:
        with self._work:
            group: list[_Append] = []
            size = 0
            while self._queue and (not group or size + self._queue[0].bytes <= _GROUP_BYTES):
                group.append(self._queue.popleft())
                size += group[-1].bytes
            return group

    def _write(self, group: list[_Append]) -> None:
        received_ns = time.time_ns()
        first_seq = self._next_seq
        rows = sum(request.batch.num_rows for request in group)
        # A number is given out once, also where the write fails: some of it may be on disk.
        self._next_seq += rows
        acks = _number_acks(group, first_seq)
        try:
            entry = _entry(group, acks, first_seq, received_ns)
            encoded = wal.encode(entry)
            started_s = time.monotonic()
            self._wal.append(first_seq, encoded)
            self.metrics.observe("wal_sync", time.monotonic() - started_s)
        except Exception as error:
            self._refuse(group, error)
            return
        finally:
            with self._work:
                self._queued_bytes -= sum(request.bytes for request in group)
        for key in entry.keys:
            self.keys.add(key, received_ns)
        self._admit(entry, received_ns)
        self.metrics.add("wal_bytes", len(encoded))
        self.metrics.add("accepted_records", rows)
        for request, ack in zip(group, acks, strict=True):
            request.future.set_result(ack)
            if request.key:
                self.keys.end(request.key)

    def _admit(self, entry: Entry, received_ns: int) -> None:
        since_s = time.monotonic()
        raws: list[Raw] = []
        seq = entry.first_seq
        for batch in entry.batches:
            raws.append(Raw(recover.number(batch, seq), received_ns, since_s))
            seq += batch.num_rows
        self.buffer.add(raws)

    def _refuse(self, group: list[_Append], error: Exception) -> None:
        self.metrics.add("wal_failures")
        log.error("write to the WAL failed", error=str(error), batches=len(group), kept="nothing of it")
        for request in group:
            if request.key:
                self.keys.end(request.key)
            request.future.set_exception(Unavailable(f"the batch could not be written: {error}"))

    # Reading

    def snapshot(self) -> Snapshot:
        """Everything acknowledged before the call, at one instant."""
        self.buffer.chunks()
        with self._state:
            chunks, segments, generation = self.buffer.enriched(), self._segments, self._generation
            self._readers[generation] += 1
        table = pa.Table.from_batches([chunk.records for chunk in chunks], schema=STORED)
        return Snapshot(segments, table, lambda: self._release(generation))

    def _release(self, generation: int) -> None:
        with self._state:
            self._readers[generation] -= 1
            if not self._readers[generation]:
                del self._readers[generation]
        self._unlink()

    def follow(self, after_seq: int) -> Follow:
        """The records accepted after `after_seq`, as they come."""
        return Follow(self.buffer, after_seq, self._stopping)

    @property
    def last_seq(self) -> int:
        """The number of the last record that is acknowledged or about to be."""
        return self._next_seq - 1

    def streams(self) -> pa.Table:
        """Every stream with records: identity, labels (JSON text, '' where none), records, first and last time."""
        self.buffer.chunks()
        with self._state:
            chunks = self.buffer.enriched()
            stored = self.catalog.stream_totals()
        return stream_totals(stored, [chunk.records for chunk in chunks])

    # Publishing

    def publish(
        self,
        added: Sequence[Segment],
        removed: Sequence[Segment],
        buffered: tuple[tuple[Chunk, ...], int] | None = None,
    ) -> None:
        """Makes a committed catalog change visible, in one step with what it takes out of the buffer."""
        gone = {segment.id for segment in removed}
        with self._state:
            self._segments = (*(s for s in self._segments if s.id not in gone), *added)
            self._generation += 1
            self._unlinked += [(self._generation, segment) for segment in removed]
            if buffered is not None:
                self.buffer.replace(*buffered)
        self._unlink()

    def _unlink(self) -> None:
        """Deletes the files that no snapshot can still read."""
        with self._state:
            oldest = min(self._readers, default=self._generation)
            free = [segment for generation, segment in self._unlinked if generation <= oldest]
            self._unlinked = [(g, segment) for g, segment in self._unlinked if g > oldest]
        for segment in free:
            self.directory.remove_segment(segment.path)

    def flush(self) -> None:
        """Returns when everything accepted so far is in segments.

        Raises:
            Unavailable: the disk is full, or a partition is quarantined.
        """
        with self._flushing:
            self._flush_sealed(flush.partitions_of)
        if self.quarantined:
            names = ", ".join("/".join(partition) for partition in sorted(self.quarantined))
            raise Unavailable(f"these partitions cannot be flushed and stay in the WAL: {names}; see the server's log")

    def _flush_sealed(self, choose: Callable[[tuple[Chunk, ...]], frozenset[Partition]]) -> None:
        chunks = self.buffer.seal()
        partitions = choose(chunks) - self.quarantined
        if partitions:
            try:
                flush.flush(self, chunks, partitions)
            except OSError as error:
                self.metrics.add("flush_failures")
                log.error("flush failed", error=str(error), kept="everything, in the WAL")
                raise Unavailable(f"segments could not be written: {error}") from error
        self._release_wal()

    def _release_wal(self) -> None:
        """Deletes the WAL files whose records are all in segments."""
        oldest = self.buffer.oldest_seq()
        files = wal.wal_files(self.directory.wal)
        for path, following in pairwise(files):
            if oldest is not None and wal.first_seq_of(following) > oldest:
                break
            path.unlink()
        self.metrics.set("wal_disk_bytes", sum(path.stat().st_size for path in wal.wal_files(self.directory.wal)))

    def _due(self, chunks: tuple[Chunk, ...]) -> frozenset[Partition]:
        settings = self.settings
        is_full = sum(chunk.bytes for chunk in chunks) >= settings.buffer_bytes // 2
        if is_full or self._wal_size() >= settings.wal_max_bytes:
            return flush.partitions_of(chunks)
        return flush.due(chunks, time.monotonic(), settings.flush_bytes, settings.flush_age_s)

    def _wal_size(self) -> int:
        return sum(path.stat().st_size for path in wal.wal_files(self.directory.wal))

    # Background

    def compact(self) -> int:
        """Merges the small segments that are worth it; returns how many merges that were."""
        with self._tending:
            groups = compact.plan(
                self._segments,
                self.directory.segments,
                self.settings.partition_by,
                self.settings.compact_files,
                self.settings.compact_bytes,
            )
            for group in groups:
                if self._stopping.is_set():
                    break
                compact.merge(self, group)
            return len(groups)

    def retain(self) -> int:
        """Removes the segments that retention has run out for; returns how many."""
        settings = self.settings
        with self._tending:
            gone = retain.expired(self._segments, time.time_ns(), settings.retention_age_s, settings.retention_bytes)
            if gone:
                self.catalog.remove(gone)
                self.publish(added=(), removed=gone)
                self.metrics.add("expired_segments", len(gone))
                log.info("retention removed segments", segments=len(gone), bytes=sum(s.bytes for s in gone))
            return len(gone)

    def _enrich_forever(self) -> None:
        while not self._stopping.is_set():
            with self.buffer.changed:
                self.buffer.changed.wait_for(lambda: self.buffer.has_raw or self._stopping.is_set())
            self.buffer.enrich_some()

    def _flush_forever(self) -> None:
        interval_s = min(1.0, self.settings.flush_age_s / 4)
        while not self._stopping.is_set():
            self._flush_soon.wait(interval_s)
            self._flush_soon.clear()
            try:
                with self._flushing:
                    self._flush_sealed(self._due)
            except OperatorError:
                self._stopping.wait(_RETRY_S)
            self.metrics.set("buffer_bytes", self.buffer.bytes)
            self.metrics.set("segments", len(self._segments))
            self.metrics.set("segment_bytes", sum(segment.bytes for segment in self._segments))

    def _tend_forever(self) -> None:
        while not self._stopping.wait(self.settings.compact_interval_s):
            try:
                self.compact()
                self.retain()
                self.directory.sweep_retired(time.time(), self.settings.retired_age_s)
                oldest_ns = time.time_ns() - int(self.settings.key_age_s * 1e9)
                self.catalog.forget_keys(oldest_ns, self.settings.key_count)
            except Exception:
                self.metrics.add("tending_failures")
                log.exception("compaction or retention failed", kept="all segments as they were")

    def _start(self) -> None:
        for name, target in (
            ("write", self._write_forever),
            ("enrich", self._enrich_forever),
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
        with self._work:
            self._stopping.set()
            self._work.notify_all()
        with self.buffer.changed:
            self.buffer.changed.notify_all()
        self._flush_soon.set()
        for thread in self._threads:
            thread.join()
        try:
            self.flush()
        except OperatorError as error:
            log.error("last flush failed", error=str(error), kept="in the WAL, for the next start")
        self._wal.close()
        self.catalog.close()
        self.directory.unlock()

    # Recovery

    def _recover(self) -> None:
        started_s = time.monotonic()
        self.directory.prepare()
        self.catalog = Catalog(self.directory.catalog, self.directory.segments)
        self.keys = Keys(self.catalog)
        found = recover.check_segments(self.directory, self.catalog)
        self._segments = tuple(found.segments)
        self._next_seq = 0
        recover.replay(self.directory, self.catalog, found, self._take_replayed, self._remember_replayed)
        self._next_seq = max(found.next_seq, self.settings.writer << WRITER_SHIFT)
        self._wal = WalWriter(self.directory.wal, self.settings.wal_file_bytes)
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
        self.buffer.add([Raw(batch, received_ns, time.monotonic())])
        if self.buffer.bytes >= self.settings.buffer_bytes // 2:
            chunks = self.buffer.seal()
            flush.flush(self, chunks, flush.partitions_of(chunks))

    def _remember_replayed(self, key: KeyedReceipt, received_ns: int) -> bool:
        known = self.catalog.key(key.key)
        if known is not None:
            return known.first_seq == key.first_seq
        return self.keys.add(key, received_ns)


def _number_acks(group: list[_Append], first_seq: int) -> list[Ack]:
    acks: list[Ack] = []
    for request in group:
        acks.append(Ack(first_seq, request.batch.num_rows, request.receipt))
        first_seq += request.batch.num_rows
    return acks


def _entry(group: list[_Append], acks: list[Ack], first_seq: int, received_ns: int) -> Entry:
    keys = tuple(
        KeyedReceipt(request.key.key, request.key.digest, ack.first_seq, ack.rows, ack.receipt)
        for request, ack in zip(group, acks, strict=True)
        if request.key
    )
    return Entry(first_seq, received_ns, tuple(_grouped([request.batch for request in group])), keys)


def _grouped(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Small neighbours as one batch: what a batch costs by itself is then paid once."""
    grouped: list[pa.RecordBatch] = []
    small: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows < _SMALL_ROWS:
            small.append(batch)
            continue
        if small:
            grouped.append(combine(small))
            small = []
        grouped.append(batch)
    return [*grouped, combine(small)] if small else grouped
