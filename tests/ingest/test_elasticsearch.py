"""Elasticsearch's `_bulk`: what is kept, and what each client is answered."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocol import Answer, Probe, Refusal, Take
from ingest.protocols import PROTOCOLS, native
from ingest.protocols.elasticsearch import PROTOCOL
from ingest.protocols.elasticsearch.filter_path import filtered
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import InvalidInput, TooLarge
from server.mounts import Mounts
from tests.ingest.decoded import records

NOW_NS = 1_790_000_000_123_456_789
DATA = Path(__file__).parents[1] / "data" / "elasticsearch"
MOUNTS = Mounts(PROTOCOLS)
BEATS_FILTER = "errors,items.*.error,items.*.status"


def send(method: str, path: str, body: bytes = b"", **head: Any) -> tuple[Answer, Decoded | None]:
    """What the server would do with a request."""
    limits = head.pop("limits", Limits())
    asked = Head(method, path, **head)
    found = MOUNTS.find(asked)
    assert found is not None, f"{method} {path} leads nowhere"
    assert found.mount.protocol is PROTOCOL
    asked = replace(asked, segments=found.segments)
    if isinstance(found.mount.endpoint, Probe):
        return found.mount.endpoint.answer(asked, body), None
    assert isinstance(found.mount.endpoint, Take)
    request = Request(body, NOW_NS, asked, limits)
    decoded = found.mount.endpoint.decode(request)
    decoded.batch.validate(full=True)
    return found.mount.endpoint.answer(request, decoded), decoded


def bulk(*lines: Any, path: str = "/_bulk", **head: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    body = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    answer, decoded = send("POST", path, body, **head)
    assert answer.status == 200
    assert answer.headers["X-Elastic-Product"] == "Elasticsearch"
    assert decoded is not None
    return json.loads(answer.body), records(decoded)


WHERE = {"cluster": "default", "namespace": "shop", "pod": "web-7d4b9c-x2x", "container": "app"}
AT_NS = 1_772_366_400_123_456_789
RECORDED: dict[str, dict[str, Any]] = {
    "fluent-bit": WHERE | {"time": AT_NS, "stream": "stderr", "message": 'level=error msg="it broke"'},
    "fluent-bit-generate-id": WHERE | {"time": AT_NS, "message": "one"},
    "fluentd": WHERE | {"time": AT_NS, "stream": "stdout", "message": "GET / 200"},
    "filebeat": WHERE | {"cluster": "prod", "time": AT_NS - 456_789, "stream": "stderr", "message": "it broke"},
    "logstash": {"time": AT_NS - 789, "message": "Accepted", "severity": "info", "labels": {"node": "db-1"}},
    "vector": WHERE | {"time": AT_NS, "stream": "stderr", "message": "it broke"},
    "rsyslog": {"namespace": "_node", "pod": "db-1", "container": "sshd", "severity": "info"}
    | {"time": AT_NS - 789, "message": "Accepted publickey", "labels": {"node": "db-1"}},
    "winston-elasticsearch": {"time": AT_NS - 456_789, "severity": "info", "message": "hello é", "pod": WHERE["pod"]},
    "log4js-logstash-http": {"time": AT_NS - 456_789, "message": "interesting é"},
    "elasticsearch-logging-handler": {"time": AT_NS - 789, "severity": "info", "message": '{"content":"hello"}'},
    "opentelemetry-collector": WHERE
    | {"time": AT_NS, "severity": "error", "message": "it broke", "span_id": "b7ad6b7169203331"},
}


@pytest.mark.parametrize("agent", RECORDED)
def test_the_recorded_shape_of_each_agent(agent: str) -> None:
    answer, decoded = send("POST", "/_bulk", (DATA / f"{agent}.ndjson").read_bytes())
    assert decoded is not None and not decoded.rejects
    assert answer.body.startswith(b'{"took":1,"errors":false,"items":[{"')
    row = records(decoded)[0]
    assert {name: row.get(name) for name in RECORDED[agent]} == RECORDED[agent]
    if "pod_id" in agent or agent in ("fluent-bit", "fluentd", "filebeat", "vector"):
        assert row["labels"]["app"] == "web"
        assert row["labels"]["node"] == "node-1"
        assert row["labels"]["pod_uid"] == "0f1e2d3c-uid"
        assert row["labels"]["image"] == "web:1"
    assert row["attributes"]["es.index"]


def test_items_stand_in_the_order_and_by_the_verbs_that_were_sent() -> None:
    told, kept = bulk(
        {"create": {"_index": "a"}},
        {"message": "1"},
        {"delete": {"_index": "a", "_id": "x"}},
        {"index": {"_id": 'q"7'}},
        {"message": "2"},
        {"update": {"_id": 9}},
        {"doc": {"message": "3"}, "doc_as_upsert": True},
        path="/b/_bulk",
    )
    assert [[*item] for item in told["items"]] == [["create"], ["delete"], ["index"], ["update"]]
    items = [next(iter(item.values())) for item in told["items"]]
    assert [item["status"] for item in items] == [201, 404, 201, 200]
    assert [item["result"] for item in items] == ["created", "not_found", "created", "updated"]
    assert [item["_index"] for item in items] == ["a", "a", "b", "b"]
    assert [item["_id"] for item in items][1:] == ["x", 'q"7', "9"]
    assert len(items[0]["_id"]) == 20
    assert told["errors"] is False
    assert [(row["message"], row["attributes"]["es.index"]) for row in kept] == [("1", "a"), ("2", "b"), ("3", "b")]


@pytest.mark.parametrize(
    "path", ["/_bulk", "/elasticsearch/_bulk", "/es/_bulk", "/es/_bulk/", "/i/_bulk", "/es/i/t/_bulk"]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_every_path_to_bulk(path: str, method: str) -> None:
    answer, decoded = send(method, path, b'{"create":{}}\n{"message":"m"}')
    [item] = json.loads(answer.body)["items"]
    assert item["create"]["_index"] == ("i" if "/i/" in path else "")
    assert decoded is not None and decoded.batch.num_rows == 1


def test_blank_lines_carriage_returns_and_a_missing_last_newline() -> None:
    answer, decoded = send(
        "POST", "/_bulk", b'\xef\xbb\xbf{"index":{}}\r\n{"message":"1"}\r\n\n \n{"index":{}}\n\n{"message":"2"}'
    )
    assert len(json.loads(answer.body)["items"]) == 2
    assert decoded is not None and decoded.batch.column("message").to_pylist() == ["1", "2"]


def test_poison_between_good_ones_is_kept_as_text_and_its_item_is_fine() -> None:
    told, kept = bulk({"create": {}}, {"message": "1"}, {"create": {}}, b'{"broken', {"create": {}}, {"message": "3"})
    assert told["errors"] is False
    assert [row["message"] for row in kept] == ["1", '{"broken', "3"]
    assert kept[1]["attributes"] == {"_ingest_error": "not JSON"}


def test_a_line_that_is_no_action_fails_alone() -> None:
    told, kept = bulk(
        {"create": {}},
        {"message": "1"},
        b"garbage",
        {"message": "lost"},
        {"create": {}},
        {"message": "2"},
        b"garbage",
        {"index": {}},
        {"message": "3"},
        {"update": {}},
        {"script": "x"},
        {"create": {}},
    )
    assert [row["message"] for row in kept] == ["1", "2", "3"]
    statuses = [next(iter(item.values()))["status"] for item in told["items"]]
    assert (told["errors"], statuses) == (True, [201, 400, 201, 400, 201, 400, 400])
    assert told["items"][1]["index"]["error"]["type"] == "illegal_argument_exception"
    assert "`doc`" in told["items"][5]["update"]["error"]["reason"]


def test_what_a_client_notes_behind_an_action_does_not_matter() -> None:
    told, kept = bulk(
        {"create": {"_index": "a"}, "attempts": 0}, {"message": "1"}, {"index": {}, "x": {}}, {"message": "2"}
    )
    assert [next(iter(item.values()))["status"] for item in told["items"]] == [201, 201]
    assert [row["message"] for row in kept] == ["1", "2"]


def test_a_document_that_is_too_long_is_an_item_with_an_error() -> None:
    told, kept = bulk(
        {"create": {}}, {"message": "x" * 200}, {"create": {}}, {"message": "m"}, limits=Limits(max_line_bytes=100)
    )
    assert [item["create"]["status"] for item in told["items"]] == [400, 201]
    assert "max_line" in told["items"][0]["create"]["error"]["reason"]
    assert [row["message"] for row in kept] == ["m"]


@pytest.mark.parametrize("body", [b"", b"\n \n", b"no\n", b'{"a":1}\n{"b":2}\n'])
def test_a_body_without_any_action_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        send("POST", "/_bulk", body)


def test_too_many_actions_are_too_large() -> None:
    with pytest.raises(TooLarge, match="max_records"):
        bulk(*[{"create": {}}, {"m": 1}] * 4, limits=Limits(max_records=3))


def test_an_answer_many_times_the_size_of_its_actions_is_too_large() -> None:
    body = b'{"index":{}}\n{}\n' * 900_000
    with pytest.raises(TooLarge, match="900,000 actions"):
        send("POST", "/_bulk", body)
    answer, _ = send("POST", "/_bulk", body, params={"filter_path": BEATS_FILTER})
    assert len(answer.body) < 2 * len(body)


def test_what_beats_and_logstash_ask_for() -> None:
    params = {"filter_path": BEATS_FILTER}
    answer, _ = send(
        "POST", "/_bulk", b'{"create":{}}\n{"message":"1"}\n{"index":{}}\n{"message":"2"}\n', params=params
    )
    assert answer.body == b'{"errors":false,"items":[{"create":{"status":201}},{"index":{"status":201}}]}'
    answer, _ = send("POST", "/_bulk", b'{"create":{}}\n{"message":"1"}\nx\n\n', params=params)
    told = json.loads(answer.body)
    assert told["errors"] is True
    assert [*told["items"][1]["index"]] == ["error", "status"]


@pytest.mark.parametrize("agent", ["fluent-bit", "fluent-bit-generate-id", "filebeat"])
@pytest.mark.parametrize(
    "wanted", ["took", "errors", "items.*._id", "-took", "**.status", "items", "took,-items", "x", "items.*.error"]
)
def test_the_answer_is_the_whole_one_filtered(agent: str, wanted: str) -> None:
    body = (DATA / f"{agent}.ndjson").read_bytes() + b'nothing\n{"create":{}}'
    whole, _ = send("POST", "/_bulk", body)
    answer, _ = send("POST", "/_bulk", body, params={"filter_path": wanted})
    assert json.loads(answer.body) == filtered(json.loads(whole.body), wanted)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("a.b", {"a": {"b": 1}}),
        ("a", {"a": {"b": 1, "c": {"b": 2}}}),
        ("*.c", {"a": {"c": {"b": 2}}}),
        ("**.b", {"a": {"b": 1, "c": {"b": 2}}, "l": [{"b": 3}]}),
        ("-a.c,-l", {"a": {"b": 1}}),
        ("a.*,-a.b", {"a": {"c": {"b": 2}}}),
        ("l.b", {"l": [{"b": 3}]}),
        ("none", {}),
    ],
)
def test_filter_path(wanted: str, kept: dict[str, Any]) -> None:
    assert filtered({"a": {"b": 1, "c": {"b": 2}}, "l": [{"b": 3}, {"d": 4}]}, wanted) == kept


@pytest.mark.parametrize("count", [1, 17, 300])
def test_documents_without_ids_get_one_each_in_their_order(count: int) -> None:
    documents = [{"create": {"_index": "a"}}, {"message": "m"}] * count
    alike = bulk(*documents)[0]["items"]
    among_others = bulk(*documents, {"delete": {"_index": "a", "_id": "x"}})[0]["items"]
    assert alike == among_others[:-1]
    ids = [item["create"]["_id"] for item in alike]
    assert len(set(ids)) == count and ids == sorted(ids)


def test_a_batch_whose_actions_all_have_ids_has_a_name() -> None:
    body = (DATA / "fluent-bit-generate-id.ndjson").read_bytes()
    names = [decoded.key for _, decoded in (send("POST", "/_bulk", body), send("PUT", "/es/_bulk", body)) if decoded]
    assert names[0] and names[0] == names[1]
    for other in (body.replace(b"000002", b"000003"), body.replace(b'"two"', b'"TWO"')):
        _, decoded = send("POST", "/_bulk", other)
        assert decoded is not None and decoded.key not in ("", names[0])
    _, decoded = send("POST", "/_bulk", body + b'{"create":{}}\n{"message":"without"}')
    assert decoded is not None and decoded.key == ""


def test_single_documents() -> None:
    for path in ("/logs/_doc", "/es/logs/_doc/7", "/logs/_create/7"):
        answer, decoded = send("POST", path, b'{\n  "message": "m",\n  "n": 1.50\n}')
        assert answer.status == 201
        assert json.loads(answer.body)["_index"] == "logs"
        assert json.loads(answer.body)["_id"] == "7" or path == "/logs/_doc"
        assert decoded is not None
        assert decoded.batch.column("attributes").to_pylist() == ['{"es.index":"logs","n":1.50}']
    with pytest.raises(InvalidInput):
        send("POST", "/logs/_doc", b"[1]")


def test_the_request_says_more_than_documents() -> None:
    _, kept = bulk(
        {"create": {}}, {"message": "m", "kubernetes": {"namespace_name": "n"}}, params={"namespace": "told"}
    )
    assert kept[0]["namespace"] == "told"


@pytest.mark.parametrize("prefix", ["", "/es", "/elasticsearch"])
@pytest.mark.parametrize(
    ("method", "path", "part"),
    [
        ("GET", "/_license", {"license": {"status": "active"}}),
        ("GET", "/_xpack", {"features": {"ilm": {"available": True}}}),
        ("GET", "/_cluster/health", {"status": "green"}),
        ("GET", "/_cat/health", []),
        ("GET", "/_nodes/_all/http", {"nodes": {}}),
        ("HEAD", "/_index_template/filebeat-8.17.0", {}),
        ("GET", "/_template/logstash", {}),
        ("PUT", "/_index_template/x", {"acknowledged": True}),
        ("PUT", "/_ilm/policy/logstash-policy", {"acknowledged": True}),
        ("PUT", "/_data_stream/logs-a-b", {"acknowledged": True}),
        ("HEAD", "/logstash", {}),
        ("PUT", "/logstash", {"acknowledged": True, "index": "logstash"}),
        ("PUT", "/<logstash-{now/d}-000001>", {"acknowledged": True}),
        ("POST", "/logs/_refresh", {"_shards": {"failed": 0}}),
    ],
)
def test_what_clients_ask_before(prefix: str, method: str, path: str, part: Any) -> None:
    answer, _ = send(method, prefix + path, b"{}")
    assert answer.status == 200
    assert answer.headers["X-Elastic-Product"] == "Elasticsearch"
    assert _has(json.loads(answer.body), part)


def _has(whole: Any, part: Any) -> bool:
    if isinstance(part, dict) and part:
        return all(_has(whole[key], value) for key, value in part.items())
    return bool(whole == part) or part == {}


def test_searching_is_not_supported_and_says_so_as_json() -> None:
    answer, _ = send("POST", "/logs/_search", b"{}")
    assert answer.status == 501
    assert "/api/v1/query" in json.loads(answer.body)["error"]["reason"]


@pytest.mark.parametrize(
    ("headers", "is_asked"),
    [
        ({"accept": "application/vnd.elasticsearch+json; compatible-with=9"}, True),
        ({"user-agent": "opensearch-py/3.2.0 (Python 3.11)", "accept": "*/*"}, True),
        ({"user-agent": "Elastic-filebeat/8.17.0 (linux)"}, True),
        ({"user-agent": "Mozilla/5.0", "accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, False),
        ({"user-agent": "curl/8", "accept": "*/*"}, False),
    ],
)
def test_the_root_is_elasticsearch_for_its_clients_and_a_page_for_people(
    headers: dict[str, str], is_asked: bool
) -> None:
    assert (MOUNTS.find(Head("GET", "/", headers=headers)) is not None) is is_asked
    for path in ("/es", "/es/", "/elasticsearch", "/elasticsearch/"):
        answer, _ = send("GET", path, headers=headers)
        assert json.loads(answer.body)["version"]["build_flavor"] == "default"


def test_a_beat_is_told_its_own_version_and_a_versioned_type_is_echoed() -> None:
    headers = {"user-agent": "Elastic-filebeat/9.4.1 (linux; amd64)", "accept": "application/json"}
    assert json.loads(send("GET", "/", headers=headers)[0].body)["version"]["number"] == "9.4.1"
    headers = {"accept": "application/vnd.elasticsearch+json; compatible-with=9"}
    assert send("GET", "/", headers=headers)[0].media_type == "application/vnd.elasticsearch+json;compatible-with=9"


@pytest.mark.parametrize("status", [400, 401, 413, 429, 503])
def test_refusals_have_elasticsearchs_form(status: int) -> None:
    answer = PROTOCOL.refuse(Head(), Refusal(status, "why"))
    told = json.loads(answer.body)
    assert (answer.status, told["status"], told["error"]["reason"]) == (status, status, "why")
    assert told["error"]["root_cause"][0]["type"] == told["error"]["type"]


def test_paths_of_others_stay_theirs() -> None:
    found = MOUNTS.find(Head("POST", "/api/v1/logs"))
    assert found is not None and found.mount.protocol is native.PROTOCOL
    assert MOUNTS.find(Head("GET", "/metrics")) is None
    assert MOUNTS.methods("/nothing") == ()


@pytest.mark.parametrize("path", ["//_bulk", "/es//_bulk", "/elasticsearch///_bulk", "/es//logs/_bulk"])
def test_several_slashes_are_one(path: str) -> None:
    """As an agent that appends `/_bulk` to a path which ends with a slash sends them."""
    found = MOUNTS.find(Head("POST", path))
    assert found is not None and found.mount.protocol.name == "elasticsearch"
    assert "POST" in MOUNTS.methods(path)


PIECES = st.sampled_from(
    [
        *(
            b'{"create":{"_index":"a"}}',
            b'{"index":{"_id":"1"}}',
            b'{"delete":{}}',
            b'{"update":{}}',
            b'{"doc":{"a":1}}',
        ),
        *(b'{"message":"m"}', b"\r", b"", b"{", b"[1]", b'{"create":{"_id":"\\ud800","_index":"\\ud800"}}'),
        *(b"\xef\xbb\xbf", b"null"),
    ]
)


@given(
    st.lists(PIECES | st.binary(max_size=20), max_size=12), st.sampled_from(["", BEATS_FILTER, "items.*._id", "took"])
)
def test_no_bytes_do_harm(lines: list[bytes], wanted: str) -> None:
    try:
        answer, decoded = send("POST", "/i/_bulk", b"\n".join(lines), params={"filter_path": wanted})
    except InvalidInput:
        return
    assert decoded is not None
    told = json.loads(answer.body)
    if not wanted:
        statuses = [next(iter(item.values()))["status"] for item in told["items"]]
        assert sum(status in (200, 201) for status in statuses) == decoded.batch.num_rows
        assert told["errors"] is (400 in statuses)
    assert pa.types.is_string(decoded.batch.column("message").type)
