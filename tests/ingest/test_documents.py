"""Documents of agents: identity lifted out of them, everything else as POST /api/v1/logs takes it."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import memory_bytes
from ingest.documents import decode
from ingest.places import PLACES_MAX_BYTES
from ingest.placing import Groups
from ingest.protocols import native
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import TooLarge
from logstore.record import SCHEMA
from tests.ingest.decoded import records
from tests.ingest.test_identity import AGENTS, ID

NOW_NS = 1_790_000_000_123_456_789
WHERE = {"cluster": "default", "namespace": "shop", "pod": "web-7d4b9c-x2x", "container": "app"}


def read(
    *documents: Any, head: Head | None = None, limits: Limits | None = None, groups: Groups | None = None
) -> Decoded:
    lines = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in documents)
    decoded = decode(lines, Request(b"", NOW_NS, head or Head(), limits or Limits()), groups)
    decoded.batch.validate(full=True)
    assert decoded.batch.schema == SCHEMA
    return decoded


def one(document: Any, **options: Any) -> dict[str, Any]:
    [row] = records(read(document, **options))
    return row


def test_a_document_of_fluent_bit() -> None:
    row = one(
        {
            "@timestamp": "2026-03-01T12:00:00.123Z",
            "time": "2026-03-01T12:00:00.123456789Z",
            "stream": "stderr",
            "_p": "F",
            "log": "it broke\n",
            "kubernetes": AGENTS["Fluent Bit"]["kubernetes"] | {"annotations": {"a": "b"}, "container_hash": "h"},
            "user": 7,
        }
    )
    assert row == WHERE | {
        "time": 1_772_366_400_123_456_789,
        "stream": "stderr",
        "message": "it broke",
        "labels": {"app": "web", "app.kubernetes.io/name": "web", "container_id": ID, "image": "web:1"}
        | {"node": "node-1", "pod_uid": "uid-1"},
        "attributes": {"kubernetes": {"annotations": {"a": "b"}, "container_hash": "h"}, "_p": "F", "user": 7},
    }


def test_a_document_of_filebeat() -> None:
    row = one(
        {
            "@timestamp": "2026-03-01T12:00:00.123Z",
            "@metadata": {"beat": "filebeat"},
            "message": "it broke",
            "log": {"offset": 12345678901234567890, "file": {"path": "/var/log/containers/x.log"}, "level": "WARN"},
            "stream": "stdout",
            "input": {"type": "container"},
            "agent": {"type": "filebeat", "version": "8.17.0"},
            "host": {"name": "node-1"},
            "trace": {"id": "t"},
            "fields": {"cluster": "prod", "team": "blue"},
            **AGENTS["Filebeat"],
        }
    )
    assert (row["cluster"], row["namespace"], row["pod"], row["container"]) == ("prod", *list(WHERE.values())[1:])
    assert (row["severity"], row["trace_id"], row["message"], row["stream"]) == ("warn", "t", "it broke", "stdout")
    assert row["labels"]["agent"] == "filebeat"
    assert row["attributes"]["log"]["offset"] == 12345678901234567890
    assert row["attributes"]["agent"] == {"version": "8.17.0"}
    assert row["attributes"]["fields"]["team"] == "blue"
    assert "kubernetes" not in row["attributes"]


@pytest.mark.parametrize("agent", [name for name in AGENTS if name != "Filebeat"])
def test_every_agents_way_of_saying_it(agent: str) -> None:
    row = one({"message": "m", **AGENTS[agent]})
    assert row.items() >= WHERE.items()
    assert row["labels"]["app.kubernetes.io/name"] == "web"
    assert row["labels"]["node"] == "node-1"
    assert "attributes" not in row


def test_a_tag_tells_the_container() -> None:
    row = one({"message": "m", "tag": f"kube.var.log.containers.web-7d4b9c-x2x_shop_app-{ID}.log"})
    assert row.items() >= WHERE.items()


def test_an_applications_own_host_is_not_the_node() -> None:
    row = one({"message": "m", "host": "example.com", "kubernetes": {"pod_name": "p", "host": "n"}})
    assert (row["labels"], row["attributes"]) == ({"node": "n"}, {"host": "example.com"})
    assert one({"message": "m", "host": "n"})["labels"] == {"node": "n"}


def test_what_an_application_may_call_so_itself_is_not_taken_from_it() -> None:
    own = {
        "path": "/api/items",
        "source": "import",
        "agent": "Mozilla/5.0",
        "resource": "/cart",
        "tag": "v1",
        "comm": "x",
    }
    row = one({"message": "m", "container_name": "web", **own})
    assert (row["container"], row["attributes"]) == ("web", own)
    assert "labels" not in row


def test_what_the_application_says_yields_to_the_agent_and_stays() -> None:
    row = one({"message": "m", "namespace": "com.acme", "kubernetes": {"namespace_name": "shop"}})
    assert (row["namespace"], row["attributes"]) == ("shop", {"namespace": "com.acme"})


def test_the_request_says_more_than_its_documents() -> None:
    head = Head(params={"namespace": "told"}, headers={"logstore-cluster": "east"})
    row = one({"message": "m", **AGENTS["Vector"]}, head=head)
    assert (row["cluster"], row["namespace"], row["pod"]) == ("east", "told", WHERE["pod"])


@pytest.mark.parametrize(
    ("document", "time_ns", "rest"),
    [
        ({"@timestamp": "2026-03-01T12:00:00.123456789Z"}, 1_772_366_400_123_456_789, {}),
        ({"@timestamp": 1_772_366_400_123, "time": 5}, 1_772_366_400_123_000_000, {"time": 5}),
        ({"@timestamp": "2026-03-01T12:00:00.123Z", "time": "12:00"}, 1_772_366_400_123_000_000, {"time": "12:00"}),
        ({"timestamp": "2026-03-01T12:00:00.123456789Z"}, 1_772_366_400_123_456_789, {}),
        ({"@timestamp": "2026-03-01T12:00:00.123456"}, 1_772_366_400_123_456_000, {}),
        ({"timestamp": "2026-03-01 12:00:00,123"}, 1_772_366_400_123_000_000, {}),
        ({"@timestamp": "2026-03-01T12:00:00"}, 1_772_366_400_000_000_000, {}),
        ({"@timestamp": "2026-03-01T12:00:00."}, NOW_NS, {"_time": "2026-03-01T12:00:00."}),
        ({"@timestamp": "2026-03-01T12:00"}, NOW_NS, {"_time": "2026-03-01T12:00"}),
        ({"datetime": "2026-03-01T12:00:00.123456+00:00"}, 1_772_366_400_123_456_000, {}),
        ({"datetime": "noon", "ts": 5}, 5_000_000_000, {"datetime": "noon"}),
        ({"datetime": "noon"}, NOW_NS, {"datetime": "noon"}),
        ({"datetime": {"date": "noon"}}, NOW_NS, {"datetime": {"date": "noon"}}),
        ({"Timestamp": "2026-03-01T12:00:00.5Z"}, 1_772_366_400_500_000_000, {}),
        ({"ts": "noon"}, NOW_NS, {"_time": "noon"}),
        ({"time": "2026-03-01T12:00:00Z", "ts": "noon"}, 1_772_366_400_000_000_000, {"ts": "noon"}),
    ],
)
def test_times(document: dict[str, Any], time_ns: int, rest: dict[str, Any]) -> None:
    row = one({"message": "m"} | document)
    assert (row["time"], row.get("attributes", {})) == (time_ns, rest)


def test_fields_may_hold_an_agents_words_or_an_applications() -> None:
    row = one(
        {"level": "INFO", "fields": {"message": "hello", "host": "example.com", "n": 1, "k8s": {"pod.name": "p"}}}
    )
    assert (row["message"], row["severity"], row["attributes"]["fields"]["host"]) == ("hello", "info", "example.com")
    assert (
        one({"message": "m", "fields": {"cluster": "c", "pod": {"name": "p"}}}).items()
        >= {
            "cluster": "c",
            "pod": "p",
        }.items()
    )


@pytest.mark.parametrize("more", [{}, {"time": "12:00"}, {"kubernetes": {"pod_name": "web-0"}}])
def test_a_document_of_a_line_without_text_has_an_empty_message(more: dict[str, Any]) -> None:
    """Fluent Bit's and Fluentd's parsers of CRI leave the message out."""
    assert "message" not in one({"stream": "stdout", "logtag": "F"} | more)
    assert one({"stream": "stdout", "logtag": "F", "n": 7})["message"] == '{"logtag":"F","n":7}'


def test_a_document_without_a_message_says_what_is_its_own() -> None:
    row = one({"@timestamp": "2026-03-01T12:00:00Z", "event_id": 7, "ok": True, **AGENTS["Vector"]})
    assert row["message"] == '{"event_id":7,"ok":true}'
    assert one({"MESSAGE": "from the journal", "PRIORITY": "3", "_SYSTEMD_UNIT": "a.service", "_HOSTNAME": "n"}) == {
        "time": NOW_NS,
        "cluster": "default",
        "namespace": "_node",
        "pod": "n",
        "container": "a.service",
        "severity": "error",
        "message": "from the journal",
        "labels": {"node": "n"},
        "attributes": {"_SYSTEMD_UNIT": "a.service", "PRIORITY": "3"},
    }


def test_poison_is_kept_as_it_is_between_its_neighbours() -> None:
    deep = b'{"a":' * 200 + b"1" + b"}" * 200
    decoded = read({"message": "1"}, b"no json", b"[1]", b"", b'{"message":"2"} x', deep, b"\xff\\", {"message": "3"})
    found = records(decoded)
    assert (decoded.rejects, decoded.unread) == ((), 5)
    assert [row["message"] for row in found] == [
        "1",
        "no json",
        "[1]",
        '{"message":"2"} x',
        deep.decode(),
        "\\xff\\\\",
        "3",
    ]
    assert [row.get("attributes", {}).get("_ingest_error") for row in found] == [
        None,
        "not JSON",
        "not a JSON object",
        "text after the document",
        "nested deeper than 128 levels",
        "not JSON",
        None,
    ]
    assert found[5]["attributes"]["_escape"] == "backslash"


def test_values_that_cannot_be_are_set_aside() -> None:
    row = one({"message": "m", "time": "noon", "namespace": "n" * 254, "pod": "p", "a": 1})
    assert (row["namespace"], row["pod"], row["time"]) == ("default", "p", NOW_NS)
    assert row["attributes"] == {"_time": "noon", "_namespace": "n" * 254, "a": 1}
    lifted = one({"message": "m", "kubernetes": {"pod_name": "p" * 300}})
    assert (lifted["pod"], lifted["labels"]) == ("p" * 253, {"_pod": "p" * 300})


def test_only_what_is_too_long_is_rejected() -> None:
    decoded = read({"message": "1"}, {"message": "x" * 100}, {"message": "2"}, limits=Limits(max_line_bytes=80))
    assert [row["message"] for row in records(decoded)] == ["1", "2"]
    assert [(reject.line, "max_line" in reject.error) for reject in decoded.rejects] == [(2, True)]


def test_too_many_lines_are_too_large() -> None:
    for line in ({"message": "m"}, b"x"):
        with pytest.raises(TooLarge, match="more than 4 "):
            read(*[line] * 5, limits=Limits(max_records=4))
    assert len(read(*[{"message": "m"}] * 5, limits=Limits(max_singles=4)).batch) == 5
    with pytest.raises(TooLarge, match="more than 4 lines that are no documents"):
        read(*[b"x"] * 5, limits=Limits(max_singles=4))


def test_groups_give_their_records_attributes() -> None:
    groups = Groups(np.array([0, 1, 0, 1]), [{"es.index": "a"}, {}])
    decoded = read({"message": "1"}, {"message": "2"}, b"no", {"message": "4", "x": 1}, groups=groups)
    attributes = [row.get("attributes", {}) for row in records(decoded)]
    assert attributes == [{"es.index": "a"}, {}, {"_ingest_error": "not JSON", "es.index": "a"}, {"x": 1}]


def test_numbers_stand_as_they_were_written() -> None:
    decoded = read(
        b'{"message":"m","kubernetes":{"pod_name":7,"odd":1.50,"big":123456789012345678901234567890},"n":1.50}'
    )
    [attributes] = decoded.batch.column("attributes").to_pylist()
    assert attributes == '{"kubernetes":{"odd":1.50,"big":123456789012345678901234567890},"n":1.50}'
    assert records(decoded)[0]["pod"] == "7"


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.text(max_size=3).filter(lambda key: key.lower().strip("_-") not in ("id", "uid"))  # `pod.id` is metadata
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
OWN = st.dictionaries(st.sampled_from(["user", "a.b", "level", "stream", "pod", "labels", "attributes", "é"]), VALUES)
PLACES = st.fixed_dictionaries(
    {},
    optional={
        "kubernetes": st.dictionaries(st.sampled_from(["pod_name", "namespace_name", "labels", "host", "x"]), VALUES),
        "log": VALUES,
        "k8s.pod.name": SCALARS,
        "host": VALUES,
        "trace": st.fixed_dictionaries({}, optional={"id": SCALARS}),
        "@timestamp": st.sampled_from(["2026-03-01T12:00:00.001Z", "noon", 7, None]),
        "time": st.sampled_from(["2026-03-01T12:00:00.001234Z", "noon", 7, None]),
    },
)


@given(st.lists(st.tuples(OWN, SCALARS), min_size=1, max_size=6))
def test_documents_without_metadata_are_as_posted(documents: list[tuple[dict[str, Any], Any]]) -> None:
    lines = [json.dumps(own | {"message": message}).encode() for own, message in documents]
    posted = native.decode(Request(b"\n".join(lines), NOW_NS))
    if not posted.rejects:
        assert records(read(*lines)) == records(posted)


@given(st.lists(st.tuples(OWN, PLACES), min_size=1, max_size=6))
def test_a_document_is_the_same_alone_and_among_others(documents: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    whole = [own | places for own, places in documents]
    together = records(read(*whole))
    assert together == [one(document) for document in whole]


@given(
    st.binary(max_size=300), st.lists(st.sampled_from([b'{"kubernetes":{', b'"log":', b"{}", b"\n", b'{"message":1}']))
)
def test_no_bytes_do_harm(noise: bytes, pieces: list[bytes]) -> None:
    lines = b"".join(pieces) + noise + b"".join(pieces)
    decoded = decode(lines, Request(b"", NOW_NS))
    decoded.batch.validate(full=True)
    assert decoded.batch.num_rows == sum(1 for line in lines.split(b"\n") if line.strip(b" \t\r"))


def test_what_metadata_tells_is_remembered_up_to_a_bound() -> None:
    before_bytes = memory_bytes()
    for number in range(200):
        word = f"{number:03}" * 300_000
        assert one({"message": "x", "stream": word})["stream"].startswith(f"{number:03}")
        told = one({"message": "x", "kubernetes": {"pod_name": "p", "other": word}})
        assert told["attributes"]["kubernetes"]["other"] == word
    assert memory_bytes() - before_bytes < 4 * PLACES_MAX_BYTES  # of 1 GB that was told
