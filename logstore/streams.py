"""Which streams there are: totals of the catalog and of the buffer together."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from logstore.record import IDENTITY

NAMES = (*IDENTITY, "labels")
STREAM_TOTALS: Final = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("cluster", "namespace", "pod", "container", "labels")),
        pa.field("records", pa.int64()),
        pa.field("first_time_ns", pa.int64()),
        pa.field("last_time_ns", pa.int64()),
    ]
)


def stream_totals(stored: pa.Table, buffered: Sequence[pa.RecordBatch]) -> pa.Table:
    """Records, first and last time of each stream, sorted by name.

    Columns: cluster, namespace, pod, container, labels (JSON text, '' where none), records, first_time_ns,
    last_time_ns.
    """
    parts = [stored, *(_totals(batch) for batch in buffered if batch.num_rows)]
    merged = (
        pa.concat_tables(parts)
        .group_by(list(NAMES))
        .aggregate([("records", "sum"), ("first_time_ns", "min"), ("last_time_ns", "max")])
        .rename_columns([*NAMES, "records", "first_time_ns", "last_time_ns"])
    )
    return merged.sort_by([(name, "ascending") for name in NAMES]).cast(STREAM_TOTALS)


def _totals(batch: pa.RecordBatch) -> pa.Table:
    columns = [batch[name].cast(pa.string()).fill_null("") for name in NAMES]
    times = batch["time"].cast(pa.int64())
    table = pa.table([*columns, times], names=[*NAMES, "time_ns"])
    grouped = table.group_by(list(NAMES)).aggregate([("time_ns", "count"), ("time_ns", "min"), ("time_ns", "max")])
    renamed = grouped.rename_columns([*NAMES, "records", "first_time_ns", "last_time_ns"])
    return renamed.cast(STREAM_TOTALS)
