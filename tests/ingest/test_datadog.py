"""Datadog's log intake: what becomes of logs, and what clients are answered."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocol import Answer, Refusal
from ingest.protocols import datadog
from ingest.request import Head, Request
from tests.ingest.decoded import NOW_NS, records

DATA = Path(__file__).parents[1] / "data" / "datadog"


def request(body: bytes | str, content_type: str = "application/json", **params: str) -> Request:
    text = body.encode() if isinstance(body, str) else body
    return Request(text, NOW_NS, Head(params=params, headers={"content-type": content_type}))


def logs(body: bytes | str, content_type: str = "application/json", **params: str) -> list[dict[str, Any]]:
    return records(datadog.decode(request(body, content_type, **params)))


def answered(body: str) -> tuple[int, dict[str, Any]]:
    asked = request(body)
    return told(datadog.answer(asked, datadog.decode(asked)))


def told(answer: Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, json.loads(answer.body)


def test_a_whole_log() -> None:
    [record] = logs(
        '[{"message":"GET /","status":"warning","timestamp":1790000000123,"hostname":"node-1","service":"web",'
        '"ddsource":"nginx","ddtags":"env:prod,kube_cluster_name:c1,kube_namespace:shop,pod_name:web-0,'
        'kube_container_name:app,image_name:web,team:a,team:b,canary","http":{"status_code":404},"took":1.5,'
        '"dd.trace_id":"1234567890","dd.span_id":987}]'
    )
    assert record == {
        "time": 1_790_000_000_123_000_000,
        "cluster": "c1",
        "namespace": "shop",
        "pod": "web-0",
        "container": "app",
        "severity": "warn",
        "message": "GET /",
        "labels": {
            "node": "node-1",
            "image": "web",
            "env": "prod",
            "team": "a,b",
            "canary": "",
            "service": "web",
            "ddsource": "nginx",
        },
        "trace_id": "1234567890",
        "span_id": "987",
        "attributes": {"http": {"status_code": 404}, "took": 1.5},
    }


@pytest.mark.parametrize(
    "body",
    ['[{"message":"a"},{"message":"b"}]', '{"message":"a"}{"message":"b"}', '{"message":"a"}\n{"message":"b"}\n'],
)
def test_logs_in_an_array_or_one_after_the_other(body: str) -> None:
    assert [record["message"] for record in logs(body)] == ["a", "b"]


def test_text_is_one_log_a_line() -> None:
    first, second = logs("one\r\n\ntwo\n", "text/plain", ddtags="env:prod", hostname="node-1")
    assert [first["message"], second["message"]] == ["one", "two"]
    assert first["labels"] == {"node": "node-1", "env": "prod"}


def test_parameters_hold_for_logs_that_do_not_say_it() -> None:
    given, own = logs('[{"message":"a"},{"message":"b","service":"own"}]', service="given", ddsource="s")
    assert (given["labels"], own["labels"]) == (
        {"service": "given", "ddsource": "s"},
        {"service": "own", "ddsource": "s"},
    )


PINO = (
    '[{"pid":7,"namespace":"shop","pod":"web-0","n":3,"ok":true,"timestamp":1790000000123,"status":"info",'
    '"message":"hello é","host":"node-1"}]'
)


@pytest.mark.parametrize("params", [{}, {"ddsource": "node", "service": "web", "ddtags": "env:prod"}])
def test_a_log_says_where_it_comes_from_whatever_the_parameters_say(params: dict[str, str]) -> None:
    """As pino-datadog writes it, with the parameters that it sends."""
    [record] = logs(PINO, **params)
    assert (record["namespace"], record["pod"], record["message"]) == ("shop", "web-0", "hello é")
    assert (record["time"], record["severity"]) == (1_790_000_000_123_000_000, "info")
    assert record["attributes"] == {"pid": 7, "n": 3, "ok": True}
    others = {"env": "prod", "service": "web", "ddsource": "node"} if params else {}
    assert record["labels"] == {"node": "node-1", **others}
    good, poison = logs(PINO[:-1] + ',{"message":bad}]', **params)
    assert good == record
    assert "_ingest_error" in poison["attributes"]


def test_a_hostname_comes_before_a_host() -> None:
    [record] = logs('{"message":"a","host":"h","hostname":"n"}')
    assert (record["labels"], record["attributes"]) == ({"node": "n"}, {"host": "h"})
    [record] = logs('{"message":"a","host":{"ip":"1"},"service":null}', service="s")
    assert record["labels"] == {"service": "s"}
    assert record["attributes"] == {"host": {"ip": "1"}}


def test_labels_join_those_of_the_tags() -> None:
    first, second = logs('[{"message":"a","labels":{"app":"x"},"ddtags":"env:prod"},{"message":"b"}]')
    assert first["labels"] == {"app": "x", "env": "prod"}
    assert "labels" not in second


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ('"timestamp":"2026-09-21T14:13:20.123456789Z"', 1_790_000_000_123_456_789),
        ('"date":1790000000123', 1_790_000_000_123_000_000),
        ('"timestamp":"1790000000123"', 1_790_000_000_123_000_000),
        ('"x":1', NOW_NS),
        ('"timestamp":"soon"', NOW_NS),
    ],
)
def test_times(log: str, expected: int) -> None:
    [record] = logs(f'{{"message":"x",{log}}}')
    assert record["time"] == expected


def test_lines_of_browsers_are_logs_although_they_are_called_text() -> None:
    """As @datadog/browser-logs sends them."""
    line = {"date": 1_790_000_000_123, "message": "clicked", "status": "warn", "view": {"url": "https://shop"}}
    body = "\n".join(json.dumps({**line, "session_id": str(number)}) for number in range(2))
    head = Head(headers={"content-type": "text/plain;charset=UTF-8"}, params={"ddsource": "browser"})
    first, second = records(datadog.decode(Request(body.encode(), NOW_NS, head)))
    assert (first["time"], first["severity"], first["message"]) == (1_790_000_000_123_000_000, "warn", "clicked")
    assert (first["labels"], second["attributes"]["session_id"]) == ({"ddsource": "browser"}, "1")
    [text] = records(datadog.decode(Request(b'{"message": no JSON', NOW_NS, head)))
    assert text["message"] == '{"message": no JSON'


def test_a_tag_that_is_repeated_very_often_takes_no_longer_than_others() -> None:
    values = [str(number) for number in range(100_000)]
    text = ",".join(f"shard:{value}" for value in [*values, "7", ""])
    [record] = logs(json.dumps({"message": "x", "ddtags": text}))
    assert record["labels"]["shard"] == ",".join(values)


@pytest.mark.parametrize(
    ("status", "severity", "rest"),
    [
        ("emergency", "fatal", {"status": "emergency"}),
        ("ok", None, {"status": "ok"}),
        (3, "error", {"status": 3}),
        ("Info", "info", None),
    ],
)
def test_the_status_is_the_severity(status: str | int, severity: str | None, rest: dict[str, object] | None) -> None:
    [record] = logs(json.dumps({"message": "x", "status": status}))
    assert (record.get("severity"), record.get("attributes")) == (severity, rest)


def test_messages_of_all_kinds() -> None:
    lambda_log, number, none = logs(
        '[{"message":{"message":"done","timestamp":1790000000000,"lambda":{"arn":"a"}}},{"message":7},{"a":1,"b":"c"}]'
    )
    assert (lambda_log["message"], lambda_log["attributes"]["lambda"]) == ("done", {"arn": "a"})
    assert number["message"] == "7"
    assert (none["message"], none["attributes"]) == ('{"a":1,"b":"c"}', {"a": 1, "b": "c"})


def test_poison_between_good_logs_is_stored_as_it_came() -> None:
    good, poison = logs('[{"message":"a"},{"message":bad}]')
    assert good["message"] == "a"
    assert poison["message"] == '{"message":bad}'
    assert poison["attributes"]["_ingest_error"].startswith("not JSON")


@pytest.mark.parametrize(
    ("body", "status"), [('{"message":"x"}', 202), ("{}", 202), ("[]", 202), ("", 202), ("nonsense", 400), ("[1]", 400)]
)
def test_answers(body: str, status: int) -> None:
    code, answer = answered(body)
    assert code == status
    assert answer == {} if status == 202 else answer["errors"][0]["status"] == "400"


def test_refusals_name_themselves() -> None:
    missing = told(datadog.refuse(Head(), Refusal(401, "a token is needed")))
    wrong = told(datadog.refuse(Head(headers={"dd-api-key": "x"}), Refusal(401, "a token is needed")))
    large = told(datadog.refuse(Head(), Refusal(413, "too large")))
    assert missing == (401, {"errors": [{"status": "401", "title": "Unauthorized", "detail": "a token is needed"}]})
    assert wrong[0] == 403
    assert large == (413, {"errors": [{"status": "413", "title": "Payload Too Large", "detail": "too large"}]})


@pytest.mark.parametrize(
    "head",
    [
        Head(headers={"dd-api-key": "k"}),
        Head(params={"dd-api-key": "k"}),
        Head(params={"api_key": "k"}),
        Head(segments={"key": "k"}),
    ],
)
def test_where_the_key_is(head: Head) -> None:
    assert datadog.credential(head) == "k"


@pytest.mark.parametrize("recorded", sorted(DATA.glob("*.body")), ids=lambda path: path.stem)
def test_recorded_requests(recorded: Path) -> None:
    assert logs(recorded.read_bytes()) == json.loads(recorded.with_suffix(".json").read_text())


@pytest.mark.parametrize("recorded", sorted(DATA.glob("*.body")), ids=lambda path: path.stem)
def test_a_log_is_read_alike_beside_an_unusual_one(recorded: Path) -> None:
    sent = recorded.read_bytes()
    assert logs(sent.rstrip()[:-1] + b",{}]") == logs(sent)


LOGS = st.dictionaries(
    st.sampled_from(
        ["message", "ddtags", "timestamp", "status", "hostname", "service", "dd", "dd.trace_id", "kubernetes", "x"]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["message", "trace_id", "pod_name", "\ud800"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=5,
)


@given(st.lists(LOGS, max_size=4), st.binary(max_size=40))
def test_no_body_breaks_it(sent: list[Any], noise: bytes) -> None:
    for body in (json.dumps(sent).encode(), noise, noise.join(json.dumps(log).encode() for log in sent)):
        for content_type in ("application/json", "text/plain"):
            asked = request(body, content_type)
            decoded = datadog.decode(asked)
            records(decoded)
            datadog.answer(asked, decoded)
