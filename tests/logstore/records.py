"""Batches for tests of the engine: small, seeded, in the schema of an accepted record."""

import random
from collections.abc import Sequence

import pyarrow as pa

from logstore.record import SCHEMA

HOUR_NS = 3_600 * 10**9
BASE_NS = 1_790_000_000 * 10**9


def batch(
    messages: Sequence[str],
    *,
    namespace: str | Sequence[str] = "shop",
    pod: str | Sequence[str] = "web-1",
    time_ns: int | Sequence[int] = BASE_NS,
    cluster: str = "default",
    container: str = "app",
    labels: str | None = None,
) -> pa.RecordBatch:
    """A batch of these messages; a single value stands for all records."""
    rows = len(messages)

    def word(value: str | Sequence[str] | None) -> pa.Array:
        values = [value] * rows if value is None or isinstance(value, str) else list(value)
        return pa.array(values, pa.string()).dictionary_encode()

    times = [time_ns + i for i in range(rows)] if isinstance(time_ns, int) else list(time_ns)
    columns = {
        "time": pa.array(times, pa.int64()).cast(pa.timestamp("ns")),
        "cluster": word(cluster),
        "namespace": word(namespace),
        "pod": word(pod),
        "container": word(container),
        "stream": word("stdout"),
        "severity": word(""),
        "message": pa.array(list(messages), pa.string()),
        "labels": word(labels),
        "trace_id": pa.nulls(rows, pa.string()),
        "span_id": pa.nulls(rows, pa.string()),
        "attributes": pa.nulls(rows, pa.string()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def random_batch(rng: random.Random, rows: int, name: str) -> pa.RecordBatch:
    """Records of a few namespaces, pods and hours, with messages that are unique by `name`."""
    return batch(
        [f"{name} {i}" for i in range(rows)],
        namespace=[rng.choice(["shop", "payments", "a b/c=é"]) for _ in range(rows)],
        pod=[rng.choice(["", "web-1", "web-2"]) for _ in range(rows)],
        time_ns=[BASE_NS + rng.randrange(-3 * HOUR_NS, 3 * HOUR_NS) for _ in range(rows)],
        labels=rng.choice([None, '{"app":"web"}']),
    )
