"""What is accepted and not yet in a segment, in the order of acceptance; and the newest records, kept for tails."""

import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logstore.catalog import Partition
from logstore.enrich import enrich
from logstore.record import STORED

MERGE_ROWS: Final = 4_096
"""Chunks are merged up to this many rows, so that many small batches are not as many chunks to a query. A batch of a
megabyte mostly has more than half of that, and is not copied."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Enriched records in `_seq` order, accepted together or one after the other."""

    records: pa.RecordBatch
    received_ns: int
    """When the last of them was accepted."""
    since_s: float
    """Monotonic time when the first of them was accepted."""
    partitions: dict[Partition, int]
    """Bytes in memory by partition."""

    @property
    def last_seq(self) -> int:
        return int(self.records["_seq"][-1].as_py())

    @property
    def first_seq(self) -> int:
        return int(self.records["_seq"][0].as_py())

    @property
    def bytes(self) -> int:
        return sum(self.partitions.values())


@dataclass(frozen=True, slots=True)
class Raw:
    """Records as accepted, numbered, not yet enriched."""

    records: pa.RecordBatch
    received_ns: int
    since_s: float


def make_chunk(records: pa.RecordBatch, received_ns: int, since_s: float) -> Chunk:
    return Chunk(records, received_ns, since_s, _bytes_by_partition(records))


def number(batch: pa.RecordBatch, first_seq: int) -> pa.RecordBatch:
    """The batch with its records numbered from `first_seq`."""
    seqs = pa.array(np.arange(first_seq, first_seq + batch.num_rows, dtype=np.int64))
    return pa.RecordBatch.from_arrays([*batch.columns, seqs], schema=STORED)


def combine(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of several, with one dictionary a column."""
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    return table.to_batches()[0]


def _bytes_by_partition(records: pa.RecordBatch) -> dict[Partition, int]:
    clusters, namespaces = records["cluster"], records["namespace"]
    width = max(len(namespaces.dictionary), 1)
    codes = clusters.indices.to_numpy().astype(np.int64) * width + namespaces.indices.to_numpy()
    counts = Counter(dict(zip(*(found.tolist() for found in np.unique(codes, return_counts=True)), strict=True)))
    row_bytes = records.get_total_buffer_size() / max(records.num_rows, 1)
    names: dict[Partition, int] = {}
    for code, rows in counts.items():
        name = (clusters.dictionary[code // width].as_py(), namespaces.dictionary[code % width].as_py())
        names[name] = names.get(name, 0) + int(rows * row_bytes)
    return names


def rows_of(records: pa.RecordBatch, partitions: frozenset[Partition]) -> pa.BooleanArray:
    """True for the records of these partitions."""
    mask = pa.array(np.zeros(records.num_rows, dtype=bool))
    by_cluster: dict[str, list[str]] = {}
    for cluster, namespace in partitions:
        by_cluster.setdefault(cluster, []).append(namespace)
    for cluster, namespaces in by_cluster.items():
        same = pc.and_(_is_in(records["cluster"], [cluster]), _is_in(records["namespace"], namespaces))
        mask = pc.or_(mask, same)
    return mask


def _is_in(column: pa.DictionaryArray, values: list[str]) -> pa.BooleanArray:
    found = pc.is_in(column.dictionary, value_set=pa.array(values, pa.string()))
    return found.take(column.indices)


class Buffer:
    """Chunks that wait for the flush, and a ring of the newest ones for tails; thread-safe.

    Records enter raw and are enriched once, by whoever needs them first: the enriching thread, or a snapshot.
    """

    def __init__(self, recent_bytes: int) -> None:
        self._recent_limit = recent_bytes
        self._lock = threading.Lock()
        self._enriching = threading.Lock()
        self._raw: deque[Raw] = deque()
        self._raw_bytes = 0
        self._chunks: tuple[Chunk, ...] = ()
        self._recent: deque[Chunk] = deque()
        self._recent_bytes = 0
        self._forgotten_seq = -1
        self._sealed_seq = -1
        self.newest_seq = -1
        """The number of the last record that is enriched."""
        self.changed = threading.Condition(self._lock)
        """Notified when records have come, are enriched, or have gone into segments."""

    def add(self, raws: Iterable[Raw]) -> None:
        with self._lock:
            for raw in raws:
                self._raw.append(raw)
                self._raw_bytes += raw.records.get_total_buffer_size()
            self.changed.notify_all()

    @property
    def bytes(self) -> int:
        with self._lock:
            return self.size_locked()

    def size_locked(self) -> int:
        """The bytes in memory; for a waiter on `changed`, which holds the lock."""
        return self._raw_bytes + sum(chunk.bytes for chunk in self._chunks)

    def enriched(self) -> tuple[tuple[Chunk, ...], int]:
        """The chunks there are, without waiting for what is still raw, and the last number that was enriched."""
        with self._lock:
            return self._chunks, self.newest_seq

    @property
    def has_raw(self) -> bool:
        return bool(self._raw)

    def chunks(self) -> tuple[Chunk, ...]:
        """Everything accepted so far, enriched."""
        with self._lock:
            last_seq = int(self._raw[-1].records["_seq"][-1].as_py()) if self._raw else -1
        while self.newest_seq < last_seq:
            self.enrich_some()
        return self.enriched()[0]

    def enrich_some(self) -> bool:
        """Enriches the oldest raw records, as many as make a good chunk; false where there are none."""
        with self._enriching:
            raws = self._take_raw()
            if not raws:
                return False
            records = enrich(combine([raw.records for raw in raws]))
            chunk = make_chunk(records, raws[-1].received_ns, raws[0].since_s)
            with self._lock:
                for raw in raws:
                    self._raw.popleft()
                    self._raw_bytes -= raw.records.get_total_buffer_size()
                self._chunks = self._appended(chunk)
                self._remember(chunk)
                self.newest_seq = chunk.last_seq
                self.changed.notify_all()
            return True

    def _take_raw(self) -> list[Raw]:
        """The raw records that come next; they stay in the queue until their chunk takes their place."""
        taken: list[Raw] = []
        rows = 0
        with self._lock:
            for raw in self._raw:
                if taken and rows + raw.records.num_rows > MERGE_ROWS:
                    break
                taken.append(raw)
                rows += raw.records.num_rows
        return taken

    def _appended(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """The chunks with one more; small neighbours are merged in pairs of like size, so that each record is copied
        a few times only."""
        *older, last = (*self._chunks, chunk)
        while older and older[-1].last_seq > self._sealed_seq and _is_worth_merging(older[-1], last):
            before = older.pop()
            last = make_chunk(combine([before.records, last.records]), last.received_ns, before.since_s)
        return (*older, last)

    def _remember(self, chunk: Chunk) -> None:
        self._recent.append(chunk)
        self._recent_bytes += chunk.bytes
        while self._recent_bytes > self._recent_limit and len(self._recent) > 1:
            gone = self._recent.popleft()
            self._recent_bytes -= gone.bytes
            self._forgotten_seq = gone.last_seq

    def seal(self) -> tuple[Chunk, ...]:
        """Everything accepted so far; later records are not merged into these chunks until they are replaced."""
        chunks = self.chunks()
        with self._lock:
            self._sealed_seq = chunks[-1].last_seq if chunks else self._sealed_seq
        return chunks

    def replace(self, chunks: tuple[Chunk, ...], up_to_seq: int) -> None:
        """Puts `chunks` in the place of all sealed chunks up to `up_to_seq`; those that came later stay."""
        with self._lock:
            later = tuple(chunk for chunk in self._chunks if chunk.first_seq > up_to_seq)
            self._chunks = (*chunks, *later)
            self.changed.notify_all()

    def oldest_seq(self) -> int | None:
        """The lowest number that is not in a segment yet."""
        with self._lock:
            if self._chunks:
                return self._chunks[0].first_seq
            return int(self._raw[0].records["_seq"][0].as_py()) if self._raw else None

    def recent(self, after_seq: int) -> tuple[pa.Table | None, int]:
        """The enriched records after `after_seq`, and the number of the last one that left the ring (-1: none did)."""
        with self._lock:
            ring, forgotten_seq = tuple(self._recent), self._forgotten_seq
        wanted = [_after(chunk.records, after_seq) for chunk in ring if chunk.last_seq > after_seq]
        return (pa.Table.from_batches(wanted, schema=STORED) if wanted else None), forgotten_seq


def without(chunks: Iterable[Chunk], partitions: frozenset[Partition]) -> tuple[Chunk, ...]:
    """The chunks that are left when these partitions are flushed."""
    kept = (_without(chunk, partitions) for chunk in chunks)
    return tuple(chunk for chunk in kept if chunk is not None)


def _without(chunk: Chunk, partitions: frozenset[Partition]) -> Chunk | None:
    if chunk.partitions.keys() <= partitions:
        return None
    if partitions.isdisjoint(chunk.partitions):
        return chunk
    kept = chunk.records.filter(pc.invert(rows_of(chunk.records, partitions)))
    return make_chunk(kept, chunk.received_ns, chunk.since_s)


def _after(records: pa.RecordBatch, seq: int) -> pa.RecordBatch:
    return records.slice(int(np.searchsorted(records["_seq"].to_numpy(), seq, side="right")))


def _is_worth_merging(before: Chunk, last: Chunk) -> bool:
    rows = last.records.num_rows
    before_rows = before.records.num_rows
    return bool(before_rows <= 2 * rows and before_rows + rows <= MERGE_ROWS)
