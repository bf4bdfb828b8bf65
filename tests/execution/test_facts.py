"""Histogram, fields, values, context and explain against plain counting."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from logstore.errors import InvalidInput
from logstore.store import Store
from query.context import context
from query.encode import Format, encode
from query.engine import Engine
from query.explain import explain
from query.fields import fields
from query.histogram import Buckets, histogram
from query.request import Request
from query.times import format_time
from query.values import Wanted, values
from tests.execution.records import S_NS, START_NS, append, random_records, record

RECORDS = random_records(2_000, seed=8)
HOUR_NS = 3_600 * S_NS


@pytest.fixture
def filled(store: Store) -> Store:
    append(store, RECORDS[:1_200])
    store.flush()
    append(store, RECORDS[1_200:])
    return store


# Histogram


def test_buckets_count_what_lies_in_them_and_empty_ones_are_there(store: Store, engine: Engine) -> None:
    append(store, [record(START_NS + 61 * S_NS, "a"), record(START_NS + 400 * S_NS, "b", severity="error")])
    found = histogram(
        store, engine, Request("*", START_NS, START_NS + 600 * S_NS), Buckets(interval_ns=60 * S_NS, by="severity")
    )
    assert found["interval_s"] == 60
    buckets: Any = found["buckets"]
    assert [b["count"] for b in buckets] == [0, 1, 0, 0, 0, 0, 1, 0, 0, 0]
    assert buckets[0] == {"time": format_time(START_NS), "count": 0, "by": {}}
    assert buckets[6]["by"] == {"error": 1}


@pytest.mark.parametrize("text", ["*", "timeout", "timeout | where status >= 404 | stats count() by pod"])
def test_a_histogram_counts_the_records_of_the_query(filled: Store, engine: Engine, text: str) -> None:
    rows = [row for row in RECORDS if text == "*" or "timeout" in row["message"]]
    if "where" in text:
        rows = [row for row in rows if ((row["attributes"] or {}).get("status") or 0) >= 404]
    found: Any = histogram(filled, engine, Request(text), Buckets(interval_ns=HOUR_NS, by="stream"))
    expected = Counter((row["time"] // HOUR_NS * HOUR_NS, row["stream"]) for row in rows)
    counted = {(b["time"], name): n for b in found["buckets"] for name, n in b["by"].items()}
    assert counted == {(format_time(time_ns), name): n for (time_ns, name), n in expected.items()}
    assert sum(b["count"] for b in found["buckets"]) == len(rows)


@pytest.mark.parametrize("count", [1, 7, 60, 500])
def test_an_interval_is_chosen_that_needs_no_more_buckets_than_asked_for(
    filled: Store, engine: Engine, count: int
) -> None:
    found: Any = histogram(filled, engine, Request("*"), Buckets(count=count))
    assert 1 <= len(found["buckets"]) <= count
    assert sum(b["count"] for b in found["buckets"]) == len(RECORDS)
    times = [b["time"] for b in found["buckets"]]
    assert times == sorted(times)


def test_rare_values_of_by_are_told_together(store: Store, engine: Engine) -> None:
    append(store, [record(START_NS, f"{i}") for i in range(200)])
    found: Any = histogram(store, engine, Request("*"), Buckets(by="message"))
    assert len(found["buckets"][0]["by"]) == 51
    assert found["buckets"][0]["by"]["other"] == 150


def test_too_many_buckets_are_refused(filled: Store, engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="10000"):
        histogram(filled, engine, Request("*"), Buckets(interval_ns=1))
    with pytest.raises(InvalidInput):
        histogram(filled, engine, Request("*"), Buckets(count=0))


def test_a_histogram_of_nothing_has_no_buckets(store: Store, engine: Engine) -> None:
    assert histogram(store, engine, Request("*"), Buckets())["buckets"] == []


# Values


@pytest.mark.parametrize("field", ["pod", "severity", "user", "status", "app", "trace_id"])
@pytest.mark.parametrize("text", ["*", "timeout"])
def test_values_are_counted_and_the_most_frequent_come_first(
    filled: Store, engine: Engine, field: str, text: str
) -> None:
    rows = [row for row in RECORDS if text == "*" or "timeout" in row["message"]]
    merged = [(row["labels"] or {}) | (row["attributes"] or {}) | row for row in rows]
    expected = Counter(str(row[field]) for row in merged if row.get(field) not in (None, ""))
    found: Any = values(filled, engine, Request(text), Wanted(field, limit=10_000))
    assert {item["value"]: item["count"] for item in found["values"]} == expected
    assert [item["count"] for item in found["values"]] == sorted(expected.values(), reverse=True)
    assert found["truncated"] is False


@pytest.mark.parametrize("text", ["*", "* | where true"])
def test_values_have_a_prefix_and_a_limit(store: Store, engine: Engine, text: str) -> None:
    append(store, [record(START_NS, "m", pod=f"web-{i}") for i in range(5)] + [record(START_NS, "m", pod="db")])
    found: Any = values(store, engine, Request(text), Wanted("pod", prefix="web", limit=3))
    assert [item["value"] for item in found["values"]] == ["web-0", "web-1", "web-2"]
    assert found["truncated"] is True


# Fields


def test_fields_have_kind_type_and_count(filled: Store, engine: Engine) -> None:
    found: Any = fields(filled, engine, Request("*"))
    by_name = {(item["kind"], item["name"]): (item["type"], item["count"]) for item in found["fields"]}
    assert by_name["column", "time"] == ("time", len(RECORDS))
    assert by_name["column", "pod"] == ("string", sum(row["pod"] != "" for row in RECORDS))
    assert by_name["column", "trace_id"][1] == sum(row["trace_id"] is not None for row in RECORDS)
    statuses = sum("status" in (row["attributes"] or {}) for row in RECORDS)
    assert by_name["attribute", "status"] == ("number", statuses)
    assert by_name["label", "app"] == ("string", sum(row["labels"] is not None for row in RECORDS))
    assert "sampled" not in found


def test_fields_of_many_records_say_that_they_are_sampled(store: Store, engine: Engine) -> None:
    for i in range(3):
        append(store, random_records(8_000, seed=i))
    found: Any = fields(store, engine, Request("*"))
    assert found["sampled"] == {"records": 20_000}


def test_fields_of_nothing(store: Store, engine: Engine) -> None:
    found: Any = fields(store, engine, Request("*"))
    assert {item["count"] for item in found["fields"]} == {0}


# Context


def test_context_is_the_lines_around_in_the_same_stream(filled: Store, engine: Engine) -> None:
    names = ("cluster", "namespace", "pod", "container", "labels")
    for seq in (5, 900, 1_500):
        row = RECORDS[seq]
        own = [(r["time"], i) for i, r in enumerate(RECORDS) if all(r[n] == row[n] for n in names)]
        own.sort()
        at = own.index((row["time"], seq))
        found = context(filled, engine, seq, 4, 3, with_seq=True)
        lines = [json.loads(line) for line in b"".join(encode(found, Format.NDJSON)).splitlines()]
        assert [line["_seq"] for line in lines] == [i for _, i in own[max(at - 4, 0) : at + 4]]
        assert all(line["message"] == RECORDS[line["_seq"]]["message"] for line in lines)


def test_context_of_no_record_is_refused(filled: Store, engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="no record"):
        context(filled, engine, 999_999, 1, 1)
    with pytest.raises(InvalidInput):
        context(filled, engine, 1, -1, 1)


# Explain


def test_explain_says_what_is_read_and_why_the_rest_is_not(store: Store, engine: Engine) -> None:
    for hour, namespace in enumerate(["shop", "shop", "other"]):
        append(store, [record(START_NS + hour * HOUR_NS, "m", namespace=namespace)])
        store.flush()
    whole: Any = explain(store, engine, Request("*"))
    assert whole["segments"] == {"all": 3, "read": 3, "skipped": {}}
    assert whole["row_groups"] == {"all": 3, "read": 3, "skipped": {}}
    size = sum(path.stat().st_size for path in Path(store.path / "segments").rglob("*.parquet"))
    assert 0 < whole["bytes"] <= size
    some: Any = explain(store, engine, Request("namespace=shop", start_ns=START_NS + HOUR_NS))
    assert some["segments"] == {"all": 3, "read": 1, "skipped": {"time": 1, "namespace": 1}}
    assert some["sql"].startswith("SELECT")
    assert some["bytes"] < whole["bytes"]


def test_explain_looks_into_row_groups(store: Store, engine: Engine) -> None:
    append(store, [record(START_NS + i, "m", pod=f"pod-{i // 10_000}") for i in range(20_000)])
    store.flush()
    found: Any = explain(store, engine, Request("pod=pod-0"))
    assert found["row_groups"] == {"all": 2, "read": 1, "skipped": {"stream": 1}}
