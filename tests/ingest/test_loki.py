"""Loki pushes, decoded: protobuf as Go agents write it, JSON of today and of before, and what is neither."""

import contextlib
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.identity_table import read_table
from ingest.protocols import loki
from ingest.protocols.loki import json_form
from ingest.protocols.loki.labels import parse_labels
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import InvalidInput, LogstoreError, TooLarge
from tests.ingest.decoded import rows_of
from tests.ingest.pushes import Entry, Stream, push, snappy

DATA = Path(__file__).parents[1] / "data" / "loki"
NOW_NS = 1_800_000_000_000_000_000
TIME_NS = 1_780_000_000_123_456_789
JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}


def decoded(body: bytes, headers: dict[str, str], **limits: int) -> Decoded:
    head = Head("POST", "/loki/api/v1/push", {}, headers)
    bounds = Limits(**{"max_body_bytes": 1 << 20, **limits})
    return loki.decode(Request(loki.inflate(body, head, bounds.max_body_bytes), NOW_NS, head, bounds))


def records(body: bytes, headers: dict[str, str]) -> list[dict[str, Any]]:
    return rows_of(decoded(body, headers))


def values(*entries: Any, **labels: Any) -> bytes:
    return json.dumps({"streams": [{"stream": labels or {"job": "api"}, "values": entries}]}).encode()


PUSH = push(
    Stream(
        '{namespace="shop", pod="web-0",container="app", stream="stderr", level="warn", job="api"}',
        (
            Entry(TIME_NS, b"first", {"user": "7", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}),
            Entry(TIME_NS + 1, b"second \xff"),
        ),
    ),
    Stream('{job="other"}', (Entry(TIME_NS, b"third", {"pod": "web-1", "level": "error"}),)),
)


@pytest.mark.parametrize("headers", [PROTOBUF, {**PROTOBUF, "content-encoding": "snappy"}, {}, {"content-type": "x/y"}])
def test_protobuf_is_a_block_of_snappy_whatever_its_head_says(headers: dict[str, str]) -> None:
    first, second, third = records(snappy(PUSH), headers)
    assert (first["namespace"], first["pod"], first["container"], first["stream"]) == ("shop", "web-0", "app", "stderr")
    assert (first["time"], first["severity"], first["message"]) == (TIME_NS, "warn", "first")
    assert first["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (first["labels"], first["attributes"]) == ({"job": "api"}, {"user": "7"})
    assert (second["time"], second["message"]) == (TIME_NS + 1, "second \\xff")
    assert second["attributes"] == {"_escape": "backslash"}
    assert (third["pod"], third["severity"], third["labels"]) == ("web-1", "error", {"job": "other"})


@pytest.mark.parametrize("is_json", [True, False])
def test_a_level_that_says_more_than_the_severity_stays_a_label_or_metadata(is_json: bool) -> None:
    entries = (Entry(TIME_NS, b"of its stream"), Entry(TIME_NS, b"of its own", {"level": "CRITICAL"}))
    listed = [[str(TIME_NS), "of its stream"], [str(TIME_NS), "of its own", {"level": "CRITICAL"}]]
    labels = {"job": "api", "level": "NOTICE"}
    body = values(*listed, **labels) if is_json else snappy(push(Stream('{job="api", level="NOTICE"}', entries)))
    first, second = records(body, JSON if is_json else PROTOBUF)
    assert (first["severity"], first["labels"]) == ("info", labels)
    assert (second["severity"], second["labels"], second["attributes"]) == ("fatal", labels, {"level": "CRITICAL"})


@pytest.mark.parametrize(
    ("metadata", "labels", "attributes"),
    [
        ({"pod_name": "a", "docker_id": "x", "host": "n", "labels": '{"app":"w"}', "b": "1"}, {"app": "w"}, {"b": "1"}),
        ({"pod_name": "a", "docker_id": "x", "labels": "none", "host": "n"}, {}, {"labels": "none"}),
        ({"pod_name": "a", "host": "n", "x": '"docker_id":"y"'}, None, {"host": "n", "x": '"docker_id":"y"'}),
        ({"docker_id": "x", "host": "n"}, None, {"docker_id": "x", "host": "n"}),
        ({"pod_name": "a", "host": "n", "labels": "{}"}, None, {"host": "n", "labels": "{}"}),
    ],
)
def test_metadata_that_is_an_agents_object_taken_apart(metadata: Any, labels: Any, attributes: Any) -> None:
    body = values([str(TIME_NS), "x", {"user": "7"}], [str(TIME_NS), "y", metadata], [str(TIME_NS), "z"])
    first, found, last = records(body, JSON)
    known = {"job": "api"} if labels is None else {"job": "api", "node": "n", "container_id": "x", **labels}
    assert (found["message"], found["labels"], found["attributes"]) == ("y", known, attributes)
    assert (first["labels"], first["attributes"], last["labels"]) == ({"job": "api"}, {"user": "7"}, {"job": "api"})


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("", bytes),
        ("gzip", gzip.compress),
        ("zstd", zstandard.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("snappy", snappy),
    ],
)
@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", ""])
def test_json_comes_in_any_coding(coding: str, encode: Any, media_type: str) -> None:
    body = values([str(TIME_NS), "line", {"user": "7"}])
    (record,) = records(encode(body), {"content-type": media_type, "content-encoding": coding})
    assert (record["time"], record["message"], record["attributes"]) == (TIME_NS, "line", {"user": "7"})


def test_the_old_shape_of_json() -> None:
    entries = [{"ts": "2026-05-28T20:26:40.123456789Z", "line": "a"}, {"ts": str(TIME_NS), "line": "b"}]
    body = json.dumps({"streams": [{"labels": '{job="api",pod="p"}', "entries": entries}]}).encode()
    first, second = records(body, JSON)
    assert (first["pod"], first["labels"], first["message"]) == ("p", {"job": "api"}, "a")
    assert first["time"] == second["time"] == TIME_NS


def test_numbers_are_taken_where_loki_wants_strings() -> None:
    (record,) = records(values([TIME_NS, 5, {"n": 1.5, "b": True, "o": {"x": [1]}}], job="api", replica=3), JSON)
    assert (record["time"], record["message"], record["labels"]) == (TIME_NS, "5", {"job": "api", "replica": "3"})
    assert record["attributes"] == {"n": 1.5, "b": True, "o": {"x": [1]}}


def test_json_with_bytes_that_are_not_utf8_loses_none() -> None:
    body = values([str(TIME_NS), "bad X é \\"]).replace(b"X", b"\xff")
    (record,) = records(body, JSON)
    assert (record["message"], record["attributes"]) == ("bad \\xff é \\\\", {"_escape": "backslash"})


def test_what_is_no_entry_is_stored_as_it_came() -> None:
    body = values([str(TIME_NS), "good"], 7, ["soon", "late"], None, {"x": 1}, [str(TIME_NS), "also good"])
    good, number, late, other, also = records(body, JSON)
    assert [r["message"] for r in (good, number, late, other, also)] == ["good", "7", "late", '{"x":1}', "also good"]
    assert "nanoseconds" in number["attributes"]["_ingest_error"]
    assert (late["time"], late["attributes"]["_time"]) == (NOW_NS, "soon")
    assert good["attributes"] == also["attributes"] == {}


def test_a_stream_whose_labels_cannot_be_read_harms_nobody() -> None:
    body = snappy(push(Stream("nonsense", (Entry(TIME_NS, b"a"),)), Stream('{job="api"}', (Entry(TIME_NS, b"b"),))))
    bad, good = records(body, PROTOBUF)
    assert (bad["message"], bad["labels"]["_labels"]) == ("a", "nonsense")
    assert "braces" in bad["labels"]["_ingest_error"]
    assert (good["labels"], good["attributes"]) == ({"job": "api"}, {})


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{}", {}),
        ('{a="b"}', {"a": "b"}),
        ('{a="b",c="d"}', {"a": "b", "c": "d"}),
        (' { a = "b" , c="d", } ', {"a": "b", "c": "d"}),
        (r'{a="q\" \\ \n \t \x41 \u00e9 \U0001F600 \101 \xc3\xa9"}', {"a": 'q" \\ \n \t A é 😀 A é'}),
        (r'{a="\ud800 \U00110000 \q"}', {"a": "? \ufffd q"}),
        ('{a=`raw \\n`,"b.c"="d",e-f="}"}', {"a": "raw \\n", "b.c": "d", "e-f": "}"}),
        ('{a="1",a="2"}', {"a": "2"}),
    ],
)
def test_labels_as_text(text: str, labels: dict[str, str]) -> None:
    assert parse_labels(text) == labels


@pytest.mark.parametrize("text", ["", "{", 'a="b"', "{a}", "{a=b}", '{a="b" c="d"}', '{a="b}', '{a=~"b"}', '{,a="b"}'])
def test_what_is_no_labels(text: str) -> None:
    with pytest.raises(InvalidInput, match="labels"):
        parse_labels(text)


@pytest.mark.parametrize("recorded", sorted(DATA.glob("*.body")), ids=lambda path: path.stem)
def test_recorded_requests(recorded: Path) -> None:
    headers = json.loads(recorded.with_suffix(".head.json").read_text())["headers"]
    assert records(recorded.read_bytes(), headers) == json.loads(recorded.with_suffix(".json").read_text())


@pytest.mark.parametrize("client", ["pino-loki", "python-logging-loki-1", "winston-loki-json"])
def test_json_of_clients_is_read_in_the_kernel(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_form, "decode_exactly", None)
    assert decoded((DATA / f"{client}.body").read_bytes(), JSON).batch.num_rows


def test_a_table_of_ones_own_counts_for_labels_and_metadata(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text("words: {namespace: [team.name]}\n")
    head = Head(headers=PROTOBUF)
    body = push(Stream('{team_name="blue"}', (Entry(TIME_NS, b"a"), Entry(TIME_NS, b"b", {"team.name": "red"}))))
    found = loki.decode(Request(body, NOW_NS, head, identity=read_table(file)))
    assert [record["namespace"] for record in rows_of(found)] == ["blue", "red"]


def test_what_loki_answers() -> None:
    head = Head("POST", "/loki/api/v1/push", {}, JSON)
    good = loki.answer(Request(b"", NOW_NS, head), decoded(values([str(TIME_NS), "a"]), JSON))
    assert (good.status, good.body) == (204, b"")
    partly = decoded(values([str(TIME_NS), "a"], [str(TIME_NS), "too long"]), JSON, max_line_bytes=4)
    assert partly.batch.num_rows == 1
    told = loki.answer(Request(b"", NOW_NS, head), partly)
    assert (told.status, told.media_type) == (400, "text/plain; charset=utf-8")
    assert told.body == b"1 entries are stored, 1 are not: entry 2: 8 bytes, over the limit of 4 (max_line)\n"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", PROTOBUF),
        (snappy(b""), PROTOBUF),
        (snappy(b"\xff\xff"), PROTOBUF),
        (b"no snappy", PROTOBUF),
        (b"{}", JSON),
        (b'{"streams": []}', JSON),
        (b'{"streams": 7}', JSON),
        (b"[" * 100_000, JSON),
        (b"not json", JSON),
        (b"{}", {"content-encoding": "br"}),
    ],
)
def test_a_body_that_is_no_push_is_refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        decoded(body, headers)


def test_a_large_body_is_refused_before_it_is_inflated() -> None:
    with pytest.raises(TooLarge, match="max_body"):
        decoded(snappy(bytes(2 << 20)), PROTOBUF)


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["streams", "stream", "values", "labels", "entries", "ts", "line"]), inner)
    ),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_any_json_is_records_or_refused(value: Any) -> None:
    check(json.dumps({"streams": value}).encode(), JSON)
    check(json.dumps({"streams": [{"stream": value, "values": value}]}).encode(), JSON)
    check(json.dumps({"streams": [{"labels": value, "entries": [[value, value, value]]}]}).encode(), JSON)


@given(st.binary(max_size=100), st.integers(0, len(PUSH)), st.sampled_from([JSON, PROTOBUF, {}]))
def test_any_bytes_are_records_or_refused(body: bytes, at: int, headers: dict[str, str]) -> None:
    check(body, headers)
    check(snappy(PUSH[:at] + body + PUSH[at + len(body) :]), headers)


NAMES = st.sampled_from(
    ["namespace", "pod", "level", "trace_id", "traceID", "spanid", "k8s.pod.name", "user", 'q"', "é"]
)
PAIRS = st.dictionaries(NAMES, st.text(max_size=5) | st.sampled_from(["warn", "", "x"]), max_size=4)
ENTRIES = st.lists(st.tuples(st.integers(0, 2 * NOW_NS), st.text(max_size=8), PAIRS), max_size=4)


@given(st.lists(st.tuples(PAIRS, ENTRIES), max_size=3), st.booleans())
def test_all_forms_say_the_same(streams: list[Any], is_ascii: bool) -> None:
    told = [
        {"stream": labels, "values": [[str(time_ns), line, metadata] for time_ns, line, metadata in entries]}
        for labels, entries in streams
    ]
    body = json.dumps({"streams": told}, ensure_ascii=is_ascii).encode()
    exactly = rows_of(json_form.decode_exactly(Request(body, NOW_NS, Head(headers=JSON))))
    assert rows_of(json_form.decode(Request(body, NOW_NS, Head(headers=JSON)))) == exactly
    as_protobuf = push(
        *(
            Stream(
                "{"
                + ",".join(
                    f"{json.dumps(name)}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()
                )
                + "}",
                tuple(Entry(time_ns, line.encode(), metadata) for time_ns, line, metadata in entries),
            )
            for labels, entries in streams
        )
    )
    if exactly and all(time_ns for _, entries in streams for time_ns, *_ in entries):
        found = rows_of(decode_protobuf(as_protobuf))
        assert [_spelt(record) for record in found] == [_spelt(record) for record in exactly]


def decode_protobuf(body: bytes) -> Decoded:
    return loki.decode(Request(body, NOW_NS, Head(headers=PROTOBUF)))


def _spelt(record: dict[str, Any]) -> dict[str, Any]:
    """Control characters that Go's strings spell otherwise than JSON's do not count here."""
    return {**record, "labels": {}}


def check(body: bytes, headers: dict[str, str]) -> None:
    with contextlib.suppress(LogstoreError):
        decoded(body, headers).batch.validate(full=True)
