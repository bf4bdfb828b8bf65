"""A record's time that its attributes say again."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.request import Request
from ingest.rows import Rows, Source
from ingest.said_again import said_once
from tests.ingest.decoded import NOW_NS

AT_NS = 1_772_366_400_123_456_789
SAID = "2026-03-01T12:00:00.123456789Z"


def batch(*pairs: tuple[int, dict[str, Any]]) -> pa.RecordBatch:
    rows = Rows(Request(b"", NOW_NS))
    group = rows.group(Source())
    for time_ns, attributes in pairs:
        rows.add(group, time_ns, "m", attributes=attributes)
    return rows.decoded().batch


def once(*pairs: tuple[int, dict[str, Any]]) -> list[tuple[int, Any]]:
    found = said_once(batch(*pairs))
    times, texts = found.column("time").view(pa.int64()).to_pylist(), found.column("attributes").to_pylist()
    return [(time_ns, text and json.loads(text)) for time_ns, text in zip(times, texts, strict=True)]


@pytest.mark.parametrize("sent_ns", [AT_NS, AT_NS // 1000 * 1000, AT_NS // 1000 * 1000 + 1000, AT_NS // 10**6 * 10**6])
def test_the_finer_one_is_the_records(sent_ns: int) -> None:
    assert once((sent_ns, {"time": SAID})) == [(AT_NS, None)]
    assert once((sent_ns, {"a": {"b": [1]}, "time": SAID, "c": '"{'})) == [(AT_NS, {"a": {"b": [1]}, "c": '"{'})]
    assert once((sent_ns, {"a": 1, "time": SAID})) == [(AT_NS, {"a": 1})]
    assert once((sent_ns, {"time": SAID, "a": 1})) == [(AT_NS, {"a": 1})]


@pytest.mark.parametrize(
    "attributes",
    [
        {"time": "2026-03-01T12:00:00.123456788Z"},
        {"time": "2026-03-01T12:00:01Z"},
        {"time": "noon"},
        {"time": 7},
        {"nested": {"time": SAID}},
        {"text": f'"time":"{SAID}"'},
        {"list": [{"time": SAID}]},
        {"my_time": SAID},
    ],
)
def test_anything_else_stays(attributes: dict[str, Any]) -> None:
    assert once((AT_NS, attributes)) == [(AT_NS, attributes)]


def test_neighbours_are_left_alone() -> None:
    pairs: list[tuple[int, dict[str, Any]]] = [
        (AT_NS, {"a": 1}),
        (AT_NS, {"time": SAID}),
        (AT_NS + 1, {"time": SAID, "b": 2}),
    ]
    assert once(*pairs) == [pairs[0], (AT_NS, None), pairs[2]]


@given(
    st.dictionaries(
        st.sampled_from(["time", "a", "\\", '"']),
        st.recursive(
            st.sampled_from([SAID, "{", '"', 1, None]),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["time", "b"]), inner),
        ),
    )
)
def test_only_a_time_of_its_own_is_dropped(attributes: dict[str, Any]) -> None:
    left = {name: value for name, value in attributes.items() if (name, value) != ("time", SAID)}
    assert once((AT_NS, attributes)) == [(AT_NS, left or None)]
