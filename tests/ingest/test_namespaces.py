"""Namespaces that are too many share one, and nothing of their records is lost."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.namespaces import HOUR_S, OVERFLOW, Namespaces
from ingest.request import Limits
from logstore.errors import TooLarge
from tests.execution.records import START_NS, batch_of, record

LIMITS = Limits()
PAIRS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([f"n{i}" for i in range(9)])), max_size=30)


def batch(pairs: Sequence[tuple[str, str]], attributes: dict[str, Any] | None = None) -> pa.RecordBatch:
    return batch_of(
        [
            record(START_NS, f"line {place}", cluster=cluster, namespace=namespace, attributes=attributes)
            for place, (cluster, namespace) in enumerate(pairs)
        ]
    )


def said(found: pa.RecordBatch) -> list[tuple[str, str]]:
    """Where each record is, or was meant to be if that is another place."""
    rows = found.select(["cluster", "namespace", "attributes"]).to_pylist()
    told = [json.loads(row["attributes"] or "{}") for row in rows]
    for name in ("cluster", "namespace"):
        moved = [row[name] == OVERFLOW for row in rows]
        assert moved == [f"_{name}" in one for one in told]
    return [
        (one.get("_cluster", row["cluster"]), one.get("_namespace", row["namespace"]))
        for one, row in zip(told, rows, strict=True)
    ]


@given(st.lists(PAIRS, max_size=5), st.integers(0, 5))
def test_each_batch_says_what_it_said_and_few_namespaces_are_new(
    batches: list[list[tuple[str, str]]], new_an_hour: int
) -> None:
    namespaces = Namespaces([("a", "n0")], new_an_hour)
    kept = {("a", "n0")}
    overflowed = 0
    for pairs in batches:
        found = namespaces.admit(batch(pairs), LIMITS)
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
    assert namespaces.admit(batch(pairs), LIMITS).column("namespace").to_pylist() == ["n1", OVERFLOW]
    now_s[0] = HOUR_S
    assert namespaces.admit(batch(pairs), LIMITS).column("namespace").to_pylist() == ["n1", "n2"]


def test_other_attributes_stay() -> None:
    found = Namespaces([("a", "n1")], 0).admit(batch([("a", 'say "hi"')], {"status": 200}), LIMITS)
    assert json.loads(found.column("attributes")[0].as_py()) == {"_namespace": 'say "hi"', "status": 200}


def test_clusters_that_are_too_many_are_in_one_place_too() -> None:
    pairs = [(f"c{place}", f"n{place}") for place in range(9)]
    found = Namespaces([("c0", "n1")], 2).admit(batch(pairs), LIMITS)
    assert said(found) == pairs
    rows = found.select(["cluster", "namespace"]).to_pylist()
    assert [(row["cluster"], row["namespace"]) for row in rows] == pairs[:2] + [(OVERFLOW, OVERFLOW)] * 7


def test_what_they_said_does_not_make_a_small_body_a_large_one() -> None:
    limits = Limits(max_body_bytes=1 << 10)
    with pytest.raises(TooLarge, match="too much text"):
        Namespaces((), 0).admit(batch([("a", "n" * 250)] * 20), limits)
