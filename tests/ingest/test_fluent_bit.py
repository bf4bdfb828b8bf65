"""What Fluent Bit 5.1.1 sent from each of its outputs, byte for byte (tests/data/fluent-bit), as records.

It read two lines of a container's file in CRI's format, one in Docker's, and one of a file that no pod wrote, put
Kubernetes metadata on the first three, and was configured as its documentation shows. How these were recorded stands in
tests/data/fluent-bit/README.md.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from ingest.conversation import Conversation, Frame
from ingest.lines import lines
from ingest.lines_asked import Asked, formats_of
from ingest.protocols import PROTOCOLS, datadog, forward, gelf, syslog
from ingest.request import Decode, Decoded, Head, Request
from tests.ingest.decoded import records

DATA: Final = Path(__file__).parents[1] / "data" / "fluent-bit"
NOW_NS: Final = 1_795_900_000_000_000_000
AT_NS: Final = 1_795_896_000_000_000_000
JSON_LINE: Final = (
    '{"level":"error","msg":"json line","n":5,"big":9007199254740993,"f":2.5,'
    '"nested":{"a":[1,2.5,true,null]},"user":"ann"}'
)
TIMES: Final = {"plain line one": 123_456_789, JSON_LINE: 1_123_456_790, "from docker": 2_223_456_789}
STREAMS: Final = {"plain line one": "stdout", JSON_LINE: "stderr", "from docker": "stdout"}
LABELS: Final = {"node": "node-1", "image": "reg.io/app:1.2", "pod_uid": "uid-web-1", "container_id": "a1" * 32}
LEFT: Final = {
    "annotations": {"note.io/x": "y", "checksum/config": "123"},
    "pod_ip": "10.1.1.1",
    "container_hash": "reg.io/app@sha256:abc",
}


EVERYTHING: Final = (
    *("loki-default", "elasticsearch", "otlp", "forward", "splunk", "splunk-raw", "http-json", "http-msgpack"),
    *("datadog", "gcp", "gelf"),
)


def content(request: dict[str, Any], name: str) -> bytes:
    body = request[name]
    return base64.b64decode(body["base64"]) if isinstance(body, dict) else body.encode()


def decoded(recorded: str) -> Iterator[Decoded]:
    """What the protocols make of each request, or connection."""
    for request in json.loads((DATA / f"{recorded}.json").read_text()):
        if "path" in request:
            head = Head("POST", request["path"], {}, request["headers"])
            [take] = [take for protocol in PROTOCOLS for take in protocol.takes if head.path in take.patterns]
            yield take.decode(Request(content(request, "body"), NOW_NS, head))
        else:
            conversation, decode = STREAMED[recorded]
            items = [*conversation().feed(content(request, "stream"))]
            body = b"".join(item.body for item in items if isinstance(item, Frame))
            yield decode(Request(body, NOW_NS))


STREAMED: Final[dict[str, tuple[Callable[[], Conversation], Decode]]] = {
    "forward": (lambda: forward.begin(1 << 20, None, "here", os.urandom)("10.0.0.1"), forward.TAKE.decode),
    "gelf": (lambda: gelf.conversation("10.0.0.1", 1 << 20), gelf.decode_messages),
    "syslog-rfc5424": (lambda: syslog.conversation("10.0.0.1", 1 << 20), syslog.decoder()),
}


def stored(one: Decoded) -> list[dict[str, Any]]:
    batch = lines(one.batch, Asked(formats_of("auto")), now_ns=NOW_NS, max_line_bytes=1 << 20)
    return records(Decoded(batch))


def found(recorded: str) -> dict[str, dict[str, Any]]:
    """The records as they are stored, by their messages."""
    every = [record for one in decoded(recorded) for record in stored(one)]
    assert len(every) == 4
    return {record["message"]: record for record in every}


@pytest.mark.parametrize("recorded", EVERYTHING)
def test_the_record_of_a_container_is_whole(recorded: str) -> None:
    records = found(recorded)
    assert records.keys() == {*TIMES, "plain file"}
    for message, after_ns in TIMES.items():
        record = records[message]
        pod, container = ("cart-7d9f", "cart") if message == "from docker" else ("web-1", "app")
        assert (record["namespace"], record["pod"], record["container"]) == ("shop", pod, container)
        assert record["time"] == AT_NS + after_ns
        assert record.get("stream") == (None if recorded == "gcp" else STREAMS[message])
    assert records["plain line one"]["labels"].items() >= (LABELS | {"app": "app"}).items()


@pytest.mark.parametrize("recorded", sorted({*EVERYTHING} - {"gelf"}))
def test_what_tells_nothing_of_its_place_is_an_attribute(recorded: str) -> None:
    record = found(recorded)["plain line one"]
    of_output = ("tag", "es.index")
    attributes = {name: value for name, value in record["attributes"].items() if name not in of_output}
    assert attributes == {"kubernetes": LEFT, "_p": "F"}


def test_datadogs_logs_are_read_alike_one_by_one() -> None:
    """Where something in a body is unusual, such as an empty log."""
    requests = json.loads((DATA / "datadog.json").read_text())
    for request in requests:
        body = content(request, "body")
        usual, unusual = (datadog.decode(Request(text, NOW_NS)) for text in (body, body.replace(b"}]", b"},{}]")))
        assert stored(unusual) == stored(usual)


def test_syslog_has_microseconds_and_no_stream() -> None:
    records = found("syslog-rfc5424")
    assert records.keys() == {*TIMES, "plain file"}
    for message, after_ns in TIMES.items():
        assert records[message]["time"] == AT_NS + after_ns // 1000 * 1000
    record = records["plain line one"]
    assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-1", "app")
    assert record["labels"] == LABELS


def test_labels_of_loki_count_more_than_its_line() -> None:
    record = found("loki-labels")["plain line one"]
    assert (record["namespace"], record["pod"], record["stream"]) == ("shop", "web-1", "stdout")
    assert (record["labels"], record["attributes"]) == ({"job": "fluentbit"}, {"_p": "F"})


def test_metadata_of_loki_made_of_a_map_is_identity() -> None:
    records = found("loki-map-keys")
    assert records.keys() == {*TIMES, "plain file"}
    record = records["plain line one"]
    assert [record[name] for name in ("cluster", "namespace", "pod", "container")] == ["prod", "shop", "web-1", "app"]
    assert record["stream"] == "stdout"
    assert record["labels"] == {**LABELS, "app": "app", "app.kubernetes.io/name": "shop-app"}
    annotations = json.dumps(LEFT["annotations"], separators=(",", ":"))
    assert record["attributes"] == {**LEFT, "annotations": annotations, "_p": "F"}
