"""What is accepted and not yet in a segment, in the order of acceptance; and the newest records, kept for tails."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logstore.catalog import Partition
from logstore.native.arrays import int64s
from logstore.order import Ints
from logstore.record import SEQ, STORED
from logstore.word_column import codes_or

_MERGE_BITS: Final = 3
MERGE_COUNT: Final = 1 << _MERGE_BITS
"""So many neighbours of like size become one, so that many small batches are not as many chunks to a query: each record
is copied once for each time that its chunk becomes eight times as large …"""
MERGE_ROWS: Final = 2_048
MERGE_BYTES: Final = 512 << 10
"""… until it has so many, or takes so much. A batch of a megabyte is not copied."""

_CLUSTER: Final = STORED.get_field_index("cluster")
_NAMESPACE: Final = STORED.get_field_index("namespace")
_SEQ: Final = STORED.get_field_index("_seq")


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
    bytes: int
    first_seq: int
    last_seq: int


def make_chunk(records: pa.RecordBatch, received_ns: int, since_s: float) -> Chunk:
    partitions = _bytes_by_partition(records)
    seqs = int64s(records.column(_SEQ))
    return Chunk(records, received_ns, since_s, partitions, sum(partitions.values()), int(seqs[0]), int(seqs[-1]))


def _merged(chunks: Sequence[Chunk]) -> Chunk:
    records = combine([chunk.records for chunk in chunks])
    return make_chunk(records, chunks[-1].received_ns, chunks[0].since_s)


def number(batch: pa.RecordBatch, first_seq: int) -> pa.RecordBatch:
    """The batch with its records numbered from `first_seq`."""
    seqs = pa.array(np.arange(first_seq, first_seq + batch.num_rows, dtype=np.int64))
    return batch.append_column(SEQ, seqs)


def combine(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of several, with one dictionary a column."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _bytes_by_partition(records: pa.RecordBatch) -> dict[Partition, int]:
    clusters, namespaces = records.column(_CLUSTER), records.column(_NAMESPACE)
    cluster_names, namespace_names = clusters.dictionary.to_pylist(), namespaces.dictionary.to_pylist()
    width = max(len(namespace_names), 1)
    codes: npt.NDArray[np.signedinteger[Any]] = codes_or(namespaces, 0)  # neither is ever null
    if len(cluster_names) > 1:
        codes = codes_or(clusters, 0).astype(np.int64) * width + codes
    present, counts = _counted(codes, len(cluster_names) * width)
    row_bytes = records.get_total_buffer_size() / max(records.num_rows, 1)
    names: dict[Partition, int] = {}
    for code, rows in zip(present.tolist(), counts.tolist(), strict=True):
        name = (cluster_names[code // width], namespace_names[code % width])
        names[name] = names.get(name, 0) + int(rows * row_bytes)
    return names


def _counted(codes: npt.NDArray[np.signedinteger[Any]], below: int) -> tuple[Ints, Ints]:
    """The different numbers there are, and how often each comes."""
    if below > 4 * len(codes):
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes, minlength=below)
    present = np.flatnonzero(counts)
    return present, counts[present]


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
    """Chunks that wait for the flush, and a ring of the newest ones for tails; thread-safe."""

    def __init__(self, recent_bytes: int) -> None:
        self._recent_limit = recent_bytes
        self._lock = threading.Lock()
        self._chunks: tuple[Chunk, ...] = ()
        self._bytes = 0
        self._recent: deque[Chunk] = deque()
        self._recent_bytes = 0
        self._forgotten_seq = -1
        self._sealed_seq = -1
        self.newest_seq = -1
        """The number of the last record."""
        self.changed = threading.Condition(self._lock)
        """Notified when records have come, or have gone into segments."""

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Takes enriched records whose numbers follow those that are there."""
        with self._lock:
            for chunk in chunks:
                self._chunks = self._appended(chunk)
                self._remember(chunk)
                self.newest_seq = chunk.last_seq
            self._bytes = sum(chunk.bytes for chunk in self._chunks)
            self.changed.notify_all()

    @property
    def bytes(self) -> int:
        """The memory of what waits for the flush."""
        return self._bytes

    def chunks(self) -> tuple[Chunk, ...]:
        """Everything that waits for the flush."""
        return self._chunks

    def state(self) -> tuple[tuple[Chunk, ...], int]:
        """The chunks, and the number of the last record, at one instant."""
        with self._lock:
            return self._chunks, self.newest_seq

    def _appended(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """The chunks with one more; where it is the last of enough small ones, they are merged."""
        chunks = [*self._chunks, chunk]
        while self._are_worth_merging(chunks[-MERGE_COUNT:]):
            chunks[-MERGE_COUNT:] = [_merged(chunks[-MERGE_COUNT:])]
        return tuple(chunks)

    def _are_worth_merging(self, chunks: list[Chunk]) -> bool:
        if len(chunks) < MERGE_COUNT or not _is_small(chunks[-1]) or chunks[0].last_seq <= self._sealed_seq:
            return False
        return all(_is_small(chunk) and _size(chunk) <= _size(chunks[-1]) for chunk in chunks)

    def _remember(self, chunk: Chunk) -> None:
        self._recent.append(chunk)
        self._recent_bytes += chunk.bytes
        while self._recent_bytes > self._recent_limit and len(self._recent) > 1:
            gone = self._recent.popleft()
            self._recent_bytes -= gone.bytes
            self._forgotten_seq = gone.last_seq

    def seal(self) -> tuple[Chunk, ...]:
        """Everything accepted so far; later records are not merged into these chunks until they are replaced."""
        with self._lock:
            self._sealed_seq = self._chunks[-1].last_seq if self._chunks else self._sealed_seq
            return self._chunks

    def replace(self, chunks: tuple[Chunk, ...], up_to_seq: int) -> None:
        """Puts `chunks` in the place of all sealed chunks up to `up_to_seq`; those that came later stay."""
        with self._lock:
            later = tuple(chunk for chunk in self._chunks if chunk.first_seq > up_to_seq)
            self._chunks = (*chunks, *later)
            self._bytes = sum(chunk.bytes for chunk in self._chunks)
            self.changed.notify_all()

    def oldest_seq(self) -> int | None:
        """The lowest number that is not in a segment yet."""
        with self._lock:
            return self._chunks[0].first_seq if self._chunks else None

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


def _is_small(chunk: Chunk) -> bool:
    return chunk.records.num_rows < MERGE_ROWS and chunk.bytes < MERGE_BYTES


def _size(chunk: Chunk) -> int:
    """The same for chunks of like size: how often it was multiplied by `MERGE_COUNT`."""
    return (int(chunk.records.num_rows).bit_length() - 1) // _MERGE_BITS
