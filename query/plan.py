"""Which segments and buffered records a query reads, before any row group is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from logstore.listing import Listing
from logstore.pruning import Bounds, prune
from logstore.record import STORED
from query.groups import Whole, bytes_of, plain_bytes_of


@dataclass(frozen=True, slots=True)
class Plan:
    """What a query reads."""

    pieces: Whole
    buffer: pa.Table
    skipped: Mapping[str, int]

    @property
    def bytes(self) -> int:
        """Compressed bytes of the files, all columns of them."""
        return bytes_of(self.pieces)

    @property
    def plain_bytes(self) -> int:
        """What is read of them before compression."""
        return plain_bytes_of(self.pieces)


def plan(segments: Listing, buffer: pa.Table, bounds: Bounds) -> Plan:
    """Leaves out the segments, and the buffer, that cannot hold a matching record."""
    pruned = prune(segments, bounds)
    batches = [batch for batch in buffer.to_batches() if overlaps(batch, bounds)]
    return Plan(Whole(pruned.segments), pa.Table.from_batches(batches, schema=STORED), pruned.skipped)


def overlaps(buffer: pa.RecordBatch, bounds: Bounds) -> bool:
    """Whether some of the buffered records may lie within the bounds of time."""
    span = time_span(buffer)
    if span is None:
        return False
    is_before = bounds.start_ns is not None and span[1] < bounds.start_ns
    is_after = bounds.end_ns is not None and span[0] >= bounds.end_ns
    return not (is_before or is_after)


def time_span(buffer: pa.Table | pa.RecordBatch) -> tuple[int, int] | None:
    """First and last time (ns, inclusive) of buffered records; None where there are none."""
    if not buffer.num_rows:
        return None
    columns = [buffer["time"]] if isinstance(buffer, pa.RecordBatch) else buffer["time"].chunks
    times = [column.view(pa.int64()).to_numpy() for column in columns if len(column)]
    return min(int(one.min()) for one in times), max(int(one.max()) for one in times)
