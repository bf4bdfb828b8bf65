"""Flush: records of the buffer become segments, and the WAL lets go of them."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from logstore import buffer as buffers
from logstore import segment as segments
from logstore.buffer import Chunk
from logstore.catalog import NewSegment, Partition
from logstore.record import STORED

if TYPE_CHECKING:
    from logstore.store import Store

log = structlog.get_logger("logstore.flush")

FAILURES_TO_QUARANTINE: Final = 2
STORAGE_ERRORS: Final = (OSError, SQLAlchemyError)


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


def flush(store: "Store", chunks: tuple[Chunk, ...], partitions: frozenset[Partition]) -> None:
    """Publishes what sealed `chunks` hold of `partitions`.

    A partition that fails twice by itself is quarantined: it stays in the WAL and in memory, and the rest goes on.

    Raises:
        OSError, SQLAlchemyError: the disk or the catalog is at fault, not a partition; nothing changed.
    """
    try:
        _flush(store, chunks, partitions)
    except STORAGE_ERRORS:
        raise
    except Exception:
        if len(partitions) > 1:
            for partition in sorted(partitions):
                flush(store, store.buffer.seal(), frozenset([partition]))
            return
        _count_failure(store, next(iter(partitions)))


def _flush(store: "Store", chunks: tuple[Chunk, ...], partitions: frozenset[Partition]) -> None:
    records, received_ns = _collect(chunks, partitions)
    up_to_seq = chunks[-1].last_seq
    ordered, runs = segments.sort(records, store.settings.flush_files)
    new: list[NewSegment] = []
    for start, rows, window in runs:
        part = ordered.slice(start, rows)
        new += segments.write(part, window, received_ns, store.directory, store.layout)
    keys = store.keys.fresh(up_to_seq)
    added = store.catalog.publish_flush(new, partitions, up_to_seq, keys)
    store.publish(added=added, removed=(), buffered=(buffers.without(chunks, partitions), up_to_seq))
    store.keys.persisted(keys)
    store.metrics.add("flushes")
    store.metrics.add("flushed_records", records.num_rows)
    store.metrics.add("flushed_bytes", sum(segment.bytes for segment in added))


def _collect(chunks: Sequence[Chunk], partitions: frozenset[Partition]) -> tuple[pa.Table, int]:
    parts: list[pa.RecordBatch] = []
    received_ns = 0
    for chunk in chunks:
        if partitions.isdisjoint(chunk.partitions):
            continue
        is_whole = chunk.partitions.keys() <= partitions
        parts.append(chunk.records if is_whole else chunk.records.filter(buffers.rows_of(chunk.records, partitions)))
        received_ns = max(received_ns, chunk.received_ns)
    return pa.Table.from_batches(parts, schema=STORED), received_ns


def _count_failure(store: "Store", partition: Partition) -> None:
    store.flush_failures[partition] += 1
    store.metrics.add("flush_failures")
    is_quarantined = store.flush_failures[partition] >= FAILURES_TO_QUARANTINE
    if is_quarantined:
        store.quarantined.add(partition)
        store.metrics.set("quarantined_partitions", len(store.quarantined))
    cluster, namespace = partition
    log.exception("flush failed", cluster=cluster, namespace=namespace, quarantined=is_quarantined, kept="in the WAL")
