"""What real clients sent over HTTP and gRPC, read without them. tests/data/recorded/README.md says what is what."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from ingest.body import inflate
from ingest.protocol import Stream, Take
from ingest.protocols import CALLS, PROTOCOLS
from ingest.request import Head, Limits, Request
from server.mounts import Mounts
from tests.ingest.decoded import NOW_NS, records

DATA = Path(__file__).parents[1] / "data" / "recorded"
MOUNTS = Mounts(PROTOCOLS)
METHODS = {call.path: call.take for call in CALLS}


def recorded(client: str) -> tuple[Head, bytes, int]:
    """The head, the body, and when it came."""
    told = json.loads((DATA / f"{client}.head.json").read_text())
    path, _, query = told["path"].partition("?")
    head = Head(told["method"], path, dict(parse_qsl(query)), told["headers"])
    return head, (DATA / f"{client}.body").read_bytes(), told.get("received_ns", NOW_NS)


def endpoint_of(head: Head) -> tuple[object, Head]:
    if take := METHODS.get(head.path):
        return take, head
    found = MOUNTS.find(head)
    assert found is not None
    return found.mount.endpoint, replace(head, segments=found.segments)


def read(recorded_head: Head, body: bytes, now_ns: int) -> list[dict[str, Any]]:
    endpoint, head = endpoint_of(recorded_head)
    limits = Limits()
    match endpoint:
        case Take() as take:
            if take.inflate is not None:
                plain = take.inflate(body, head, limits.max_body_bytes)
            else:
                plain = inflate(body, head.headers.get("content-encoding", ""), limits.max_body_bytes)
            request = Request(plain, now_ns, head)
            decoded = take.decode(request)
            assert take.answer(request, decoded).status in (200, 202, 204)
        case Stream() as stream:
            reader = stream.open(head, limits)
            reader.feed(body)
            reader.end()
            decoded = reader.read(Request(b"", now_ns, head))
        case other:
            raise AssertionError(f"{head.path} leads to {other}")
    assert not decoded.rejects
    return records(decoded)


@pytest.mark.parametrize("client", sorted(path.name.removesuffix(".body") for path in DATA.glob("*.body")))
def test_a_recorded_request_is_read(client: str) -> None:
    assert read(*recorded(client)) == json.loads((DATA / f"{client}.json").read_text())
