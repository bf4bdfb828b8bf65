"""Full queues, slow queries, too much memory: each limit is named, with its setting, and lifts again."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable

import httpx

from tests.serving import ServerProcess

Start = Callable[..., ServerProcess]
THREADS = 8
POSTS = 12
RECORDS = 500


def post_from_all_sides(server: ServerProcess) -> Counter[int]:
    """Many posts at once; how many got which status."""
    body = b"".join(b'{"message":"%s"}\n' % (b"x" * 500) for _ in range(RECORDS))
    statuses: Counter[int] = Counter()

    def send() -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for _ in range(POSTS):
                answer = client.post("/api/v1/logs", content=body)
                statuses[answer.status_code] += 1
                if answer.status_code == 429:
                    assert int(answer.headers["retry-after"]) >= 1
                    assert answer.json()["error"]

    threads = [threading.Thread(target=send) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def count(server: ServerProcess) -> int:
    return int(json.loads(server.query("* | stats count()").text)["count"])


def test_a_full_pipeline_is_a_429_and_what_was_taken_is_there_once(server: Start) -> None:
    process = server(pending_bytes="1KiB", ingest_wait="0s", ingest_threads=8)
    statuses = post_from_all_sides(process)
    assert set(statuses) == {200, 429}
    assert count(process) == statuses[200] * RECORDS
    assert process.post(b'{"message":"afterwards"}').status_code == 200


def test_a_request_is_held_while_the_pipeline_is_full_for_a_while(server: Start) -> None:
    process = server(pending_bytes="1KiB", ingest_wait="30s", ingest_threads=8)
    assert post_from_all_sides(process) == {200: THREADS * POSTS}
    assert count(process) == THREADS * POSTS * RECORDS


def test_bodies_wait_for_memory_and_then_are_refused(server: Start) -> None:
    process = server(max_body="1MiB", ingest_memory="1MiB", ingest_wait="500ms")
    with socket.create_connection(("127.0.0.1", process.port), 20) as holder:
        holder.sendall(b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n[")
        process.await_metric("logstore_ingest_held_bytes 1.048576e+06")
        refused = process.post(b'{"message":"no room"}')
        assert refused.status_code == 429
        assert "ingest_memory" in refused.json()["error"]
        waiting: list[int] = []
        thread = threading.Thread(target=lambda: waiting.append(process.post(b'{"message":"waits"}').status_code))
        thread.start()
        holder.close()
        thread.join()
    assert waiting == [200]
    assert count(process) == 1


CHUNKED = b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Sending:
    """A request in chunks, each of so many blanks, and its answer."""

    def __init__(self, server: ServerProcess, head: bytes = CHUNKED) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), 20)
        self._socket.sendall(head)

    def chunk(self, size_bytes: int) -> None:
        self._socket.sendall(b"%x\r\n%b\r\n" % (size_bytes, b" " * size_bytes))

    def end(self) -> None:
        self._socket.sendall(b'13\r\n{"message":"whole"}\r\n0\r\n\r\n')

    def status(self) -> int:
        return int(self._socket.recv(12)[-3:])


def test_bodies_that_hold_each_other_up_are_told_apart_at_once(server: Start) -> None:
    process = server(max_body="4MiB", ingest_memory="4MiB", ingest_wait="60s")
    one, other = Sending(process), Sending(process)
    for sending in (one, other):
        sending.chunk(2 << 20)
    process.await_metric("logstore_ingest_held_bytes 4.194304e+06")
    one.chunk(1 << 20)
    other.chunk(1 << 20)
    assert other.status() == 429
    one.end()
    assert one.status() == 200
    assert count(process) == 1


def test_a_body_that_has_begun_comes_before_those_that_have_not(server: Start) -> None:
    process = server(max_body="4MiB", ingest_memory="4MiB", ingest_wait="60s")
    begun = Sending(process)
    begun.chunk(1 << 20)
    process.await_metric("logstore_ingest_held_bytes 1.048576e+06")
    large = Sending(process, CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 4194304"))
    begun.chunk(1 << 20)
    begun.end()
    assert begun.status() == 200
    large.chunk((4 << 20) - 10)
    assert large.status() == 400


def test_a_body_that_hardly_comes_gives_way_to_those_that_wait(server: Start) -> None:
    process = server(max_body="1MiB", ingest_memory="1MiB", ingest_wait="60s")
    slow = Sending(process, CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 1048576"))
    process.await_metric("logstore_ingest_held_bytes 1.048576e+06")
    assert process.post(b'{"message":"waits for it"}').status_code == 200
    assert slow.status() == 429
    assert count(process) == 1


def test_queries_over_the_limit_are_a_429(server: Start) -> None:
    process = server(query_concurrency=1, query_memory="1GiB")
    body = b"".join(b'{"message":"%s"}\n' % (b"x" * 1000) for _ in range(20_000))
    assert process.post(body).status_code == 200
    process.client.headers["Accept-Encoding"] = "identity"
    with process.client.stream("GET", "/api/v1/query", params={"q": "*", "limit": 0}) as slow:
        chunks = slow.iter_raw()
        next(chunks)
        with httpx.Client(base_url=process.url, timeout=60) as other:
            refused = other.get("/api/v1/query", params={"q": "*"})
            analyzed = other.get("/api/v1/explain", params={"q": "*", "analyze": "true"})
        assert refused.status_code == analyzed.status_code == 429
        assert "query_concurrency" in refused.json()["error"]
        assert int(refused.headers["retry-after"]) >= 1
        size = sum(map(len, chunks))
    assert size > 20_000 * 1000
    assert count(process) == 20_000


def test_a_query_out_of_time_is_a_504(server: Start) -> None:
    process = server(query_timeout="1ms")
    body = b"".join(b'{"message":"line %d of many"}\n' % number for number in range(50_000))
    assert process.post(body).status_code == 200
    asked = {"q": 'message=~"(a|b|c)+d.*e" | stats count()'}
    for answer in (
        process.client.get("/api/v1/query", params=asked),
        process.client.get("/api/v1/explain", params={**asked, "analyze": "true"}),
    ):
        assert answer.status_code == 504
        assert "query_timeout" in answer.json()["error"]
    assert process.client.get("/api/v1/explain", params=asked).status_code == 200


def test_a_query_out_of_memory_is_a_422(server: Start) -> None:
    process = server(query_memory="16MiB")
    body = b"".join(b'{"message":"%d %s"}\n' % (number, b"x" * 1000) for number in range(50_000))
    assert process.post(body).status_code == 200
    asked = {"q": "* | sort by message | limit 40000"}
    for answer in (
        process.client.get("/api/v1/query", params=asked),
        process.client.get("/api/v1/explain", params={**asked, "analyze": "true"}),
    ):
        assert answer.status_code == 422
        assert "query_memory" in answer.json()["error"]
    assert count(process) == 50_000


def test_namespaces_that_are_too_many_share_one(server: Start) -> None:
    running = server(new_namespaces=2)
    body = b"".join(b'{"message":"line %d","namespace":"n%d"}\n' % (i, i) for i in range(5))
    assert running.post(body).json() == {"accepted": 5, "rejected": []}
    running.flush()
    found = [json.loads(line) for line in running.query("namespace=_overflow", order="asc").text.splitlines()]
    assert [(one["message"], one["attributes"]["_namespace"]) for one in found] == [
        ("line 2", "n2"),
        ("line 3", "n3"),
        ("line 4", "n4"),
    ]
    running.await_metric("logstore_namespace_overflow_records_total 3.0")
    running.await_metric("logstore_namespaces 2.0")
    assert "too many new namespaces" in running.log_tail()
