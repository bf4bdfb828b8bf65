"""What a segment's file takes."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from tests.logstore.records import BASE_NS, batch

ROWS = 20_000


@pytest.mark.parametrize(("unit_ns", "most_bytes"), [(1, 6), (1_000_000, 5.2), (1_000_000_000, 3)])
def test_times_take_what_there_is_to_them(tmp_path: Path, unit_ns: int, most_bytes: float) -> None:
    """Of fifty pods within an hour, each in its order; and a time comes back as it was."""
    chance = random.Random(1)
    times = sorted(BASE_NS + chance.randrange(3_600 * 10**9) // unit_ns * unit_ns for _ in range(ROWS))
    pods = [f"pod-{chance.randrange(50)}" for _ in range(ROWS)]
    with Store.open(tmp_path, StoreSettings(flush_age_s=3_600, compact_interval_s=3_600)) as store:
        store.append(batch(["x"] * ROWS, pod=pods, time_ns=times)).result()
        store.flush()
        (segment,) = store.snapshot().segments
    metadata = pq.read_metadata(segment.path)
    at = metadata.schema.names.index("time")
    chunks = [metadata.row_group(group).column(at) for group in range(metadata.num_row_groups)]
    assert sum(chunk.total_compressed_size for chunk in chunks) / ROWS < most_bytes
    found = pq.read_table(segment.path, columns=["time"])["time"].cast("int64").to_pylist()
    assert sorted(found) == times
