"""What agents send that read files of container runtimes: unwrapped and joined by default, whatever the protocol."""

import json
from collections.abc import Iterator

import pytest

from ingest.pipeline import Arrival, Pipeline
from ingest.protocol import Take
from ingest.protocols import PROTOCOLS
from ingest.request import Head
from logstore.store import Store

TIME = "2026-03-01T12:00:00.5Z"
FILE = f"/var/log/containers/web-1_shop_app-{'a' * 64}.log"


@pytest.fixture
def pipeline(store: Store) -> Iterator[Pipeline]:
    opened = Pipeline(store)
    yield opened
    opened.close()


def take_of(protocol: str, path_end: str) -> Take:
    takes = next(known for known in PROTOCOLS if known.name == protocol).takes
    return next(take for take in takes if any(pattern.endswith(path_end) for pattern in take.patterns))


def stored(store: Store) -> list[tuple[str, str, str]]:
    with store.snapshot() as snapshot:
        columns = (snapshot.buffer.column(name).to_pylist() for name in ("pod", "stream", "message"))
        return list(zip(*columns, strict=True))


def test_raw_lines_that_are_pushed_as_lokis(store: Store, pipeline: Pipeline) -> None:
    values = [["1700000000000000000", f"{TIME} stderr P hal"], ["1700000000000000001", f"{TIME} stderr F f"]]
    body = json.dumps({"streams": [{"stream": {"filename": FILE}, "values": values}]}).encode()
    head = Head(headers={"content-type": "application/json"})
    accepted = pipeline.accept(Arrival(body, head, take_of("loki", "/loki/api/v1/push"), "loki")).result(20)
    assert accepted.answer.status == 204
    assert stored(store) == [("web-1", "stderr", "half")]


def test_parsed_pieces_in_a_bulk_body(store: Store, pipeline: Pipeline) -> None:
    part = {"source": "stdout", "container_name": "/web", "partial_message": "true", "partial_id": "z"}
    documents: list[dict[str, str]] = [
        {"log": "big ", **part, "partial_ordinal": "1", "partial_last": "false"},
        {"message": "one ", "stream": "stderr", "logtag": "P"},
        {"log": "line", **part, "partial_ordinal": "2", "partial_last": "true"},
        {"message": "line", "stream": "stderr", "logtag": "F"},
    ]
    body = b"".join(b'{"create":{}}\n' + json.dumps(document).encode() + b"\n" for document in documents)
    head = Head(path="/logs/_bulk", segments={"index": "logs"})
    arrival = Arrival(body, head, take_of("elasticsearch", "/_bulk"), "elasticsearch")
    accepted = pipeline.accept(arrival).result(20)
    assert [next(iter(item.values()))["status"] for item in json.loads(accepted.answer.body)["items"]] == [201] * 4
    assert stored(store) == [("", "stdout", "big line"), ("", "stderr", "one line")]
