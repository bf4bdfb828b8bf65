"""Namespaces that are too many share one, and nothing of their records is lost."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ingest.namespaces import HOUR_S, OVERFLOW, Namespaces
from tests.execution.records import START_NS, batch_of, record

PAIRS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([f"n{i}" for i in range(9)])), max_size=30)


def batch(pairs: Sequence[tuple[str, str]], attributes: dict[str, Any] | None = None) -> pa.RecordBatch:
    return batch_of(
        [
            record(START_NS, f"line {place}", cluster=cluster, namespace=namespace, attributes=attributes)
            for place, (cluster, namespace) in enumerate(pairs)
        ]
    )


def said(found: pa.RecordBatch) -> list[tuple[str, str]]:
    """Where each record is, and what it was meant to be in if that is another."""
    rows = found.select(["cluster", "namespace", "attributes"]).to_pylist()
    told = [json.loads(row["attributes"] or "{}").get("_namespace", row["namespace"]) for row in rows]
    moved = [row["namespace"] == OVERFLOW for row in rows]
    assert moved == [one != row["namespace"] for one, row in zip(told, rows, strict=True)]
    return [(row["cluster"], one) for one, row in zip(told, rows, strict=True)]


@given(st.lists(PAIRS, max_size=5), st.integers(0, 5))
def test_each_batch_says_what_it_said_and_few_namespaces_are_new(
    batches: list[list[tuple[str, str]]], new_an_hour: int
) -> None:
    namespaces = Namespaces([("a", "n0")], new_an_hour)
    kept = {("a", "n0")}
    overflowed = 0
    for pairs in batches:
        found = namespaces.admit(batch(pairs))
        assert said(found) == pairs
        assert found.column("message").to_pylist() == [f"line {place}" for place in range(len(pairs))]
        names = found.column("namespace").to_pylist()
        kept |= {pair for pair, name in zip(pairs, names, strict=True) if name != OVERFLOW}
        overflowed += names.count(OVERFLOW)
        assert all(name != OVERFLOW for pair, name in zip(pairs, names, strict=True) if pair in kept)
    assert len(kept) <= 1 + new_an_hour
    assert namespaces.readings() == {"namespaces": len(kept), "namespace_overflow_records": overflowed}


def test_the_next_hour_has_room_again() -> None:
    now_s = [0.0]
    namespaces = Namespaces((), 1, lambda: now_s[0])
    pairs = [("a", "n1"), ("a", "n2")]
    assert namespaces.admit(batch(pairs)).column("namespace").to_pylist() == ["n1", OVERFLOW]
    now_s[0] = HOUR_S
    assert namespaces.admit(batch(pairs)).column("namespace").to_pylist() == ["n1", "n2"]


def test_other_attributes_stay() -> None:
    found = Namespaces((), 0).admit(batch([("a", 'say "hi"')], {"status": 200}))
    assert json.loads(found.column("attributes")[0].as_py()) == {"_namespace": 'say "hi"', "status": 200}
