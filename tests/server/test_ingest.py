"""POST /api/v1/logs, row by row of the contract."""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import zstandard

from tests.serving import ServerProcess

Start = Callable[..., ServerProcess]


def lines(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def found(server: ServerProcess, pod: str) -> list[dict[str, Any]]:
    answer = server.query(f'pod="{pod}"', order="asc")
    return [json.loads(line) for line in answer.text.splitlines()]


def messages(server: ServerProcess, pod: str) -> list[str]:
    return [record["message"] for record in found(server, pod)]


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"message":"a"}\n{"message":"b"}', "application/x-ndjson", ["a", "b"]),
        (b' \n [{"message":"a"},\n{"message":"b"}]', "application/json", ["a", "b"]),
        (b'{"message":"a"}', "application/x-www-form-urlencoded", ["a"]),
        (b'{"message":"a"}', "", ["a"]),
        (b"a\nb c\n", "text/plain; charset=utf-8", ["a", "b c"]),
    ],
)
def test_bodies(
    shared: ServerProcess, body: bytes, content_type: str, expected: list[str], request: pytest.FixtureRequest
) -> None:
    pod = f"bodies-{abs(hash(request.node.name))}"
    answer = shared.post(body, content_type, params={"pod": pod})
    assert (answer.status_code, answer.json()) == (200, {"accepted": len(expected), "rejected": []})
    assert answer.headers["content-type"] == "application/json"
    assert messages(shared, pod) == expected


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
    ],
)
def test_content_encodings(shared: ServerProcess, coding: str, encode: Callable[[bytes], bytes]) -> None:
    body = encode(lines({"message": coding}))
    answer = shared.post(body, params={"pod": f"coded-{coding}"}, headers={"Content-Encoding": coding})
    assert answer.status_code == 200, answer.text
    assert messages(shared, f"coded-{coding}") == [coding]


def test_identity_comes_from_the_record_then_the_parameter_then_the_setting(shared: ServerProcess) -> None:
    body = lines({"message": "1", "namespace": "own", "stream": "stderr"}, {"message": "2"})
    params = {"pod": "ids", "namespace": "given", "container": "c", "stream": "stdout"}
    assert shared.post(body, params=params).status_code == 200
    first, second = found(shared, "ids")
    assert (first["cluster"], first["namespace"], first["stream"]) == ("default", "own", "stderr")
    assert (second["namespace"], second["container"], second["stream"]) == ("given", "c", "stdout")


def test_bad_lines_are_rejected_alone_and_numbered(shared: ServerProcess) -> None:
    body = b'{"message":"good"}\n{"message":"x","time":"yesterday"}\n[1]\nnonsense\n{"message":"last"}\n'
    answer = shared.post(body, params={"pod": "rejects"})
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [reject["line"] for reject in answer.json()["rejected"]] == [2, 3, 4]
    assert all(reject["error"] for reject in answer.json()["rejected"])
    assert messages(shared, "rejects") == ["good", "last"]


def test_only_a_body_without_any_good_line_is_a_400(shared: ServerProcess) -> None:
    answer = shared.post(b"nonsense\nmore\n", params={"pod": "none"})
    assert answer.status_code == 400
    assert answer.json()["accepted"] == 0
    assert [reject["line"] for reject in answer.json()["rejected"]] == [1, 2]
    error = answer.json()["error"]
    assert (
        error == "no line could be taken; line 1: not JSON at byte 1; lines of plain text need Content-Type: text/plain"
    )


@pytest.mark.parametrize("body", [b"", b"\n\n", b"[]", b"  "])
def test_an_empty_body_is_no_error(shared: ServerProcess, body: bytes) -> None:
    answer = shared.post(body)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "rejected": []})


def test_a_parameter_that_does_not_exist_is_named(shared: ServerProcess) -> None:
    answer = shared.post(lines({"message": "x"}), params={"namspace": "a"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "unknown parameter 'namspace'; did you mean 'namespace'?"}


def test_an_unknown_coding_and_a_damaged_body_are_400(shared: ServerProcess) -> None:
    unknown = shared.post(b"x", headers={"Content-Encoding": "br"})
    assert unknown.status_code == 400
    assert "br" in unknown.json()["error"]
    damaged = shared.post(gzip.compress(b'{"message":"x"}')[:-9], headers={"Content-Encoding": "gzip"})
    assert damaged.status_code == 400
    assert "gzip" in damaged.json()["error"]


def test_get_says_how_to_use_it(shared: ServerProcess) -> None:
    answer = shared.client.get("/api/v1/logs")
    assert answer.status_code == 200
    assert "POST" in answer.json()["usage"]


def test_the_same_key_is_stored_once_and_answered_the_same(shared: ServerProcess) -> None:
    body = b'{"message":"once"}\nnonsense\n'
    options: dict[str, Any] = {"params": {"pod": "keyed"}, "headers": {"Idempotency-Key": "key-1"}}
    first, again = shared.post(body, **options), shared.post(body, **options)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    options["headers"]["Content-Encoding"] = "gzip"
    assert shared.post(gzip.compress(body), **options).content == first.content
    assert messages(shared, "keyed") == ["once"]


def test_the_same_key_with_another_body_is_a_conflict(shared: ServerProcess) -> None:
    headers = {"Idempotency-Key": "key-2"}
    assert shared.post(lines({"message": "a"}), headers=headers).status_code == 200
    answer = shared.post(lines({"message": "b"}), headers=headers)
    assert answer.status_code == 409
    assert "key-2" in answer.json()["error"]


def test_a_key_in_flight_is_waited_for(shared: ServerProcess) -> None:
    body = b"".join(lines({"message": f"in flight {number}"}) for number in range(20_000))
    answers: list[bytes] = []

    def send() -> None:
        answer = httpx.post(
            f"{shared.url}/api/v1/logs?pod=flight", content=body, headers={"Idempotency-Key": "key-3"}, timeout=60
        )
        answers.append(answer.content)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b'{"accepted":20000,"rejected":[]}'] * 4
    assert json.loads(shared.query('pod="flight" | stats count()').text) == {"count": 20_000}


@pytest.mark.parametrize("key", ["", "x" * 1025])
def test_a_key_has_bounds(shared: ServerProcess, key: str) -> None:
    answer = shared.post(lines({"message": "a"}), headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["error"]


def test_a_body_over_the_limit_is_refused_while_it_is_read(server: Start) -> None:
    small = server(max_body="1MiB", max_line="64KiB")
    declared = small.post(b"x" * (1024 * 1024 + 1))
    assert declared.status_code == 413
    assert "max_body" in declared.json()["error"]
    chunked = small.client.post("/api/v1/logs", content=(b"x" * 65536 for _ in range(64)))
    assert chunked.status_code == 413
    bomb = gzip.compress(b'{"message":"' + b"x" * (64 * 1024 * 1024) + b'"}')
    assert len(bomb) < 1024 * 1024
    assert small.post(bomb, headers={"Content-Encoding": "gzip"}).status_code == 413
    fitting = lines({"message": "y" * 1000}) * 1000
    assert small.post(fitting).json() == {"accepted": 1000, "rejected": []}


def test_a_line_over_the_limit_is_rejected_alone(server: Start) -> None:
    small = server(max_body="1MiB", max_line="1KiB")
    answer = small.post(lines({"message": "a"}, {"message": "b" * 2000}, {"message": "c"}), params={"pod": "p"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    assert [reject["line"] for reject in answer.json()["rejected"]] == [2]
    assert "max_line" in answer.json()["rejected"][0]["error"]
    assert messages(small, "p") == ["a", "c"]


def test_what_is_accepted_is_there_after_a_kill(server: Start) -> None:
    process = server()
    assert process.post(lines({"message": "kept"}), params={"pod": "p"}).status_code == 200
    process.kill()
    process.start()
    assert messages(process, "p") == ["kept"]


def test_below_the_disk_reserve_ingest_is_503_and_queries_go_on(server: Start) -> None:
    process = server()
    process.post(lines({"message": "before"}), params={"pod": "p"})
    assert process.stop() == 0
    full = ServerProcess(process.data, "--disk-reserve", "1000TiB")
    with full:
        answer = full.post(lines({"message": "after"}), params={"pod": "p"})
        assert answer.status_code == 503
        assert "disk_reserve" in answer.json()["error"]
        assert int(answer.headers["retry-after"]) > 0
        assert messages(full, "p") == ["before"]


def test_a_client_that_asks_first_is_told_to_continue(shared: ServerProcess) -> None:
    body = b'{"message":"asked first"}'
    with socket.create_connection(("127.0.0.1", shared.port), 10) as connection:
        head = f"POST /api/v1/logs?pod=asked HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert b'{"accepted":1,' in b"".join(iter(lambda: connection.recv(4096), b""))


def test_a_refused_client_that_asks_first_need_not_send(shared: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), 10) as connection:
        connection.sendall(
            b"POST /api/v1/logs?podd=a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"did you mean 'pod'" in answer
