"""What a request says once of all its records is a part of each of them: a small body does not become a large one."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from ingest.protocol import Take
from ingest.protocols import PROTOCOLS
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import TooLarge
from server.mounts import Mounts
from tests.ingest.decoded import NOW_NS

MOUNTS = Mounts(PROTOCOLS)
LIMITS = Limits(max_body_bytes=100_000)
LONG, SHORT = "b" * 5_000, "short"
RECORDS = 200


def gcp(said: str) -> bytes:
    return json.dumps({"labels": {"a": said}, "logName": "l", "entries": [{"textPayload": "x"}] * RECORDS}).encode()


def taken(path: str, said: Mapping[str, str], body: bytes) -> Decoded:
    head = Head("POST", path, params=said, headers=said)
    found = MOUNTS.find(head)
    assert found is not None and isinstance(found.mount.endpoint, Take)
    head = replace(head, segments=found.segments)
    return found.mount.endpoint.decode(Request(body, NOW_NS, head, LIMITS))


@pytest.mark.parametrize(
    ("path", "parameter", "body"),
    [
        ("/services/collector/raw", "source", b"x\n" * RECORDS),
        ("/services/collector/event", "source", b'{"event":"x"}' * RECORDS),
        ("/api/v2/logs", "service", b"[" + b",".join([b'{"message":"x"}'] * RECORDS) + b"]"),
        ("/api/v1/documents", "fluent-tag", b'{"log":"x"}\n' * RECORDS),
        ("/SAID/_bulk", "", b'{"index":{}}\n{"message":"x"}\n' * RECORDS),
        ("/_bulk", "", b'{"index":{"_index":"SAID"}}\n{"message":"x"}\n' + b'{"index":{}}\n{}\n' * (RECORDS - 1)),
        ("/v2/entries:write", "", b"SAID"),
    ],
)
def test_it_is_taken_while_it_is_short_and_too_large_where_it_is_long(path: str, parameter: str, body: bytes) -> None:
    def sent(said: str) -> Decoded:
        whole = gcp(said) if body == b"SAID" else body.replace(b"SAID", said.encode())
        return taken(path.replace("SAID", said), {parameter: said} if parameter else {}, whole)

    assert sent(SHORT).batch.num_rows == RECORDS
    if path == "/_bulk":  # one action alone names it
        assert sent(LONG).batch.num_rows == RECORDS
        return
    with pytest.raises(TooLarge, match="max_body"):
        sent(LONG)
