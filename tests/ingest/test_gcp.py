"""Google Cloud Logging's entries.write: what becomes of entries, and what clients are answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocol import Answer, Refusal
from ingest.protocols import gcp
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import InvalidInput
from tests.ingest.decoded import NOW_NS, records

K8S = {
    "type": "k8s_container",
    "labels": {
        "project_id": "p1",
        "location": "europe-west1",
        "cluster_name": "c1",
        "namespace_name": "shop",
        "pod_name": "web-0",
        "container_name": "app",
    },
}


def decode(write: Any, limits: Limits | None = None) -> Decoded:
    return gcp.decode(Request(json.dumps(write).encode(), NOW_NS, limits=limits or Limits()))


def entries(write: Any) -> list[dict[str, Any]]:
    return records(decode(write))


def one(**entry: Any) -> dict[str, Any]:
    [record] = entries({"entries": [entry]})
    return record


def told(answer: Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, json.loads(answer.body)


def test_kubernetes_metadata_in_a_payload_is_identity() -> None:
    """As Fluent Bit's `stackdriver` sends it unless it is told what the resource is."""
    log = f"kube.var.log.containers.web-0_shop_app-{'a1' * 32}.log"
    kubernetes = {"pod_name": "web-0", "namespace_name": "shop", "host": "node-1", "pod_ip": "10.1.1.1"}
    payload = {"log": "hello", "stream": "stderr", "user": 7, "kubernetes": kubernetes}
    record = one(logName=f"projects/p1/logs/{log}", resource={"type": "global"}, jsonPayload=payload)
    assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-0", "app")
    assert (record["stream"], record["message"], record["labels"]["node"]) == ("stderr", "hello", "node-1")
    assert record["attributes"] == {"kubernetes": {"pod_ip": "10.1.1.1"}, "user": 7}
    tagged = one(logName=f"projects/p1/logs/{log}", jsonPayload={"log": "hello", "stream": "orders"})
    assert (tagged["pod"], tagged.get("stream"), tagged["attributes"]) == ("web-0", None, {"stream": "orders"})


def test_a_whole_entry() -> None:
    record = one(
        logName="projects/p1/logs/stdout",
        resource=K8S,
        timestamp="2026-09-21T14:13:20.123456789Z",
        severity="WARNING",
        jsonPayload={"message": "GET /", "status": 404, "took": 1.5},
        labels={
            "k8s-pod/app": "web",
            "k8s-pod/app_kubernetes_io/name": "web",
            "compute.googleapis.com/resource_name": "node-1",
            "team": "a",
        },
        insertId="i1",
        trace="projects/p1/traces/4bf92f3577b34da6a3ce929d0e0e4736",
        spanId="00f067aa0ba902b7",
        traceSampled=True,
        httpRequest={"status": 404},
        sourceLocation={"file": "a.go", "line": "42"},
    )
    assert record == {
        "time": 1_790_000_000_123_456_789,
        "cluster": "c1",
        "namespace": "shop",
        "pod": "web-0",
        "container": "app",
        "stream": "stdout",
        "severity": "warn",
        "message": "GET /",
        "labels": {
            "node": "node-1",
            "app": "web",
            "app_kubernetes_io/name": "web",
            "project_id": "p1",
            "location": "europe-west1",
            "log_name": "projects/p1/logs/stdout",
            "resource_type": "k8s_container",
        },
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "attributes": {
            "team": "a",
            "insertId": "i1",
            "traceSampled": True,
            "httpRequest": {"status": 404},
            "sourceLocation": {"file": "a.go", "line": "42"},
            "status": 404,
            "took": 1.5,
        },
    }


def test_what_stands_beside_the_entries_holds_for_those_that_do_not_say_it() -> None:
    write = {
        "logName": "projects/p1/logs/count.format1",
        "resource": K8S,
        "labels": {"team": "a"},
        "entries": [
            {"textPayload": "a"},
            {
                "textPayload": "b",
                "logName": "projects/p1/logs/own%2Flog",
                "resource": {"type": "global"},
                "labels": {"team": "b"},
            },
        ],
    }
    given, own = entries(write)
    assert (given["namespace"], given["stream"], given["attributes"]) == ("shop", "count.format1", {"team": "a"})
    assert (own["namespace"], own["stream"], own["attributes"]) == ("default", "own/log", {"team": "b"})


def test_a_log_of_a_node() -> None:
    node = {"type": "k8s_node", "labels": {"cluster_name": "c1", "node_name": "node-1"}}
    record = one(logName="projects/p1/logs/kubelet", resource=node, textPayload="x")
    assert (record["cluster"], record["namespace"], record["pod"], record["container"]) == (
        "c1",
        "_node",
        "node-1",
        "kubelet",
    )


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-09-21T14:13:20.123456789Z", 1_790_000_000_123_456_789),
        ("2026-09-21T16:13:20+02:00", 1_790_000_000_000_000_000),
        ({"seconds": 1_790_000_000, "nanos": 5}, 1_790_000_000_000_000_005),
        ({"seconds": "1790000000", "nanos": "5"}, 1_790_000_000_000_000_005),
        (None, NOW_NS),
        ("soon", NOW_NS),
        ({"seconds": []}, NOW_NS),
    ],
)
def test_times(timestamp: Any, expected: int) -> None:
    assert one(textPayload="x", timestamp=timestamp)["time"] == expected


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("DEFAULT", None), ("DEBUG", "debug"), ("INFO", "info"), ("NOTICE", "info"), ("WARNING", "warn"),
        ("ERROR", "error"), ("CRITICAL", "fatal"), ("ALERT", "fatal"), ("EMERGENCY", "fatal"),
        (0, None), (100, "debug"), (200, "info"), (300, "info"), (400, "warn"), (500, "error"), (600, "fatal"),
        (700, "fatal"), (800, "fatal"), ("500", "error"), (-1, None), (10**9, None), ([], None),
    ],
)  # fmt: skip
def test_severities_by_name_and_number(severity: Any, expected: str | None) -> None:
    assert one(textPayload="x", severity=severity).get("severity") == expected


@pytest.mark.parametrize(
    ("severity", "kept"),
    [("NOTICE", "NOTICE"), (600, "CRITICAL"), ("800", "EMERGENCY"), ("LOUD", "LOUD"), (10**9, "1000000000")],
)
def test_a_severity_that_is_no_plain_word_for_ours_is_an_attribute_too(severity: Any, kept: str) -> None:
    assert one(textPayload="x", severity=severity)["attributes"] == {"severity": kept}
    assert "attributes" not in one(textPayload="x", severity="WARNING")
    assert "attributes" not in one(textPayload="x", severity="DEFAULT")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"textPayload": "text\n"}, "text"),
        ({"jsonPayload": {"msg": "text"}}, "text"),
        ({"jsonPayload": {"a": 1}}, '{"a":1}'),
        ({"protoPayload": {"@type": "t", "message": "x"}}, '{"@type":"t","message":"x"}'),
        ({}, ""),
    ],
)
def test_payloads(entry: Any, message: str) -> None:
    [record] = entries({"entries": [entry]})
    assert record.get("message", "") == message


def test_an_entry_that_is_none_stands_between_good_ones() -> None:
    good, poison, last = entries({"entries": [{"textPayload": "a"}, 7, {"textPayload": "b"}]})
    assert (good["message"], poison["message"], last["message"]) == ("a", "7", "b")
    assert poison["attributes"] == {"_ingest_error": "the entry is not an object"}


def test_an_entry_that_is_too_long_is_told_by_its_place() -> None:
    decoded = decode({"entries": [{"textPayload": "a"}, {"textPayload": "x" * 200}]}, Limits(max_line_bytes=100))
    assert [record["message"] for record in records(decoded)] == ["a"]
    status, answer = told(gcp.answer(Request(b"", NOW_NS), decoded))
    assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
    [detail] = answer["error"]["details"]
    assert detail["@type"] == "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors"
    assert detail["logEntryErrors"]["1"]["code"] == 3


def test_a_dry_run_stores_nothing() -> None:
    for name in ("dryRun", "dry_run"):
        decoded = decode({"entries": [{"textPayload": "a"}], name: True})
        assert records(decoded) == []
        assert told(gcp.answer(Request(b"", NOW_NS), decoded)) == (200, {})


def test_a_request_whose_entries_have_ids_has_a_name() -> None:
    named = {"entries": [{"textPayload": "a", "insertId": "1"}]}
    assert decode(named).key == decode(named).key != ""
    assert decode({"entries": [{"textPayload": "a"}]}).key == ""


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"7", b'{"entries":{}}'])
def test_what_is_no_request(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        gcp.decode(Request(body, NOW_NS))


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE")],
)
def test_refusals(status: int, word: str) -> None:
    assert told(gcp.refuse(Head(), Refusal(status, "why"))) == (
        status,
        {"error": {"code": status, "message": "why", "status": word}},
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "type", "labels", "seconds", "nanos", "k8s-pod/a", "\ud800"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
NAMES = [
    "logName",
    "resource",
    "labels",
    "textPayload",
    "jsonPayload",
    "protoPayload",
    "timestamp",
    "severity",
    "trace",
    "spanId",
]


@given(st.lists(VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5), max_size=4), VALUES, VALUES)
def test_no_body_breaks_it(sent: list[Any], labels: Any, resource: Any) -> None:
    decoded = decode({"entries": sent, "labels": labels, "resource": resource})
    records(decoded)
    gcp.answer(Request(b"", NOW_NS), decoded)
