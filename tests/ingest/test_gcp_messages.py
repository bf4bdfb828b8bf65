"""WriteLogEntriesRequest as Google's own messages write it: the same records as the JSON of the same request makes."""

import contextlib
import json
from typing import Any, Final

import pytest
from google.cloud.logging_v2.types import LogEntry, WriteLogEntriesPartialErrors, WriteLogEntriesRequest
from google.logging.type.http_request_pb2 import HttpRequest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToJson, ParseDict
from google.protobuf.struct_pb2 import Struct
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocol import GRPC_MESSAGE
from ingest.protocols import gcp
from ingest.request import Decoded, Limits, Request
from logstore.errors import InvalidInput, TooLarge
from tests.ingest.decoded import NOW_NS, records

WRITE: Final = WriteLogEntriesRequest.pb()
ENTRY: Final = LogEntry.pb()


def decode(body: bytes, **limits: int) -> Decoded:
    return gcp.decode_message(Request(body, NOW_NS, limits=Limits(**limits)))


def request(write: dict[str, Any]) -> Any:
    return ParseDict(write, WRITE())


TEXTS = st.text(max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 52), 1 << 52) | st.floats(-1e9, 1e9).map(lambda x: x + 0.5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
LABELS = st.dictionaries(
    st.sampled_from(["team", "k8s-pod/app", "compute.googleapis.com/resource_name"]) | TEXTS, TEXTS
)
RESOURCES = st.fixed_dictionaries(
    {"type": st.sampled_from(["k8s_container", "k8s_node", "global"])},
    optional={"labels": st.dictionaries(st.sampled_from(["pod_name", "cluster_name", "node_name", "zone"]), TEXTS)},
)
HTTP = st.fixed_dictionaries(
    {},
    optional={
        "requestMethod": TEXTS,
        "requestSize": st.integers(0, 1 << 62).map(str),
        "status": st.integers(100, 599),
        "latency": st.sampled_from(["1.500s", "0.000000001s", "3s", "-0.250s"]),
        "cacheHit": st.booleans(),
    },
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "textPayload": TEXTS,
        "insertId": TEXTS,
        "logName": st.sampled_from(["projects/p1/logs/a", "projects/p1/logs/b%2Fc"]),
        "resource": RESOURCES,
        "labels": LABELS,
        "severity": st.sampled_from(["DEFAULT", "DEBUG", "NOTICE", "ERROR", "EMERGENCY"]),
        "timestamp": st.sampled_from(["2026-09-21T14:13:20.123456789Z", "1969-07-20T20:17:40.5Z"]),
        "httpRequest": HTTP,
        "operation": st.fixed_dictionaries({}, optional={"id": TEXTS, "first": st.booleans()}),
        "sourceLocation": st.fixed_dictionaries(
            {}, optional={"file": TEXTS, "line": st.integers(-(1 << 63), (1 << 63) - 1).map(str), "function": TEXTS}
        ),
        "split": st.fixed_dictionaries({}, optional={"uid": TEXTS, "index": st.integers(0, 9)}),
        "trace": TEXTS,
        "spanId": TEXTS,
        "traceSampled": st.booleans(),
    },
) | st.fixed_dictionaries({"jsonPayload": st.dictionaries(TEXTS, VALUES, max_size=3).map(lambda x: {**x, "msg": "m"})})
WRITES = st.fixed_dictionaries(
    {"entries": st.lists(ENTRIES, max_size=3)},
    optional={"logName": TEXTS, "resource": RESOURCES, "labels": LABELS, "dryRun": st.booleans()},
)


@given(WRITES)
def test_both_transports_make_the_same_records(write: dict[str, Any]) -> None:
    sent = request(write)
    in_json = gcp.decode(Request(MessageToJson(sent).encode(), NOW_NS))
    assert records(decode(sent.SerializeToString())) == records(in_json)


def test_a_payload_that_is_a_message_is_told_by_its_type() -> None:
    known, unknown = Struct(), HttpRequest(status=404)
    known.update({"a": 1})
    write = WRITE()
    for payload in (known, unknown):
        packed = AnyMessage()
        packed.Pack(payload)
        write.entries.add().proto_payload.CopyFrom(packed)
    first, second = (json.loads(record["message"]) for record in records(decode(write.SerializeToString())))
    assert first == {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": 1}}
    assert second == {"@type": "type.googleapis.com/google.logging.type.HttpRequest", "value": "IJQD"}


def test_numbers_that_json_has_not_are_words() -> None:
    write = WRITE()
    payload = write.entries.add().json_payload
    payload.update({"message": "m", "a": float("nan"), "b": float("inf"), "c": float("-inf"), "d": 1e300})
    [record] = records(decode(write.SerializeToString()))
    assert record["attributes"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 1e300}


def test_an_entry_that_cannot_be_read_stands_between_good_ones() -> None:
    good = request({"entries": [{"textPayload": "good"}]}).SerializeToString()
    poison = b"\x22\x05\x1a\xffabc"
    before, bad, after = records(decode(good + poison + good))
    assert (before["message"], after["message"]) == ("good", "good")
    assert "cannot be read" in bad["attributes"]["_ingest_error"]


def test_a_payload_that_is_nested_very_deeply_is_kept_as_it_came() -> None:
    value = b"\x10\x01"
    for _ in range(400):
        member = b"\x0a\x01a\x12" + varint(len(value)) + value
        struct = b"\x0a" + varint(len(member)) + member
        value = b"\x2a" + varint(len(struct)) + struct
    entry = b"\x32" + varint(len(struct)) + struct
    [record] = records(decode(b"\x22" + varint(len(entry)) + entry))
    assert "nested" in record["attributes"]["_ingest_error"]


def varint(number: int) -> bytes:
    return bytes((number & 0x7F | 0x80, *varint(number >> 7))) if number > 0x7F else bytes((number,))


def test_entries_that_were_too_long_end_the_call_with_their_places() -> None:
    write = request({"entries": [{"textPayload": "a"}, {"textPayload": "x" * 200}]})
    decoded = decode(write.SerializeToString(), max_line_bytes=100)
    assert [record["message"] for record in records(decoded)] == ["a"]
    answer = gcp.WRITE.take.answer(Request(b"", NOW_NS), decoded)
    status, partial = Status.FromString(answer.body), WriteLogEntriesPartialErrors.pb()()
    assert (answer.status, status.code, status.message) == (400, 3, answer.headers[GRPC_MESSAGE])
    assert status.details[0].Unpack(partial)
    assert list(partial.log_entry_errors) == [1]


@pytest.mark.parametrize(
    "body", [b"\xff", b"\x22", b"\x22\x05a", b"\x0b", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
)
def test_what_is_no_request(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode(body)


def test_too_many_entries_are_too_large() -> None:
    with pytest.raises(TooLarge, match="max_records"):
        decode(b"\x22\x00" * 5, max_records=4)


@pytest.mark.parametrize(("status", "code"), [(429, 14), (503, 14), (400, 3), (401, 16), (413, 3)])
def test_googles_clients_try_again_what_may_be(status: int, code: int) -> None:
    assert gcp.WRITE.code(status) == code


@given(st.binary(max_size=60), WRITES)
def test_no_body_breaks_it(noise: bytes, write: dict[str, Any]) -> None:
    sent = request(write).SerializeToString()
    for body in (noise, sent[: len(sent) // 2] + noise, b"\x22" + varint(len(noise)) + noise + sent):
        with contextlib.suppress(InvalidInput):
            records(decode(body))
