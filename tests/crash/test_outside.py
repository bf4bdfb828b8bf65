"""The contract as a stranger checks it: 12,000 real lines, one batch twice, kill -9, every byte out again."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import httpx
import pytest

from tests.loghub import SYSTEMS, lines
from tests.serving import ServerProcess

LAYOUTS = {"default": (), "fine": ("--partition-by", "cluster,namespace,pod,container,hour")}
PODS = 4
BATCH_RECORDS = 500
MINUTES = 50
LOGQ = str(Path(sys.executable).parent / "logq")

EXPORT = """
    select namespace, pod, message
    from read_parquet('{}/segments/**/*.parquet', union_by_name=true, hive_partitioning=true)
    where namespace != 'later' order by _seq
"""


@dataclass(frozen=True, slots=True)
class Line:
    namespace: str
    pod: str
    message: str
    time: str


@pytest.fixture(scope="module", params=list(LAYOUTS))
def posted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, list[Line]]]:
    """All lines posted, one batch repeated, the server killed and started again; nothing flushed by hand."""
    data = tmp_path_factory.mktemp(request.param) / "data"
    corpus = _corpus(datetime.now(UTC) - timedelta(minutes=MINUTES + 1))
    with ServerProcess(data, *LAYOUTS[request.param]) as server:
        _post_all(server, corpus)
        server.kill()
        server.start()
        yield server, corpus


def test_every_line_is_there_once_and_byte_for_byte(posted: tuple[ServerProcess, list[Line]]) -> None:
    server, corpus = posted
    expected = [(line.namespace, line.pod, line.message) for line in corpus]
    assert _over_http(server) == expected
    server.flush()
    assert _over_http(server) == expected
    assert _over_files(server.data) == expected


def test_times_are_kept_and_newest_come_first(posted: tuple[ServerProcess, list[Line]]) -> None:
    server, corpus = posted
    answer = server.query("namespace:zookeeper", limit=300)
    expected = [line for line in corpus if line.namespace == "zookeeper"][::-1][:300]
    records = [json.loads(line) for line in answer.text.splitlines()]
    assert [(r["time"], r["message"]) for r in records] == [(_nine_digits(e.time), e.message) for e in expected]


def test_a_repeated_batch_is_answered_as_before(posted: tuple[ServerProcess, list[Line]]) -> None:
    server, corpus = posted
    again = server.post(_ndjson(corpus[:BATCH_RECORDS]), headers={"Idempotency-Key": "batch-0"})
    assert (again.status_code, again.json()) == (200, {"accepted": BATCH_RECORDS, "rejected": []})
    other = server.post(_ndjson(corpus[:3]), headers={"Idempotency-Key": "batch-0"})
    assert other.status_code == 409
    count = json.loads(server.query('namespace!="later" | stats count()').text)
    assert count == {"count": len(corpus)}


def test_a_tail_begins_in_the_past_and_resumes_at_its_cursor(
    posted: tuple[ServerProcess, list[Line]],
) -> None:
    server, corpus = posted
    q = "namespace in (openssh, later)"
    newest = [line.message for line in corpus if line.namespace == "openssh"][-10:]
    with _tail(server, q, backlog=10) as tail:
        messages, cursor = _until_cursor(tail, 10)
    assert messages == newest
    marker = "sshd: a line while nobody listens"
    body = json.dumps({"namespace": "later", "message": marker}).encode()
    assert server.post(body).status_code == 200
    with _tail(server, q, cursor=cursor) as tail:
        messages, _ = _until_cursor(tail, 1)
    assert messages == [marker]


def test_the_shell_client_prints_the_same_bytes(posted: tuple[ServerProcess, list[Line]]) -> None:
    server, corpus = posted
    one_pod = [f"{line.message}\n" for line in corpus if (line.namespace, line.pod) == ("hdfs", "hdfs-1")]
    logs = _logq(server, "logs", "hdfs-1", "-n", "hdfs")
    assert (logs.returncode, logs.stdout) == (0, "".join(one_pod).encode())

    found = _logq(server, '"Failed password"', "-n", "openssh", "--limit", "0", "-o", "raw")
    newest_first = [f"{line.message}\n" for line in reversed(corpus) if "Failed password" in line.message]
    assert (found.returncode, found.stdout) == (0, "".join(newest_first).encode())

    nothing = _logq(server, "nosuchwordanywhere")
    assert (nothing.returncode, nothing.stdout) == (1, b"")
    wrong = _logq(server, "* | stats cuont()")
    assert wrong.returncode == 2
    assert b"count" in wrong.stderr


def _corpus(start: datetime) -> list[Line]:
    """The lines of all systems, one after the other, each spread over the last hour, two lines a time."""
    corpus = []
    for system in SYSTEMS:
        for i, message in enumerate(lines(system)):
            time = start + timedelta(minutes=MINUTES) * (i // 2 * 2 / 2000)
            corpus.append(Line(system, f"{system}-{i // 10 % PODS}", message, time.isoformat()))
    return corpus


def _post_all(server: ServerProcess, corpus: list[Line]) -> None:
    """Every batch with a key, in one of three forms; the fourth batch is sent twice."""
    starts = range(0, len(corpus), BATCH_RECORDS)
    for turn, start in enumerate([*starts[:4], starts[3], *starts[4:]]):
        batch = corpus[start : start + BATCH_RECORDS]
        headers = {"Idempotency-Key": f"batch-{start}"}
        if turn % 3 == 1:
            headers["Content-Encoding"] = "gzip"
            answer = server.post(gzip.compress(_ndjson(batch)), headers=headers)
        elif turn % 3 == 2:
            answer = server.post(_array(batch), "application/json", headers=headers)
        else:
            answer = server.post(_ndjson(batch), headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"accepted": len(batch), "rejected": []})


def _ndjson(batch: list[Line]) -> bytes:
    return "".join(json.dumps(_pushed(line)) + "\n" for line in batch).encode()


def _array(batch: list[Line]) -> bytes:
    return json.dumps([_pushed(line) for line in batch]).encode()


def _pushed(line: Line) -> dict[str, str]:
    return {
        "time": line.time,
        "namespace": line.namespace,
        "pod": line.pod,
        "container": "main",
        "message": line.message,
    }


def _over_http(server: ServerProcess) -> list[tuple[str, str, str]]:
    answer = server.query('namespace!="later"', limit=0, meta="true")
    records = sorted((json.loads(line) for line in answer.text.splitlines()), key=lambda r: r["_seq"])
    return [(r["namespace"], r["pod"], r["message"]) for r in records]


def _over_files(data: Path) -> list[tuple[str, str, str]]:
    return duckdb.connect().execute(EXPORT.format(data)).fetchall()


def _tail(server: ServerProcess, q: str, **params: str | int) -> AbstractContextManager[httpx.Response]:
    return server.client.stream("GET", "/api/v1/tail", params={"q": q, **params}, timeout=30.0)


def _until_cursor(tail: httpx.Response, records: int) -> tuple[list[str], str]:
    """The messages up to the first cursor line after so many records."""
    messages: list[str] = []
    for text in tail.iter_lines():
        line = json.loads(text) if text else {}
        if "message" in line:
            messages.append(line["message"])
        elif "@tail" in line and len(messages) >= records:
            return messages, line["@tail"]["cursor"]
    raise AssertionError(f"the tail ended after {len(messages)} records, without a cursor")


def _logq(server: ServerProcess, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "LOGQ_SERVER": server.url}
    return subprocess.run([LOGQ, *arguments], env=environment, capture_output=True, timeout=60, check=False)


def _nine_digits(time: str) -> str:
    """An ISO time with microseconds or none as answers write it."""
    moment = datetime.fromisoformat(time)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z"
