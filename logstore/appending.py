"""Group commit: what has queued up is written to the WAL as one entry, synced once, and only then answered."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import structlog

from logstore import wal
from logstore.buffer import Buffer, Chunk, combine, make_chunk, number
from logstore.enrich import enrich
from logstore.errors import Busy, Unavailable
from logstore.files import DataDirectory
from logstore.keys import Ack, IdempotencyKey, Keys
from logstore.metrics import Metrics
from logstore.pace import Pace
from logstore.settings import StoreSettings
from logstore.wal import Entry, KeyedReceipt, WalWriter

log = structlog.get_logger("logstore.append")

GROUP_BYTES: Final = 8 << 20
SMALL_ROWS: Final = 1_000
"""Batches with fewer records are written, enriched and kept together with their neighbours."""
DISK_CHECK_S: Final = 1.0
SMALL_BYTES: Final = 64 << 10
"""Batches of less do not wait for the flush behind large ones: they have a sixteenth of the buffer's size beyond what
was in it when it was full, which is its bound and at most one large batch."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records as accepted, for the WAL, and as enriched, for the buffer."""

    accepted: pa.RecordBatch
    enriched: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class _Append:
    batch: pa.RecordBatch
    enriched: pa.RecordBatch | None
    """None of a small batch, which is enriched together with its neighbours."""
    receipt: bytes
    key: IdempotencyKey | None
    future: Future[Ack]
    bytes: int


class Appender:
    """The queue in front of the WAL and the one thread that writes it."""

    def __init__(
        self,
        directory: DataDirectory,
        settings: StoreSettings,
        buffer: Buffer,
        keys: Keys,
        metrics: Metrics,
        first_seq: int,
        pace: Pace,
        on_filling: Callable[[], None],
    ) -> None:
        """`on_filling` is called while half of the buffer is full, so that there is a flush."""
        self._directory = directory
        self._settings = settings
        self._buffer = buffer
        self._keys = keys
        self._metrics = metrics
        self._pace = pace
        self._on_filling = on_filling
        self._wal = WalWriter(directory.wal, settings.wal_file_bytes)
        self._small: deque[_Append] = deque()
        self._large: deque[_Append] = deque()
        self._is_held = False
        """Whether large batches wait."""
        self._is_full = False
        self._small_limit = 0
        """Up to what size of the buffer small batches are written meanwhile."""
        self._written_s, self._written_bytes = 0.0, 0
        """When the last large ones were, and how large."""
        self._queued_bytes = 0
        self._entering = 0
        self._work = threading.Condition()
        self._is_stopping = False
        self._disk_checked_s = -DISK_CHECK_S
        self._disk_full = ""
        self.next_seq = first_seq
        """The first number that is not given out."""

    def append(self, batch: pa.RecordBatch, receipt: bytes, key: IdempotencyKey | None) -> Future[Ack]:
        """See `Store.append`. Enriches a large batch in the caller's thread."""
        future: Future[Ack] = Future()
        size = int(batch.get_total_buffer_size())
        with self._work:
            if key is not None and (known := self._keys.find(key)):
                return known
            self._check_writable()
            self._reserve(size)
            if key is not None:
                self._keys.begin(key, future)
        enriched = None
        with contextlib.suppress(MemoryError):  # then it is the writer's turn to try, who can refuse the batch
            enriched = enrich(batch) if batch.num_rows >= SMALL_ROWS else None
        grown = int(enriched.get_total_buffer_size()) - size if enriched else 0
        with self._work:
            self._entering -= 1
            self._queued_bytes += grown
            queue = self._small if size < SMALL_BYTES else self._large
            queue.append(_Append(batch, enriched, receipt, key, future, size + grown))
            self._work.notify_all()
        if queue is self._small and self._is_held:
            with self._buffer.changed:
                self._buffer.changed.notify_all()
        return future

    def _reserve(self, size: int) -> None:
        if self._queued_bytes and self._queued_bytes + size > self._settings.pending_bytes:
            self._metrics.add("busy")
            raise Busy(
                f"{self._queued_bytes} bytes wait to be written; the limit is {self._settings.pending_bytes} "
                "(pending_bytes)"
            )
        self._queued_bytes += size
        self._entering += 1

    def run(self) -> None:
        """Writes until `stop`, and then what is still queued."""
        while True:
            with self._work:
                self._work.wait_for(lambda: self._has_some() or (self._is_stopping and not self._entering))
                if not self._has_some():
                    break
            if group := self._take_group(has_room=self._wait_for_room()):
                self._write(group)
        self._wal.close()

    def _has_some(self) -> bool:
        return bool(self._small or self._large)

    def stop(self) -> None:
        """Takes nothing more; `run` returns once all that was taken is answered."""
        with self._work:
            self._is_stopping = True
            self._work.notify_all()
        with self._buffer.changed:
            self._buffer.changed.notify_all()

    def _check_writable(self) -> None:
        if self._is_stopping:
            raise Unavailable("the server is stopping")
        now_s = time.monotonic()
        if now_s - self._disk_checked_s >= DISK_CHECK_S:
            free, reserve = self._directory.free_bytes(), self._settings.disk_reserve_bytes
            self._metrics.set("disk_free_bytes", free)
            self._disk_checked_s = now_s
            self._disk_full = (
                f"{free} bytes are free on the disk of {self._directory.root}, below the reserve of {reserve} "
                "(disk_reserve)"
                if free < reserve
                else ""
            )
        if self._disk_full:
            raise Unavailable(self._disk_full)

    def _wait_for_room(self) -> bool:
        """Holds large batches while the buffer is full, so that the queue fills and senders are told; and before that
        as long as the pace of the flush asks. False as soon as small ones can be written meanwhile."""
        limit, size = self._settings.buffer_bytes, self._buffer.bytes
        if size >= limit // 2:
            self._on_filling()
        if size >= limit:
            if not self._is_full:
                self._is_full = True
                self._small_limit = size + limit // 16
                self._metrics.add("buffer_full")
            return self._wait_until_below(limit, None)
        self._is_full, self._small_limit = False, limit
        now_s = time.monotonic()
        left_s = self._written_s + self._pace.spacing_s(self._written_bytes, limit - size, now_s) - now_s
        return left_s <= 0 or self._wait_until_below(size, left_s)

    def _wait_until_below(self, size_bytes: int, timeout_s: float | None) -> bool:
        """False where small batches came before that."""
        with self._buffer.changed:
            self._is_held = True
            has_small = self._buffer.changed.wait_for(
                lambda: self._is_below(size_bytes) or (self._small and self._is_below(self._small_limit)), timeout_s
            )
            self._is_held = False
        return not has_small or self._is_below(size_bytes)

    def _is_below(self, size_bytes: int) -> bool:
        return self._buffer.bytes < size_bytes or self._is_stopping

    def _take_group(self, *, has_room: bool) -> list[_Append]:
        """What is written next; without room only small batches. These come first, in half of a group. Not more than
        the buffer has room for, but at least one."""
        size = self._buffer.bytes
        room = min(GROUP_BYTES, self._settings.buffer_bytes - size)
        with self._work:
            group = _taken(self._small, min(GROUP_BYTES // 2, self._small_limit - size))
            if has_room:
                large = _taken(self._large, room - sum(one.bytes for one in group))
                self._written_s, self._written_bytes = time.monotonic(), sum(one.bytes for one in large)
                group += large
            return group

    def _write(self, group: list[_Append]) -> None:
        received_ns = time.time_ns()
        first_seq = self.next_seq
        rows = sum(request.batch.num_rows for request in group)
        # A number is given out once, also where the write fails: some of it may be on disk.
        self.next_seq += rows
        acks = _acks(group, first_seq)
        try:
            batches = _grouped(group)
            entry = _entry(group, acks, batches, first_seq, received_ns)
            encoded = wal.encode(entry)
            started_s = time.monotonic()
            written_bytes = self._wal.append(first_seq, encoded)
            self._metrics.observe("wal_sync", time.monotonic() - started_s)
            self._admit(entry, batches)
        except Exception as error:
            self._refuse(group, error)
        else:
            self._metrics.add("wal_bytes", written_bytes)
            self._metrics.add("accepted_records", rows)
            self._answer(group, acks)
        finally:
            with self._work:
                self._queued_bytes -= sum(request.bytes for request in group)

    def _admit(self, entry: Entry, batches: list[_Batch]) -> None:
        """Makes what is durable visible; its keys are known before, so that a flush finds them."""
        for key in entry.keys:
            self._keys.add(key, entry.received_ns)
        since_s = time.monotonic()
        chunks: list[Chunk] = []
        seq = entry.first_seq
        for batch in batches:
            chunks.append(make_chunk(number(batch.enriched, seq), entry.received_ns, since_s))
            seq += batch.enriched.num_rows
        self._buffer.add(chunks)

    def _answer(self, group: list[_Append], acks: list[Ack]) -> None:
        for request, ack in zip(group, acks, strict=True):
            request.future.set_result(ack)
            if request.key:
                self._keys.end(request.key)

    def _refuse(self, group: list[_Append], error: Exception) -> None:
        self._metrics.add("wal_failures")
        log.error("write to the WAL failed", error=str(error), batches=len(group), kept="nothing of it")
        for request in group:
            if request.key:
                self._keys.end(request.key)
            request.future.set_exception(Unavailable(f"the batch could not be written: {error}"))


def _taken(queue: deque[_Append], size_bytes: int) -> list[_Append]:
    """The first that are waiting, at least one of them."""
    group: list[_Append] = []
    size = 0
    while queue and (not group or size + queue[0].bytes <= size_bytes):
        group.append(queue.popleft())
        size += group[-1].bytes
    return group


def _acks(group: list[_Append], first_seq: int) -> list[Ack]:
    acks: list[Ack] = []
    for request in group:
        acks.append(Ack(first_seq, request.batch.num_rows, request.receipt))
        first_seq += request.batch.num_rows
    return acks


def _entry(group: list[_Append], acks: list[Ack], batches: list[_Batch], first_seq: int, received_ns: int) -> Entry:
    keys = tuple(
        KeyedReceipt(request.key.key, request.key.digest, ack.first_seq, ack.rows, ack.receipt)
        for request, ack in zip(group, acks, strict=True)
        if request.key
    )
    return Entry(first_seq, received_ns, tuple(batch.accepted for batch in batches), keys)


def _grouped(group: list[_Append]) -> list[_Batch]:
    """Small neighbours as one batch: what a batch costs by itself is then paid once."""
    grouped: list[_Batch] = []
    small: list[pa.RecordBatch] = []
    for request in group:
        if request.enriched is None:
            small.append(request.batch)
            continue
        if small:
            grouped.append(_together(small))
            small = []
        grouped.append(_Batch(request.batch, request.enriched))
    return [*grouped, _together(small)] if small else grouped


def _together(batches: list[pa.RecordBatch]) -> _Batch:
    accepted = combine(batches)
    return _Batch(accepted, enrich(accepted))
