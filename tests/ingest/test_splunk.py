"""Splunk's HTTP Event Collector: what becomes of events, and what clients are answered."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocol import Answer, Refusal
from ingest.protocols import splunk
from ingest.request import Head, Limits, Request
from logstore.errors import Busy, InvalidInput, TooLarge, Unavailable
from tests.ingest.decoded import NOW_NS, records

DATA = Path(__file__).parents[1] / "data" / "splunk"


def request(body: bytes | str, limits: Limits | None = None, **params: str) -> Request:
    text = body.encode() if isinstance(body, str) else body
    return Request(text, NOW_NS, Head(params=params), limits or Limits())


def events(body: bytes | str, **params: str) -> list[dict[str, Any]]:
    return records(splunk.decode_events(request(body, **params)))


def answered(body: bytes | str, **params: str) -> tuple[int, dict[str, Any]]:
    asked = request(body, **params)
    return told(splunk.answer(asked, splunk.decode_events(asked)))


def told(answer: Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, json.loads(answer.body)


def test_a_whole_event() -> None:
    [record] = events(
        '{"time":1790000000.123456789,"host":"node-1","source":"/opt/app.log","sourcetype":"access","index":"main",'
        '"event":{"message":"GET /","severity":"warn","status":404,"took":1.5,"deep":{"a":[1,null]}},'
        '"fields":{"k8s.namespace.name":"shop","k8s.pod.name":"web-0","k8s.container.name":"app",'
        '"k8s.cluster.name":"c1","trace_id":"abc","span_id":"def","region":"eu"}}'
    )
    assert record == {
        "time": 1_790_000_000_123_456_789,
        "cluster": "c1",
        "namespace": "shop",
        "pod": "web-0",
        "container": "app",
        "severity": "warn",
        "message": "GET /",
        "labels": {"node": "node-1"},
        "trace_id": "abc",
        "span_id": "def",
        "attributes": {
            "source": "/opt/app.log",
            "sourcetype": "access",
            "index": "main",
            "region": "eu",
            "status": 404,
            "took": 1.5,
            "deep": {"a": [1, None]},
        },
    }


@pytest.mark.parametrize(
    "body",
    [
        '{"event":"a"}{"event":"b"}',
        '{"event":"a"}\n{"event":"b"}\n',
        '{"event":"a"}\r\n\r\n {"event":"b"}',
        '[{"event":"a"},\n{"event":"b"}]',
        '{\n  "event": "a"\n}\n{\n  "event": "b"\n}',
    ],
)
def test_events_however_they_are_separated(body: str) -> None:
    assert [record["message"] for record in events(body)] == ["a", "b"]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1790000000.123456789", 1_790_000_000_123_456_789),
        ('"1790000000.123456789"', 1_790_000_000_123_456_789),
        ("1790000000", 1_790_000_000_000_000_000),
        ('"1790000000.5"', 1_790_000_000_500_000_000),
        ("1790000000123", 1_790_000_000_123_000_000),
        ("1.79e9", 1_790_000_000_000_000_000),
        ("null", NOW_NS),
    ],
)
def test_times_are_exact(time: str, expected: int) -> None:
    [record] = events(f'{{"event":"x","time":{time}}}')
    assert record["time"] == expected


def test_the_time_of_an_event_is_not_that_of_its_content() -> None:
    [record] = events('{"event":{"message":"x","time":1.25},"time":1790000000.123456789}')
    assert record["time"] == 1_790_000_000_123_456_789
    assert record["attributes"] == {"time": 1.25}


def test_an_unreadable_time_is_kept_beside_the_receivers() -> None:
    [record] = events('{"event":"x","time":"soon"}')
    assert (record["time"], record["attributes"]) == (NOW_NS, {"_time": "soon"})


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ('"text"', "text"),
        ("42", "42"),
        ("true", "true"),
        ('["a",1]', '["a",1]'),
        ('{"a":1}', '{"a":1}'),
        ('{"msg":"hello"}', "hello"),
        ('{"log":"hello\\n"}', "hello"),
        ('{"message":{"a":1}}', '{"a":1}'),
    ],
)
def test_what_the_message_of_an_event_is(event: str, message: str) -> None:
    [record] = events(f'{{"event":{event}}}')
    assert record["message"] == message


@pytest.mark.parametrize(
    ("members", "message", "attributes"),
    [
        ('"event":{"message":"first","a":1},"event":{"message":"last","b":2}', "last", {"b": 2}),
        ('"event":{"message":"first","a":1},"event":"last"', "last", {}),
        ('"event":"first","event":{"message":"last","b":2}', "last", {"b": 2}),
        ('"event":{"message":"first","a":1,"a":2,"message":"last"}', "last", {"a": 2}),
        ('"\\u0065vent":{"message":"last","event":{"event":3}}', "last", {"event": {"event": 3}}),
    ],
)
def test_of_members_that_repeat_the_last_counts(members: str, message: str, attributes: dict[str, Any]) -> None:
    [record, other] = events(f'{{{members}}}{{"event":"other"}}')
    assert (record["message"], record.get("attributes", {}), other["message"]) == (message, attributes, "other")


def test_poison_between_good_events_is_stored_as_it_came() -> None:
    body = '{"event":"a"}{"event":bad}{"event":""}\n{"noevent":1}\n{"event":"b"}'
    stored = {record["message"]: record.get("attributes") for record in events(body)}
    assert stored == {
        "a": None,
        "b": None,
        '{"event":bad}': {"_ingest_error": "not JSON"},
        '{"event":""}': {"_ingest_error": "the event is blank"},
        '{"noevent":1}': {"_ingest_error": "the event is missing"},
    }
    assert answered(body) == (200, {"text": "Success", "code": 0})


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ('{"event":"x"}', 200, {"text": "Success", "code": 0}),
        ("", 400, {"text": "No data", "code": 5}),
        (" \n", 400, {"text": "No data", "code": 5}),
        ("[]", 400, {"text": "No data", "code": 5}),
        ("nonsense", 400, {"text": "Invalid data format", "code": 6, "invalid-event-number": 0}),
        ('{"a":1}', 400, {"text": "Event field is required", "code": 12, "invalid-event-number": 0}),
        ('{"event":""}', 400, {"text": "Event field cannot be blank", "code": 13, "invalid-event-number": 0}),
    ],
)
def test_answers(body: str, status: int, answer: dict[str, Any]) -> None:
    assert answered(body) == (status, answer)


def test_events_that_are_too_long_are_told_where_nothing_else_came() -> None:
    long = '{"event":"' + "x" * 200 + '"}'
    for body, status, code in ((long, 413, 27), (long + '{"event":"a"}', 200, 0)):
        asked = request(body, Limits(max_line_bytes=100))
        answer = told(splunk.answer(asked, splunk.decode_events(asked)))
        assert (answer[0], answer[1]["code"]) == (status, code)


def test_a_channel_is_given_an_id_that_is_acknowledged_at_once() -> None:
    status, answer = answered('{"event":"x"}', channel="c1")
    assert (status, answer["code"]) == (200, 0)
    number = answer["ackId"]
    head = Head(params={"channel": "c1"})
    asked = json.dumps({"acks": [number, 7]}).encode()
    assert told(splunk.acknowledge(head, asked)) == (200, {"acks": {str(number): True, "7": True}})
    by_header = Head(headers={"x-splunk-request-channel": "c1"})
    assert told(splunk.acknowledge(by_header, asked))[0] == 200
    packed = Head(params={"channel": "c"}, headers={"content-encoding": "gzip"})
    assert told(splunk.acknowledge(packed, gzip.compress(b'{"acks": [1]}'))) == (200, {"acks": {"1": True}})
    assert told(splunk.acknowledge(packed, b"\x1f\x8bx"))[0] == 400


@pytest.mark.parametrize(
    ("channel", "body", "code"),
    [("", b'{"acks":[0]}', 10), ("c", b"", 6), ("c", b"[]", 6), ("c", b'{"acks":["x"]}', 6), ("c", b'{"acks":{}}', 6)],
)
def test_what_is_no_question_for_acks(channel: str, body: bytes, code: int) -> None:
    status, answer = told(splunk.acknowledge(Head(params={"channel": channel}), body))
    assert (status, answer["code"]) == (400, code)


ID = "4f1c" * 16
KUBELET = "k8s_app_web-0_shop_uid-1_2"


@pytest.mark.parametrize(
    ("tag", "container", "labels", "attributes"),
    [
        (ID[:12], None, {"container_id": ID[:12]}, None),
        (f"docker/{ID[:12]}", None, {"container_id": ID[:12]}, None),
        (f"web/{ID}", "web", {"container_id": ID}, None),
        (f"shop/web:1/web/{ID[:12]}", "web", {"container_id": ID[:12], "image": "shop/web:1"}, None),
        ("web", "web", None, None),
        (KUBELET, "app", {"pod_uid": "uid-1", "instance": "2"}, None),
        ("of several words", None, None, {"docker.tag": "of several words"}),
        ("a/b", None, None, {"docker.tag": "a/b"}),
        (None, None, None, None),
    ],
)
def test_dockers_tag_tells_the_container(tag: Any, container: Any, labels: Any, attributes: Any) -> None:
    [record] = events(json.dumps({"event": {"line": "hello", "source": "stdout", "tag": tag}, "time": "1790000000.1"}))
    assert (record["message"], record["stream"]) == ("hello", "stdout")
    assert (record.get("container"), record.get("labels"), record.get("attributes")) == (container, labels, attributes)


def test_labels_of_the_kubelet_count_more_than_dockers_tag() -> None:
    attrs = {"io.kubernetes.container.name": "app", "io.kubernetes.pod.name": "web-0"}
    event = {"line": "hello", "source": "stdout", "tag": f"other/{ID}", "attrs": attrs}
    [record] = events(json.dumps({"event": event}))
    assert (record["container"], record["pod"], record["labels"]) == ("app", "web-0", {"container_id": ID})


def test_objects_without_an_event_are_refused_as_splunk_does_but_not_fluent_bits() -> None:
    """With `splunk_send_raw` records come as they are, one a line, to the endpoint for events."""
    without = '{"log":"hello","stream":"stdout"}\n{"log":"and more","stream":"stdout"}\n'
    assert answered(without) == (400, {"text": "Event field is required", "code": 12, "invalid-event-number": 0})
    head = Head(headers={"user-agent": "Fluent-Bit"})
    of_fluent_bit = splunk.decode_events(Request((without + "oops\n").encode(), NOW_NS, head))
    assert [(record["message"], record.get("stream")) for record in records(of_fluent_bit)] == [
        *(("hello", "stdout"), ("and more", "stdout")),
        ("oops", None),
    ]
    nested = '{"event":{"log":"hello","stream":"stdout"},"host":"node-1"}\n' * 2
    assert [(record["message"], record["labels"]) for record in events(nested)] == [("hello", {"node": "node-1"})] * 2


@pytest.mark.parametrize("name", ["time", "@timestamp"])
def test_a_time_of_the_record_that_is_finer_counts(name: str) -> None:
    """As Fluent Bit writes both: the envelope's is rounded to microseconds."""
    event = {"log": "x", name: "2026-09-21T14:13:20.123456789Z"}
    [record] = events(json.dumps({"time": 1790000000.123457, "event": event}))
    assert (record["time"], record.get("attributes")) == (1_790_000_000_123_456_789, None)
    [other] = events(json.dumps({"time": 1790000001.123457, "event": event}))
    assert (other["time"], other["attributes"]) == (1_790_000_001_123_457_000, {name: event[name]})


def test_raw_bodies_are_lines_and_parameters_say_the_rest() -> None:
    asked = request(
        b"one\n\ntwo\r\n  three \xff\n",
        host="node-1",
        source="/opt/a.log",
        sourcetype="s",
        index="main",
        time="1790000000.5",
    )
    decoded = splunk.decode_raw(asked)
    first, second, third = records(decoded)
    assert [first["message"], second["message"], third["message"]] == ["one", "two", "  three \\xff"]
    assert first["time"] == 1_790_000_000_500_000_000
    assert first["labels"] == {"node": "node-1"}
    assert first["attributes"] == {"source": "/opt/a.log", "sourcetype": "s", "index": "main"}
    assert told(splunk.answer(asked, decoded)) == (200, {"text": "Success", "code": 0})
    empty = request(b"\n\n")
    assert told(splunk.answer(empty, splunk.decode_raw(empty))) == (400, {"text": "No data", "code": 5})


def test_parameters_are_defaults_of_events() -> None:
    given, own = events('{"event":"a"}{"event":"b","host":"own"}', host="given", sourcetype="s")
    assert (given["labels"], own["labels"]) == ({"node": "given"}, {"node": "own"})
    assert given["attributes"] == own["attributes"] == {"sourcetype": "s"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(Busy("full"), 503, 9), (Unavailable("disk"), 503, 9), (TooLarge("big"), 413, 27), (InvalidInput("gzip"), 400, 6)],
)
def test_refusals_have_the_codes_that_make_clients_try_again_or_not(error: Any, status: int, code: int) -> None:
    refusal = Refusal({Busy: 429, Unavailable: 503, TooLarge: 413, InvalidInput: 400}[type(error)], str(error), error)
    answer = told(splunk.refuse(Head(), refusal))
    assert (answer[0], answer[1]["code"]) == (status, code)


def test_tokens_that_are_missing_or_wrong() -> None:
    missing = told(splunk.refuse(Head(), Refusal(401, "a token is needed")))
    wrong = told(splunk.refuse(Head(headers={"authorization": "Splunk x"}), Refusal(401, "a token is needed")))
    assert missing == (401, {"text": "Token is required", "code": 2})
    assert wrong == (403, {"text": "Invalid token", "code": 4})


@pytest.mark.parametrize("recorded", sorted(DATA.glob("*.body")), ids=lambda path: path.stem)
def test_recorded_requests(recorded: Path) -> None:
    expected = json.loads(recorded.with_suffix(".json").read_text())
    assert events(recorded.read_bytes()) == expected


@pytest.mark.parametrize("recorded", sorted(DATA.glob("*.body")), ids=lambda path: path.stem)
def test_an_event_is_read_alike_beside_poison(recorded: Path) -> None:
    sent = recorded.read_bytes()
    *good, poison = events(sent + b"\n{poison}")
    assert good == events(sent)
    assert poison["message"] == "{poison}"


MEMBERS = st.dictionaries(
    st.sampled_from(["event", "time", "host", "source", "fields", "index", "k8s.pod.name", "line", "level", "labels"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["message", "kubernetes", "pod_name", "level", "trace_id", "\ud800"]), inner, max_size=3
            )
        ),
        max_leaves=6,
    ),
    max_size=5,
)


@given(st.lists(MEMBERS, max_size=4), st.binary(max_size=40))
def test_no_body_breaks_it(bodies: list[Any], noise: bytes) -> None:
    for body in (
        "".join(json.dumps(value) for value in bodies).encode(),
        noise,
        noise.join(json.dumps(v).encode() for v in bodies),
    ):
        asked = request(body)
        decoded = splunk.decode_events(asked)
        records(decoded)
        splunk.answer(asked, decoded)
        records(splunk.decode_raw(asked))
        splunk.acknowledge(Head(params={"channel": "c"}), body)
