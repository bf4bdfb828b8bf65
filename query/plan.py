"""Which segments and buffered records a query reads, before any row group is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress

import numpy as np
import pyarrow as pa

from logstore.listing import Listing
from logstore.order import Ints
from logstore.pruning import Bounds, prune
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
    return Plan(Whole(pruned.segments), _within(buffer, bounds), pruned.skipped)


def _within(buffer: pa.Table, bounds: Bounds) -> pa.Table:
    """Those of the buffer's batches that may have records within the bounds of time."""
    if not bounds.has_times or not buffer.num_rows:
        return buffer
    first_ns, last_ns = spans_of_batches(buffer)
    is_in = np.ones(len(first_ns), np.bool_)
    if bounds.start_ns is not None:
        is_in &= last_ns >= bounds.start_ns
    if bounds.end_ns is not None:
        is_in &= first_ns < bounds.end_ns
    return pa.Table.from_batches(compress(buffer.to_batches(), is_in.tolist()), schema=buffer.schema)


def time_span(buffer: pa.Table) -> tuple[int, int] | None:
    """First and last time (ns, inclusive) of buffered records; None where there are none."""
    if not buffer.num_rows:
        return None
    first_ns, last_ns = spans_of_batches(buffer)
    return int(first_ns.min()), int(last_ns.max())


def spans_of_batches(buffer: pa.Table) -> tuple[Ints, Ints]:
    """First and last time (ns, inclusive) of each of the buffer's batches; there is one."""
    chunks = [chunk for chunk in buffer["time"].chunks if len(chunk)]
    # All at once: numpy lets go of the interpreter for each array, and others that run may keep it for a while.
    times = np.concatenate([chunk.view(pa.int64()).to_numpy() for chunk in chunks])
    begins = np.cumsum([0, *map(len, chunks[:-1])])
    return np.minimum.reduceat(times, begins), np.maximum.reduceat(times, begins)
