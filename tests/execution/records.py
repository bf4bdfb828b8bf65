"""Records for these tests: plain dicts, batches made of them, and what an answer should say of them."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from logstore.record import SCHEMA
from logstore.store import Store

S_NS = 1_000_000_000
START_NS = 1_767_225_600 * S_NS
"""2026-01-01T00:00:00Z."""

Record = dict[str, Any]

_WORDS = ("error", "timeout", "connection", "reset", "ok", "started", "größe", 'say "hi"')


def record(time_ns: int, message: str, **others: Any) -> Record:
    """A whole record; `labels` and `attributes` as dicts."""
    return {
        "time": time_ns,
        "cluster": "c1",
        "namespace": "shop",
        "pod": "web-1",
        "container": "app",
        "stream": "stdout",
        "severity": "info",
        "message": message,
        "labels": None,
        "trace_id": None,
        "span_id": None,
        "attributes": None,
    } | others


def random_records(count: int, seed: int, hours: int = 6) -> list[Record]:
    """Records in the order of acceptance, with times all over the place and some equal ones."""
    chance = random.Random(seed)
    return [_random_record(chance, hours) for _ in range(count)]


def _random_record(chance: random.Random, hours: int) -> Record:
    pod = chance.choice(["web-1", "web-2", "db-0", ""])
    return record(
        START_NS + chance.randrange(hours * 3_600) * S_NS,
        " ".join(chance.choices(_WORDS, k=chance.randint(1, 5))) + f" {chance.randrange(1000)}",
        cluster=chance.choice(["c1", "c2"]),
        namespace=chance.choice(["shop", "pay/ments"]),
        pod=pod,
        container=chance.choice(["app", "sidecar"]),
        stream=chance.choice(["stdout", "stderr"]),
        severity=chance.choice(["", "info", "warn", "error"]),
        labels=chance.choice([None, {"app": "web"}, {"app": "web", "pod_uid": "u1"}]),
        trace_id=chance.choice([None, f"{chance.getrandbits(64):016x}"]),
        attributes=chance.choice([None, {"status": chance.choice([200, 404, 500]), "user": "ann"}, {"user": "bob"}]),
    )


def batch_of(records: Sequence[Record]) -> pa.RecordBatch:
    arrays = []
    for field in SCHEMA:
        values = [row[field.name] for row in records]
        if field.name in ("labels", "attributes"):
            values = [None if value is None else json.dumps(value, sort_keys=True) for value in values]
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        arrays.append(pa.array(values, plain).cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def append(store: Store, records: Sequence[Record]) -> int:
    """Accepts the records; returns the number of the first."""
    return store.append(batch_of(records)).result().first_seq


def in_order(records: Sequence[Record], order: str = "desc") -> list[Record]:
    """In the total order (time, acceptance), or its exact reverse."""
    numbered = sorted(enumerate(records), key=lambda item: (item[1]["time"], item[0]))
    ordered = [row for _, row in numbered]
    return ordered if order == "asc" else ordered[::-1]
