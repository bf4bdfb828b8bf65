"""POST /api/v1/documents: bodies in the shapes of Fluent Bit's `http` output and Vector's `http` sink."""

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols import PROTOCOLS, documents
from ingest.request import Decoded, Head, Limits, Request
from server.mounts import Mounts
from tests.ingest.decoded import NOW_NS, records
from tests.ingest.test_identity import ID

KUBERNETES = {"namespace_name": "shop", "pod_name": "web-0", "container_name": "app", "labels": {"app": "web"}}
FLUENT_BIT: dict[str, Any] = {
    "date": 1772366400.123457,
    "time": "2026-03-01T12:00:00.123456789Z",
    "stream": "stderr",
    "log": "it broke\n",
    "kubernetes": KUBERNETES,
    "user": 7,
}
VECTOR: dict[str, Any] = {
    "file": "/var/log/pods/shop_web-0_uid-1/app/0.log",
    "kubernetes": {"pod_namespace": "shop", "pod_name": "web-0", "container_name": "app", "pod_labels": {"app": "web"}},
    "message": "it broke",
    "source_type": "kubernetes_logs",
    "stream": "stderr",
    "timestamp": "2026-03-01T12:00:00.123456789Z",
}
RECORD = {
    "time": 1_772_366_400_123_456_789,
    "cluster": "default",
    "namespace": "shop",
    "pod": "web-0",
    "container": "app",
    "stream": "stderr",
    "message": "it broke",
    "labels": {"app": "web"},
    "attributes": {"user": 7},
}


def decode(
    body: bytes, params: dict[str, str] | None = None, headers: dict[str, str] | None = None, **limits: int
) -> Decoded:
    return documents.decode(Request(body, NOW_NS, Head(params=params or {}, headers=headers or {}), Limits(**limits)))


@pytest.mark.parametrize("damage", [b"", b'\x1e{"message": no JSON\n'])
def test_json_text_sequences_are_documents(damage: bytes) -> None:
    """As `journalctl -o json-seq` writes them (RFC 7464)."""
    found = records(decode(b'\x1e{"message":"a"}\n' + damage + b'\x1e{"message":"b"}\n'))
    assert [found[0]["message"], found[-1]["message"], len(found)] == ["a", "b", 3 if damage else 2]


def test_events_of_the_api_servers_audit_webhook_are_documents() -> None:
    event = {
        "level": "Metadata",
        "auditID": "a",
        "stage": "ResponseComplete",
        "verb": "get",
        "user": {"username": "ann"},
    }
    times = ("2026-03-01T12:00:00.123456Z", "2026-03-01T12:00:01.000000Z")
    events = [{**event, "requestReceivedTimestamp": times[0], "stageTimestamp": time} for time in times]
    told = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": events}
    body = json.dumps(told, separators=(",", ":")).encode() + b"\n"
    first, second = records(decode(body))
    assert second["time"] - first["time"] == 876_544_000
    assert json.loads(first["message"])["user"] == first["attributes"]["user"] == {"username": "ann"}
    empty = body[: body.index(b'"items":')] + b'"items":[]}'
    assert records(decode(empty)) == []
    assert len(records(decode(body[: body.index(b',"items"')] + b"}"))) == 1


def from_fluent_bit(body: bytes, **headers: str) -> list[dict[str, Any]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return records(decode(body, headers={"user-agent": "Fluent-Bit", **named}))


def answered(decoded: Decoded) -> tuple[int, dict[str, Any]]:
    take = documents.PROTOCOL.takes[0]
    answer = take.answer(Request(b"", NOW_NS), decoded)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("opening", "between", "end"), [("[", ",", "]"), ("", "", ""), ("", "\n", "\n")], ids=["json", "stream", "lines"]
)
def test_fluent_bits_formats_of_json(opening: str, between: str, end: str) -> None:
    text = json.dumps(FLUENT_BIT)
    assert from_fluent_bit((opening + between.join([text] * 3) + end).encode()) == [RECORD] * 3


def test_fluent_bits_msgpack_has_its_tag_in_a_header() -> None:
    time = msgpack.ExtType(0, (1_772_366_400).to_bytes(4, "big") + (123_456_789).to_bytes(4, "big"))
    record = {name: value for name, value in FLUENT_BIT.items() if name not in ("date", "time")}
    entries = msgpack.packb([[time, {}], record]) + msgpack.packb([time, {"log": "x"}])
    tag = f"kube.var.log.containers.web-0_shop_app-{ID}.log"
    first, second = from_fluent_bit(entries, content_type="application/msgpack", fluent_tag=tag)
    assert first == RECORD | {"attributes": {"tag": tag, "user": 7}}
    assert (second["namespace"], second["pod"], second["container"]) == ("shop", "web-0", "app")
    [untagged, _] = from_fluent_bit(entries, content_type="application/msgpack")
    assert untagged == RECORD


@pytest.mark.parametrize("between", ["\n", "", " , "])
def test_documents_in_json_have_the_tag_of_a_header_too(between: str) -> None:
    tag = f"kube.var.log.containers.web-0_shop_app-{ID}.log"
    documents = [{"date": 1772366400.5, "log": "x", "stream": "stdout"}, {"date": 1772366401.5, "log": "y"}]
    body = between.join(map(json.dumps, documents)).encode() + b"\n{oops"
    x, y, poison = from_fluent_bit(body, fluent_tag=tag)
    for record in (x, y):
        assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-0", "app")
        assert record["attributes"] == {"tag": tag}
    assert (x["message"], y["message"], poison["message"]) == ("x", "y", "{oops")
    [other] = from_fluent_bit(b'{"log": "x"}', fluent_tag="app.web")
    assert (other.get("pod"), other["attributes"]) == (None, {"tag": "app.web"})


@pytest.mark.parametrize("name", ["date", "timestamp"])
def test_the_time_that_fluent_bit_adds_is_said_once(name: str) -> None:
    record = {name: "2026-03-01T12:00:00.123456Z", "time": "2026-03-01T12:00:00.123456789Z", "log": "x"}
    [found] = from_fluent_bit(json.dumps(record).encode())
    assert (found["time"], found.get("attributes")) == (1_772_366_400_123_456_789, None)


@pytest.mark.parametrize("framing", [b"[%b,%b]", b"%b\n%b\n"], ids=["array", "newline_delimited"])
def test_vectors_framings(framing: bytes) -> None:
    text = json.dumps(VECTOR).encode()
    found = records(decode(framing % (text, text)))
    assert [record["message"] for record in found] == ["it broke"] * 2
    assert found[0].items() >= {name: RECORD[name] for name in ("time", "namespace", "pod", "container")}.items()
    assert found[0]["labels"] == {"app": "web"}


def test_a_date_is_the_time_of_fluent_bit_only() -> None:
    body = b'{"date": 1772366400.5, "message": "m"}'
    assert from_fluent_bit(body)[0]["time"] == 1_772_366_400_500_000_000
    [other] = records(decode(body))
    assert (other["time"], other["attributes"]) == (NOW_NS, {"date": 1772366400.5})


@pytest.mark.parametrize("is_header", [False, True])
def test_a_request_may_name_the_time_and_the_message(is_header: bool) -> None:
    params = {"_time_field": "when", "_msg_field": "line,text", "_stream_fields": "pod"}
    headers = {f"vl-{name.strip('_').replace('_', '-')}": value for name, value in params.items()}
    body = b'{"when": "2026-03-01T12:00:00Z", "text": "hello", "pod": "web-0"}'
    [record] = records(decode(body, headers=headers) if is_header else decode(body, params))
    assert (record["time"], record["message"], record["pod"]) == (1_772_366_400_000_000_000, "hello", "web-0")


def test_a_document_on_several_lines_is_one() -> None:
    body = json.dumps({"time": "noon", "message": "m", "a": 1}, indent=2).encode()
    [record] = records(decode(body))
    assert (record["message"], record["attributes"]) == ("m", {"_time": "noon", "a": 1})


@pytest.mark.parametrize("between", [b"\n", b""], ids=["lines", "stream"])
def test_poison_is_kept_between_its_neighbours(between: bytes) -> None:
    good = json.dumps(FLUENT_BIT).encode()
    decoded = decode(between.join([good, b'{"log":oops}', good]))
    before, poison, after = records(decoded)
    assert (before["message"], poison["message"], after["message"]) == ("it broke", '{"log":oops}', "it broke")
    assert poison["attributes"] == {"_ingest_error": "not JSON"}
    assert (decoded.rejects, decoded.unread) == ((), 1)
    assert answered(decoded) == (200, {"accepted": 3, "rejected": []})


def test_lines_that_are_no_documents_stay_lines() -> None:
    assert [record["message"] for record in records(decode(b'one\ntwo\n\n{"log": "three"}\n'))] == [
        "one",
        "two",
        "three",
    ]


def test_what_is_too_long_is_told_by_its_place() -> None:
    decoded = decode(b'[{"log": "a"}, {"log": "%b"}]' % (b"x" * 100), max_line_bytes=80)
    assert [record["message"] for record in records(decoded)] == ["a"]
    [told] = answered(decoded)[1]["rejected"]
    assert (told["line"], "max_line" in told["error"]) == (2, True)


def test_who_is_told_no_path_sends_to_the_root() -> None:
    """Logstash's `http` input, python-logstash-async, Fluent Bit's default."""
    mounts = Mounts(PROTOCOLS)
    for method in ("POST", "PUT"):
        found = mounts.find(Head(method, "/"))
        assert found is not None and found.mount.protocol is documents.PROTOCOL


def test_a_body_without_documents_is_taken() -> None:
    for body in (b"", b"[]", b" \n", b"{}"):
        assert answered(decode(body))[0] == 200


@given(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b'{"log":', b'"a"}', b"{}", b"[", b"]", b"\n", b",", json.dumps(VECTOR).encode()])),
    st.sampled_from(["application/json", "application/msgpack"]),
)
def test_no_body_breaks_it(noise: bytes, pieces: list[bytes], content_type: str) -> None:
    decoded = decode(b"".join(pieces) + noise, headers={"content-type": content_type})
    records(decoded)
    assert answered(decoded)[0] in (200, 400)
