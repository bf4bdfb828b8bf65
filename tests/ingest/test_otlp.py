"""OTLP's log records, decoded: Protocol Buffers and JSON say the same, whatever the library that wrote them."""

import base64
import contextlib
import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from ingest.body import inflate
from ingest.protocol import Refusal
from ingest.protocols import otlp
from ingest.protocols.otlp import json_form
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import InvalidInput, LogstoreError, TooLarge
from tests.ingest.decoded import rows_of
from tests.ingest.pushes import snappy

DATA = Path(__file__).parents[1] / "data" / "otlp"
NOW_NS = 1_800_000_000_000_000_000
TIME_NS = 1_780_000_000_123_456_789
TRACE_ID = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")
SPAN_ID = bytes.fromhex("00f067aa0ba902b7")
JSON = {"content-type": "application/json; charset=utf-8"}
PROTOBUF = {"content-type": "application/x-protobuf"}


def decoded(body: bytes, headers: dict[str, str], **limits: int) -> Decoded:
    head = Head("POST", "/v1/logs", {}, headers)
    bounds = Limits(**{"max_body_bytes": 1 << 20, **limits})
    content = inflate(body, headers.get("content-encoding", ""), bounds.max_body_bytes)
    return otlp.decode(Request(content, NOW_NS, head, bounds))


def any_value(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            whole = AnyValue()
            whole.array_value.values.extend(map(any_value, value))
            whole.array_value.SetInParent()
            return whole
        case _:
            whole = AnyValue()
            whole.kvlist_value.values.extend(pairs(value))
            whole.kvlist_value.SetInParent()
            return whole


def pairs(members: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in members.items()]


def export(
    *records: dict[str, Any], resource: dict[str, Any] | None = None, scope: dict[str, Any] | None = None
) -> Any:
    """A request of one scope; `body` and `attributes` are Python's values."""
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    logs.resource.attributes.extend(pairs(resource or {}))
    scope_logs = logs.scope_logs.add()
    scope_logs.scope.name = (scope or {}).get("name", "")
    scope_logs.scope.version = (scope or {}).get("version", "")
    scope_logs.scope.attributes.extend(pairs((scope or {}).get("attributes", {})))
    for fields in records:
        record = scope_logs.log_records.add()
        for name, value in fields.items():
            if name == "body":
                record.body.CopyFrom(any_value(value))
            elif name == "attributes":
                record.attributes.extend(pairs(value))
            else:
                setattr(record, name, value)
    return request


def as_json(request: Any) -> bytes:
    """As the specification writes it: ids in hexadecimal."""
    from google.protobuf.json_format import MessageToDict

    told = MessageToDict(request, use_integers_for_enums=True)
    for logs in told.get("resourceLogs", ()):
        for scope_logs in logs.get("scopeLogs", ()):
            for record in scope_logs.get("logRecords", ()):
                for name in ("traceId", "spanId"):
                    if name in record:
                        record[name] = base64.b64decode(record[name]).hex().upper()
    return json.dumps(told).encode()


def both(request: Any) -> list[dict[str, Any]]:
    """The records of a request, which are the same from both forms, but for how a large number is spelt."""
    found = rows_of(decoded(request.SerializeToString(), PROTOBUF))
    in_json = as_json(request)
    exactly = json_form.decode_exactly(Request(in_json, NOW_NS, Head(headers=JSON)))
    for others in (rows_of(decoded(in_json, JSON)), rows_of(exactly)):
        assert [read(record) for record in others] == [read(record) for record in found]
    return found


def read(record: dict[str, Any]) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        return {**record, "message": json.loads(record["message"])}
    return record


def test_a_record_with_everything() -> None:
    (record,) = both(
        export(
            {
                "time_unix_nano": TIME_NS,
                "observed_time_unix_nano": TIME_NS + 5,
                "severity_number": 13,
                "severity_text": "WARN",
                "body": "disk nearly full",
                "attributes": {"disk": "sda", "free": 12, "share": 0.25, "is_root": True, "parts": [1, "two", None]},
                "dropped_attributes_count": 2,
                "flags": 0x101,
                "trace_id": TRACE_ID,
                "span_id": SPAN_ID,
                "event_name": "disk.full",
            },
            resource={
                "k8s.cluster.name": "blue",
                "k8s.namespace.name": "shop",
                "k8s.pod.name": "web-0",
                "k8s.container.name": "app",
                "k8s.node.name": "n1",
                "service.name": "web",
                "process.pid": 7,
            },
            scope={"name": "disk", "version": "1.2", "attributes": {"team": "infra", "disk": "overruled"}},
        )
    )
    assert (record["cluster"], record["namespace"], record["pod"], record["container"]) == (
        "blue",
        "shop",
        "web-0",
        "app",
    )
    assert record["labels"] == {"node": "n1", "service.name": "web", "process.pid": "7"}
    assert (record["time"], record["severity"], record["message"]) == (TIME_NS, "warn", "disk nearly full")
    assert (record["trace_id"], record["span_id"]) == (TRACE_ID.hex(), SPAN_ID.hex())
    assert record["attributes"] == {
        "otel.scope.name": "disk",
        "otel.scope.version": "1.2",
        "team": "infra",
        "disk": "sda",
        "free": 12,
        "share": 0.25,
        "is_root": True,
        "parts": [1, "two", None],
        "event_name": "disk.full",
        "trace_flags": 1,
        "dropped_attributes_count": 2,
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a line\n", "a line"),
        (b"bytes", "bytes"),
        (b"\xff\\", "\\xff\\\\"),
        (None, ""),
        (True, "true"),
        (-(2**63), "-9223372036854775808"),
        (1.5, "1.5"),
        (math.nan, '"NaN"'),
        ([1, "a", None, [], {}], '[1,"a",null,[],{}]'),
        ({"msg": "hi", "n": {"x": b"\xff"}}, '{"msg":"hi","n":{"x":"/w=="}}'),
    ],
)
def test_bodies_of_every_kind(body: Any, message: str) -> None:
    (record,) = both(export({"time_unix_nano": TIME_NS, "body": body}))
    assert record["message"] == message
    assert record["attributes"] == ({"_escape": "backslash"} if body == b"\xff\\" else {})


def test_the_time_is_the_records_own_or_when_it_was_observed_or_now() -> None:
    times = [
        {"time_unix_nano": TIME_NS, "observed_time_unix_nano": 5},
        {"observed_time_unix_nano": TIME_NS + 1},
        {},
        {"time_unix_nano": 2**64 - 1},
        {"time_unix_nano": NOW_NS + 2 * 86_400 * 10**9},
    ]
    found = both(export(*times))
    assert [record["time"] for record in found] == [TIME_NS, TIME_NS + 1, NOW_NS, NOW_NS, NOW_NS]
    assert [record["attributes"].get("_time") for record in found[3:]] == [2**64 - 1, NOW_NS + 2 * 86_400 * 10**9]


@pytest.mark.parametrize(
    ("number", "text", "severity", "extra"),
    [
        (0, "", "", {}),
        (1, "", "trace", {}),
        (9, "INFO", "info", {}),
        (9, "Information", "info", {}),
        (10, "NOTICE", "info", {"severity_text": "NOTICE", "severity_number": 10}),
        (21, "CRITICAL", "fatal", {"severity_text": "CRITICAL"}),
        (17, "SEVERE2", "error", {"severity_text": "SEVERE2"}),
        (24, "", "fatal", {"severity_number": 24}),
        (0, "warning", "warn", {}),
        (0, "odd", "", {"severity_text": "odd"}),
        (13, "error", "warn", {"severity_text": "error"}),
        (99, "error", "error", {"severity_number": 99}),
    ],
)
def test_severity_is_the_numbers_or_else_the_texts(
    number: int, text: str, severity: str, extra: dict[str, Any]
) -> None:
    (record,) = both(export({"time_unix_nano": TIME_NS, "severity_number": number, "severity_text": text}))
    assert (record["severity"], record["attributes"]) == (severity, extra)


@pytest.mark.parametrize(
    ("trace_id", "span_id", "expected"),
    [
        (TRACE_ID, SPAN_ID, (TRACE_ID.hex(), SPAN_ID.hex())),
        (bytes(16), bytes(8), (None, None)),
        (TRACE_ID[:8], SPAN_ID[:4], (None, None)),
        (b"", SPAN_ID, (None, SPAN_ID.hex())),
    ],
)
def test_ids(trace_id: bytes, span_id: bytes, expected: tuple[str | None, str | None]) -> None:
    (record,) = both(export({"time_unix_nano": TIME_NS, "trace_id": trace_id, "span_id": span_id}))
    assert (record["trace_id"], record["span_id"]) == expected


def test_what_a_collector_says_of_a_file_is_where_a_record_comes_from() -> None:
    path = "/var/log/pods/shop_web-0_11111111-2222-3333-4444-555555555555/app/3.log"
    first, second = both(
        export(
            {"time_unix_nano": TIME_NS, "attributes": {"log.iostream": "stderr", "log.file.path": path, "user": "7"}},
            {"time_unix_nano": TIME_NS, "attributes": {"k8s.pod.name": "other", "pod": "an application's own"}},
            resource={"service.name": "web", "k8s.cluster.name": "blue"},
        )
    )
    assert (first["cluster"], first["namespace"], first["pod"], first["container"]) == ("blue", "shop", "web-0", "app")
    assert (first["stream"], first["labels"]["instance"]) == ("stderr", "3")
    assert first["attributes"] == {"user": "7"}
    assert (second["pod"], second["attributes"]) == ("other", {"pod": "an application's own"})


@pytest.mark.parametrize(
    ("attributes", "stream", "left"),
    [
        ({"stream": "stderr", "logtag": "F"}, "stderr", {"logtag": "F"}),
        ({"Stream": "stdout"}, "stdout", None),
        ({"log.iostream": "stdout"}, "stdout", None),
        ({"log_iostream": "stdout"}, "stdout", None),
        ({"log.iostream": "stdout", "stream": "stderr"}, "stdout", {"stream": "stderr"}),
        ({"stream": "orders"}, None, {"stream": "orders"}),
        ({"stream": "stdout2"}, None, {"stream": "stdout2"}),
        ({"stream": 6}, None, {"stream": 6}),
        ({"stream": {"name": "stdout"}}, None, {"stream": {"name": "stdout"}}),
        ({"severity": "stdout", "a": "stderr"}, None, {"severity": "stdout", "a": "stderr"}),
    ],
)
def test_the_stream_that_a_collector_or_fluent_bit_tells(attributes: Any, stream: Any, left: Any) -> None:
    (record,) = both(export({"time_unix_nano": TIME_NS, "body": "x", "attributes": attributes}))
    assert (record["stream"] or None, record.get("attributes") or None) == (stream, left)


def test_a_body_that_is_an_agents_record_is_opened() -> None:
    kubernetes = {"namespace_name": "shop", "pod_name": "web-0", "container_name": "app", "pod_ip": "10.1.1.1"}
    body = {"stream": "stderr", "level": "error", "msg": "it broke", "n": 5, "kubernetes": kubernetes}
    request = export({"time_unix_nano": TIME_NS, "body": body, "attributes": {"user": "ann"}})
    for sent in (decoded(request.SerializeToString(), PROTOBUF), decoded(as_json(request), JSON)):
        (record,) = rows_of(sent)
        assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-0", "app")
        assert (record["stream"], record["severity"], record["message"]) == ("stderr", "error", "it broke")
        assert record["attributes"] == {"user": "ann", "kubernetes": {"pod_ip": "10.1.1.1"}, "n": 5}


def test_what_is_left_of_kubernetes_metadata_is_an_attribute() -> None:
    kubernetes = {"pod_name": "web-0", "annotations": {"note.io/x": "y"}}
    (record,) = both(export({"time_unix_nano": TIME_NS, "body": "x", "attributes": {"kubernetes": kubernetes}}))
    assert (record["pod"], record["labels"]) == ("web-0", {})
    assert record["attributes"] == {"kubernetes": {"annotations": {"note.io/x": "y"}}}


def test_an_event_without_a_body_has_its_name_for_a_message() -> None:
    (record,) = both(export({"time_unix_nano": TIME_NS, "event_name": "user.login"}))
    assert (record["message"], record["attributes"]) == ("user.login", {"event_name": "user.login"})


def test_of_a_repeated_key_the_last_value_counts() -> None:
    request = export({"time_unix_nano": TIME_NS})
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    for number in range(40):
        record.attributes.add(key=f"k{number % 20}").value.int_value = number
        record.attributes.add(key="nested").value.kvlist_value.values.extend([*pairs({"a": 1}), *pairs({"a": number})])
    (found,) = both(request)
    assert found["attributes"] == {**{f"k{number}": number + 20 for number in range(20)}, "nested": {"a": 39}}


def test_numbers_that_json_has_no_form_for() -> None:
    odd = {"nan": math.nan, "up": math.inf, "down": -math.inf, "tiny": 5e-324, "huge": 1.7976931348623157e308}
    (record,) = both(export({"time_unix_nano": TIME_NS, "attributes": {**odd, "most": 2**63 - 1, "third": 1 / 3}}))
    assert record["attributes"] == {
        "nan": "NaN",
        "up": "Infinity",
        "down": "-Infinity",
        "tiny": 5e-324,
        "huge": 1.7976931348623157e308,
        "most": 2**63 - 1,
        "third": 1 / 3,
    }


def test_texts_that_are_not_utf8_harm_nobody() -> None:
    body = export({"time_unix_nano": TIME_NS, "body": "bad X", "attributes": {"k": "bad X"}}, {"body": "good"})
    bad, good = rows_of(decoded(body.SerializeToString().replace(b"bad X", b"bad \xff"), PROTOBUF))
    assert (bad["message"], bad["attributes"]) == ("bad \\xff", {"k": "bad \ufffd", "_escape": "backslash"})
    assert good["message"] == "good"


def test_a_record_that_cannot_be_read_is_stored_as_it_came() -> None:
    body = export({"body": "before"}, {"body": "X" * 9}, {"body": "after"}).SerializeToString()
    broken = body.replace(b"\x0a\x09" + b"X" * 9, b"\x0a\x7f" + b"X" * 9)
    assert broken != body
    found = decoded(broken, PROTOBUF)
    before, bad, after = rows_of(found)
    assert (before["message"], after["message"], found.unread) == ("before", "after", 1)
    assert "XXXXXXXXX" in bad["message"] and "Protocol Buffers" in bad["attributes"]["_ingest_error"]


def test_json_as_others_write_it() -> None:
    record = {
        "timeUnixNano": TIME_NS,
        "severity_number": "SEVERITY_NUMBER_ERROR2",
        "body": {"stringValue": "a"},
        "attributes": [
            {"key": "number", "value": {"intValue": 1}},
            {"key": "text", "value": {"int_value": "2"}},
            {"key": "double", "value": {"doubleValue": "NaN"}},
            {"key": "bad", "value": {"intValue": "x"}},
            7,
        ],
        "unknown": {},
    }
    body = json.dumps({"resource_logs": [{"scope_logs": [{"log_records": [record]}]}, None, 5]}).encode()
    (found,) = rows_of(decoded(body, {}))
    assert (found["time"], found["severity"], found["message"]) == (TIME_NS, "error", "a")
    assert found["attributes"] == {"number": 1, "text": 2, "double": "NaN", "bad": "x", "severity_number": 18}


def test_json_records_that_are_none_are_rejected_alone() -> None:
    deep: Any = {"stringValue": "x"}
    for _ in range(150):
        deep = {"arrayValue": {"values": [deep]}}
    records = [{"body": {"stringValue": "good"}}, 7, {"body": deep}, {"timeUnixNano": "soon"}]
    found = decoded(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode(), JSON)
    good, late = rows_of(found)
    assert (good["message"], late["attributes"]) == ("good", {"_time": "soon"})
    assert [(reject.line, reject.error) for reject in found.rejects] == [
        (2, "a log record is a JSON object"),
        (3, "a value is nested deeper than 100 levels"),
    ]


def test_a_value_nested_too_deep_is_kept_as_base64() -> None:
    deep: Any = "x"
    for _ in range(33):
        deep = [deep]
    request = export({"body": "a", "attributes": {"deep": deep}})
    found = json.dumps(both(request)[0]["attributes"]["deep"])
    assert found == json.dumps(deep)
    inner = b"\x2a\x00"
    for _ in range(120):
        inner = b"\x2a" + _varint(len(inner) + 1 + len(_varint(len(inner)))) + b"\x0a" + _varint(len(inner)) + inner
    pair = b"\x0a\x01k\x12" + _varint(len(inner)) + inner
    record = b"\x32" + _varint(len(pair)) + pair
    scope = b"\x12" + _varint(len(record)) + record
    logs = b"\x12" + _varint(len(scope)) + scope
    (found_deep,) = rows_of(decoded(b"\x0a" + _varint(len(logs)) + logs, PROTOBUF))
    value = found_deep["attributes"]["k"]
    levels = 0
    while isinstance(value, list):
        (value,) = value
        levels += 1
    assert levels == 99 and base64.b64decode(value)


def _varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, *_varint(number >> 7)]) if number >= 0x80 else bytes([number])


@pytest.mark.parametrize("headers", [PROTOBUF, JSON])
def test_what_a_client_is_answered(headers: dict[str, str]) -> None:
    request = export({"body": "short"}, {"body": "too long"}, {"body": "way too long"})
    is_json = headers is JSON
    body = as_json(request) if is_json else request.SerializeToString()
    asked = Request(body, NOW_NS, Head("POST", "/v1/logs", {}, headers))
    whole = otlp.answer(asked, decoded(body, headers))
    assert (whole.status, whole.body) == (200, b"{}" if is_json else b"")
    partly = otlp.answer(asked, decoded(body, headers, max_line_bytes=6))
    why = "record 2: 8 bytes, over the limit of 6 (max_line); and 1 others"
    if is_json:
        assert json.loads(partly.body) == {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": why}}
    else:
        told = ExportLogsServiceResponse.FromString(partly.body).partial_success
        assert (told.rejected_log_records, told.error_message) == (2, why)
    assert {whole.media_type, partly.media_type} == {headers["content-type"].partition(";")[0]}


@pytest.mark.parametrize(
    ("status", "answered", "code"),
    [(400, 400, 3), (401, 401, 16), (409, 409, 10), (413, 413, 3), (429, 429, 8), (500, 503, 14), (503, 503, 14)],
)
def test_refusals_are_statuses_in_the_requests_form(status: int, answered: int, code: int) -> None:
    in_json = otlp.refuse(Head(headers=JSON), Refusal(status, "why"))
    assert (in_json.status, json.loads(in_json.body)) == (answered, {"code": code, "message": "why"})
    in_protobuf = otlp.refuse(Head(headers=PROTOBUF), Refusal(status, "why"))
    told = Status.FromString(in_protobuf.body)
    assert (in_protobuf.status, told.code, told.message) == (answered, code, "why")


@pytest.mark.parametrize("coding", ["gzip", "snappy", "zstd", "deflate", ""])
def test_codings(coding: str) -> None:
    import zlib

    import zstandard

    body = export({"body": "a"}).SerializeToString()
    encode: Any = {"gzip": gzip.compress, "snappy": snappy, "zstd": zstandard.compress, "deflate": zlib.compress}
    encoded = encode.get(coding, bytes)(body)
    (record,) = rows_of(decoded(encoded, {**PROTOBUF, "content-encoding": coding}))
    assert record["message"] == "a"


@pytest.mark.parametrize("recorded", sorted(DATA.glob("*.body")), ids=lambda path: path.stem)
def test_recorded_requests(recorded: Path) -> None:
    headers = json.loads(recorded.with_suffix(".head.json").read_text())["headers"]
    found = rows_of(decoded(recorded.read_bytes(), headers))
    assert found == json.loads(recorded.with_suffix(".json").read_text())


def test_json_of_clients_is_read_in_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_form, "decode_exactly", None)
    assert decoded((DATA / "node-json.body").read_bytes(), JSON).batch.num_rows == 2


def test_empty_requests_are_fine_and_others_are_refused() -> None:
    assert decoded(b"", PROTOBUF).batch.num_rows == decoded(b"{}", JSON).batch.num_rows == 0
    for body, headers in [(b"\xff", PROTOBUF), (b"\x0a\x05", PROTOBUF), (b"[]", JSON), (b"{", JSON), (b"x", {})]:
        with pytest.raises(InvalidInput):
            decoded(body, headers)


def test_a_scope_in_every_record_is_bounded() -> None:
    scope = {"name": "s" * 100_000}
    request = export(*[{"body": "x"}] * 1000, scope=scope).SerializeToString()
    with pytest.raises(TooLarge, match="too much text"):
        decoded(request, PROTOBUF)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=6)
    | st.binary(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(
    st.text(max_size=6) | st.sampled_from(["log.iostream", "k8s.pod.name", "stream"]),
    VALUES | st.sampled_from(["stdout", "stderr"]),
    max_size=5,
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "time_unix_nano": st.integers(0, 2**64 - 1),
        "observed_time_unix_nano": st.integers(0, NOW_NS),
        "severity_number": st.integers(0, 30),
        "severity_text": st.sampled_from(["INFO", "warn", "x", "3"]),
        "body": VALUES,
        "attributes": ATTRIBUTES,
        "flags": st.integers(0, 2**32 - 1),
        "dropped_attributes_count": st.integers(0, 2**32 - 1),
        "trace_id": st.sampled_from([b"", TRACE_ID, SPAN_ID, bytes(16)]),
        "span_id": st.sampled_from([b"", SPAN_ID, bytes(8)]),
        "event_name": st.text(max_size=4),
    },
)


@given(st.lists(RECORDS, max_size=4), ATTRIBUTES, ATTRIBUTES)
def test_both_forms_say_the_same(records: list[Any], resource: dict[str, Any], scope: dict[str, Any]) -> None:
    both(export(*records, resource=resource, scope={"name": "n", "attributes": scope}))


WHOLE = export(
    {
        "time_unix_nano": TIME_NS,
        "body": {"a": [1, {"b": 2.5}]},
        "attributes": {"k": "v", "n": [b"x"]},
        "trace_id": TRACE_ID,
    },
    resource={"k8s.pod.name": "p"},
    scope={"name": "s", "attributes": {"x": 1}},
).SerializeToString()


@given(st.integers(0, len(WHOLE)), st.binary(max_size=8), st.integers(0, 8))
@settings(max_examples=200)
def test_any_bytes_are_records_or_refused(at: int, put: bytes, cut: int) -> None:
    with contextlib.suppress(LogstoreError):
        rows_of(decoded(WHOLE[:at] + put + WHOLE[at + cut :], PROTOBUF))


NONSENSE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "value", "values", "stringValue", "intValue", "kvlistValue", "attributes", "body"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(
    NONSENSE, st.sampled_from(["resource", "scopeLogs", "scope", "logRecords", "body", "attributes", "timeUnixNano"])
)
def test_any_json_is_records_or_refused(value: Any, place: str) -> None:
    record = {
        "body": {"stringValue": "a"},
        "traceId": value,
        "flags": value,
        "severityNumber": value,
        "eventName": value,
    }
    scope_logs = {"scope": {"name": value, "attributes": value}, "logRecords": [{**record, place: value}, value]}
    logs = {"resource": {"attributes": value}, "scopeLogs": [scope_logs], place: value}
    for told in ({"resourceLogs": [logs]}, {"resourceLogs": value}, value):
        with contextlib.suppress(LogstoreError):
            rows_of(decoded(json.dumps(told).encode(), JSON))
