"""curl against a real server: documents as Fluent Bit's `http` output and Vector's `http` sink write them."""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import ServerProcess

pytestmark = pytest.mark.needs_program("curl")
WHERE = {"namespace": "shop", "container": "app", "stream": "stderr"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("documents") / "data") as process:
        yield process


def document(pod: str, number: int) -> dict[str, Any]:
    return {
        "date": 1772366400.123456,
        "time": f"2026-03-01T12:00:00.123456{number:03d}Z",
        "stream": "stderr",
        "log": f"line {number}\n",
        "kubernetes": {"namespace_name": "shop", "pod_name": pod, "container_name": "app", "host": "node-1"},
        "took": 1.5,
    }


def curl(server: ServerProcess, path: str, body: bytes, *headers: str) -> dict[str, Any]:
    said = [word for header in headers for word in ("-H", header)]
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--data-binary", "@-", *said, server.url + path]
    done = subprocess.run(command, input=body, capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("path", ["/api/v1/documents", "/insert/jsonline?_time_field=date&_stream_fields=stream"])
@pytest.mark.parametrize("between", ["\n", ""], ids=["json_lines", "json_stream"])
def test_documents_arrive_with_their_identity(server: ServerProcess, path: str, between: str) -> None:
    pod = f"web{path.count('?')}{len(between)}"
    body = between.join(json.dumps(document(pod, number)) for number in range(3)).encode()
    said = ("User-Agent: Fluent-Bit", "Content-Encoding: gzip")
    assert curl(server, path, gzip.compress(body), *said) == {"accepted": 3, "rejected": []}
    records = server.await_records(f'pod="{pod}"', 3)
    assert [record["time"] for record in records] == [f"2026-03-01T12:00:00.12345600{n}Z" for n in range(3)]
    for number, record in enumerate(records):
        assert record.items() >= {**WHERE, "message": f"line {number}"}.items()
        assert (record["labels"], record["attributes"]) == ({"node": "node-1"}, {"took": 1.5})


def test_what_was_answered_is_there_after_a_kill(server: ServerProcess, tmp_path: Path) -> None:
    for number in range(20):
        curl(server, "/api/v1/documents", json.dumps([document("killed", number)]).encode())
        if number == 9:
            server.kill()
            server.start()
    assert [record["message"] for record in server.await_records('pod="killed"', 20)] == [
        f"line {n}" for n in range(20)
    ]


def test_a_repeat_with_a_key_is_answered_as_before(server: ServerProcess) -> None:
    body = json.dumps(document("again", 1)).encode()
    answers = [curl(server, "/api/v1/documents", body, "Idempotency-Key: once") for _ in range(2)]
    assert answers == [{"accepted": 1, "rejected": []}] * 2
    assert len(server.await_records('pod="again"', 1)) == 1
