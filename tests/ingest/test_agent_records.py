"""Lines of Loki's entries in which an agent wrote its whole record."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols import loki
from ingest.request import Head, Request
from tests.ingest.decoded import NOW_NS, records

TIME_NS: Final = 1_780_000_000_123_456_789
JSON: Final = {"content-type": "application/json"}
FLUENT_BIT: Final = {**JSON, "user-agent": "Fluent-Bit"}
KUBERNETES: Final = {"namespace_name": "shop", "pod_name": "web-0", "container_name": "app", "host": "node-1"}
VECTOR: Final = {
    "file": "/var/log/pods/shop_web-0_uid-1/app/0.log",
    "kubernetes": {"pod_namespace": "shop", "pod_name": "web-0", "container_name": "app", "pod_labels": {"app": "web"}},
    "message": "it broke",
    "stream": "stderr",
    "timestamp": "2026-05-28T20:26:40.123456789Z",
}


def pushed(
    *lines: str, headers: dict[str, str] = FLUENT_BIT, metadata: Any = None, **labels: str
) -> list[dict[str, Any]]:
    entries = [[str(TIME_NS + at), line, *([metadata] if metadata else [])] for at, line in enumerate(lines)]
    body = json.dumps({"streams": [{"stream": labels, "values": entries}]}).encode()
    return records(loki.decode(Request(body, NOW_NS, Head("POST", "/loki/api/v1/push", {}, headers))))


@pytest.mark.parametrize("headers", [JSON, FLUENT_BIT])
def test_a_record_with_kubernetes_metadata_is_opened(headers: dict[str, str]) -> None:
    line = json.dumps({"log": "it broke\n", "stream": "stderr", "level": "error", "n": 7, "kubernetes": KUBERNETES})
    [record] = pushed(line, headers=headers, job="fluent-bit", metadata={"user": "ann"})
    assert record == {
        "time": TIME_NS,
        "cluster": "default",
        "namespace": "shop",
        "pod": "web-0",
        "container": "app",
        "stream": "stderr",
        "severity": "error",
        "message": "it broke",
        "labels": {"job": "fluent-bit", "node": "node-1"},
        "attributes": {"user": "ann", "n": 7},
    }


def test_vectors_events_are_opened() -> None:
    [record] = pushed(json.dumps(VECTOR), headers=JSON, app="vector")
    assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-0", "app")
    assert (record["message"], record["stream"], record["labels"]["app"]) == ("it broke", "stderr", "vector")


def test_what_the_entry_says_counts_more() -> None:
    line = json.dumps(
        {"log": "x", "stream": "stderr", "level": "info", "kubernetes": {**KUBERNETES, "labels": {"job": "own"}}}
    )
    [record] = pushed(line, namespace="blue", container="other", level="warn", job="fluent-bit")
    assert (record["namespace"], record["pod"], record["container"]) == ("blue", "web-0", "other")
    assert (record["severity"], record["labels"]["job"]) == ("warn", "fluent-bit")


def test_a_time_of_the_line_that_is_another_stays() -> None:
    line = json.dumps({"log": "x", "time": "2020-01-01T00:00:00Z", "kubernetes": KUBERNETES})
    [record] = pushed(line)
    assert (record["time"], record["attributes"]) == (TIME_NS, {"time": "2020-01-01T00:00:00Z"})


def test_what_fluent_bits_parsers_add_to_a_line_is_taken_off() -> None:
    wrapped = [
        {"log": "one"},
        {"stream": "stderr", "logtag": "F", "message": "cri"},
        {"time": "2026-05-28T20:26:40.123456790Z", "stream": "stdout", "_p": "F", "log": "two\n"},
    ]
    lines = [json.dumps(record) for record in wrapped]
    assert [record["message"] for record in pushed(*lines)] == ["one", "cri", "two"]
    assert [record["message"] for record in pushed(*lines, headers=JSON)] == lines


@pytest.mark.parametrize(
    "line",
    [
        '{"log": "x", "user": "ann"}',
        '{"log": 7}',
        '{"log": "x"} and more',
        '{"log": "x"',
        '[{"log": "x"}]',
        '{"level": "warn", "msg": "an app\'s own"}',
        '{"msg": "about pods", "kubernetes": {"version": "1.34"}}',
        '{"msg": "about pods", "kubernetes": {"pod_name": "web-0"}',
        ' {"log": "x"}',
    ],
)
def test_any_other_line_stays_as_it_is(line: str) -> None:
    [record] = pushed(line)
    assert (record["message"], record.get("pod"), record.get("attributes")) == (line, None, None)


def test_an_apps_line_about_pods_stays_where_labels_tell_its_own() -> None:
    line = json.dumps({"msg": "evicted", "kubernetes": KUBERNETES})
    [record] = pushed(line, headers=JSON, namespace="kube-system", pod="controller-0")
    assert (record["message"], record["pod"]) == (line, "controller-0")


def test_a_line_without_text_is_empty() -> None:
    """Parsers of CRI leave the message out where there is none."""
    [record] = pushed('{"time":"2026-05-28T20:26:40.123456789Z","stream":"stderr","logtag":"F"}', job="fluent-bit")
    assert (record.get("message", ""), record["stream"]) == ("", "stderr")


def test_neighbours_keep_their_order() -> None:
    agents = json.dumps({"log": "opened", "kubernetes": KUBERNETES})
    lines = ["plain", agents, '{"kubernetes":{"pod_name":oops}}', agents, '{"a": 1}']
    found = pushed(*lines)
    assert [record["message"] for record in found] == ["plain", "opened", lines[2], "opened", lines[4]]
    assert [record["time"] for record in found] == [TIME_NS + at for at in range(5)]


PIECES: Final = (
    *('{"log":"', '"kubernetes":{', '"pod_name":"web"', "}", '"', ",", '{"log":"x"}', "\\", "\n", "\0", "[", ":"),
    *('"time":"2026-05-28T20:26:40Z"', "\ud800", "é", json.dumps({"log": "x", "kubernetes": KUBERNETES})),
)


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), min_size=1, max_size=5))
def test_no_line_is_lost_whatever_it_is(lines: list[str]) -> None:
    found = pushed(*lines)
    assert [record["time"] for record in found] == [TIME_NS + at for at in range(len(lines))]
