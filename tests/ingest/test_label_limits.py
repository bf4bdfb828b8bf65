"""Labels that are too long are left out of them and kept in an attribute."""

import json
from typing import Any

import pytest

from ingest.label_limits import LABELS_MAX_BYTES, with_short_labels
from ingest.protocols import native
from ingest.request import Request
from tests.ingest.decoded import NOW_NS


def taken(*records: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The labels and attributes of each."""
    batch = with_short_labels(native.decode(Request("\n".join(map(json.dumps, records)).encode(), NOW_NS)).batch)
    batch.validate(full=True)
    pairs = zip(batch.column("labels").to_pylist(), batch.column("attributes").to_pylist(), strict=True)
    return [(json.loads(labels or "{}"), json.loads(attributes or "{}")) for labels, attributes in pairs]


def test_the_longest_labels_stand_in_an_attribute_of_the_first_record_that_has_them() -> None:
    long, longer = "l" * (LABELS_MAX_BYTES // 2), "é" * LABELS_MAX_BYTES
    labels = {"app": "web", "b": long, "a": longer, "n": 1.50}
    record = {"message": "m", "labels": labels, "user": 7}
    neighbour = {"message": "m", "labels": {"app": "web"}}
    first, other, again = taken(record, neighbour, record)
    kept = {"app": "web", "b": long, "n": 1.5}
    assert first == (kept, {"_labels": {"a": longer}, "user": 7})
    assert other == ({"app": "web"}, {})
    assert again == (kept, {"user": 7})


def test_very_many_labels_are_cut_too() -> None:
    labels = {f"label-{number}": str(number) for number in range(20_000)}
    [(kept, attributes)] = taken({"message": "m", "labels": labels})
    assert len(json.dumps(kept, separators=(",", ":"))) <= LABELS_MAX_BYTES
    assert kept | attributes["_labels"] == labels and len(kept) > 1_000


@pytest.mark.parametrize("size", [1, LABELS_MAX_BYTES - len('{"a":""}')])
def test_labels_that_fit_stay(size: int) -> None:
    assert taken({"message": "m", "labels": {"a": "x" * size}}) == [({"a": "x" * size}, {})]


def test_one_label_that_is_too_long_leaves_none() -> None:
    text = "x" * LABELS_MAX_BYTES
    assert taken({"message": "m", "labels": {"a": text}}) == [({}, {"_labels": {"a": text}})]
