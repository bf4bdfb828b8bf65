"""Starting, stopping, listening: the process as an operator sees it."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.serving import PROGRAM, ServerProcess, free_port

Start = Callable[..., ServerProcess]


def test_a_stop_flushes_everything_and_exits_0(server: Start) -> None:
    process = server()
    body = b"".join(b'{"message":"line %d"}\n' % number for number in range(1000))
    assert process.post(body).status_code == 200
    started_s = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - started_s < 20
    assert json.loads(process.log.read_text().splitlines()[-1])["event"] == "stopped"
    table = ds.dataset(process.data / "segments", partitioning="hive").to_table()
    assert sorted(table["message"].to_pylist()) == sorted(f"line {number}" for number in range(1000))


def test_a_request_in_flight_is_answered_before_the_stop(server: Start) -> None:
    process = server()
    with socket.create_connection(("127.0.0.1", process.port), 20) as connection:
        body = b'{"message":"in flight"}'
        head = f"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body[:5])
        os.kill(process.pid, signal.SIGTERM)
        _until_refused(process.port)
        connection.sendall(body[5:])
        assert b'{"accepted":1' in b"".join(iter(lambda: connection.recv(4096), b""))
    assert process.stop() == 0


def _until_refused(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("the server still accepts connections")


def fill(process: ServerProcess) -> None:
    """More than the buffers between server and client hold."""
    body = b"".join(b'{"message":"%s"}\n' % (b"x" * 1000) for _ in range(30_000))
    assert process.post(body).status_code == 200


def test_a_client_that_does_not_read_cannot_hold_up_the_stop(server: Start) -> None:
    process = server(stop_timeout="2s", query_memory="1GiB")
    fill(process)
    with socket.create_connection(("127.0.0.1", process.port), 20) as connection:
        connection.sendall(b"GET /api/v1/query?q=*&limit=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert process.stop() == 0


def test_a_client_that_takes_nothing_is_cut(server: Start) -> None:
    process = server(send_timeout="1s", query_memory="1GiB")
    fill(process)
    with socket.create_connection(("127.0.0.1", process.port), 20) as connection:
        connection.sendall(b"GET /api/v1/query?q=*&limit=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        process.await_metric('logstore_clients_cut_total{what="send"} 1.0')
        process.await_metric("logstore_queries_running 0.0")
        process.await_metric('logstore_queries_total{outcome="cancelled"} 1.0')


def test_a_client_that_sends_nothing_is_cut(server: Start) -> None:
    process = server(receive_timeout="1s")
    with socket.create_connection(("127.0.0.1", process.port), 20) as connection:
        connection.sendall(b"POST /api/v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert connection.recv(100) == b""
    with socket.create_connection(("127.0.0.1", process.port), 20) as connection:
        connection.sendall(b"GET /healthz HT")
        assert connection.recv(100) == b""


def test_a_client_that_goes_away_stops_its_query(server: Start) -> None:
    process = server(query_memory="1GiB")
    fill(process)
    process.client.headers["Accept-Encoding"] = "identity"
    with process.client.stream("GET", "/api/v1/query", params={"q": "*", "limit": 0}) as answer:
        next(answer.iter_raw(1000))
    process.await_metric('logstore_queries_total{outcome="cancelled"} 1.0')
    process.await_metric("logstore_queries_running 0.0")


def test_a_client_that_goes_away_stops_the_query_that_is_run_for_its_cost(server: Start) -> None:
    process = server(query_memory="1GiB")
    fill(process)
    with socket.create_connection(("127.0.0.1", process.port), 20) as connection:
        connection.sendall(b"GET /api/v1/explain?limit=0&analyze=true HTTP/1.1\r\nHost: x\r\n\r\n")
    process.await_metric('logstore_queries_total{outcome="cancelled"} 1.0')
    process.await_metric("logstore_queries_running 0.0")


def test_an_answer_that_fails_midway_says_so_and_breaks_off(server: Start) -> None:
    process = server(query_memory="1GiB")
    for hour in ("10", "10", "12", "12"):
        lines = (
            json.dumps({"time": f"2026-03-01T{hour}:00:00Z", "message": os.urandom(20_000).hex()}) for _ in range(1000)
        )
        assert process.post("\n".join(lines).encode()).status_code == 200
        process.flush()
    older = [file for file in (process.data / "segments").rglob("*.parquet") if _hour(file) == 10]
    received: list[bytes] = []
    with (
        pytest.raises(httpx.RemoteProtocolError),
        process.client.stream(
            "GET", "/api/v1/query", params={"q": "*", "limit": 0}, headers={"Accept-Encoding": "identity"}
        ) as answer,
    ):
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            received.append(piece)
            for file in older:
                file.unlink(missing_ok=True)
    lines_received = b"".join(received).splitlines()
    assert "@error" in json.loads(lines_received[-1])
    assert all("message" in json.loads(line) for line in lines_received[:-1])
    assert process.client.get("/healthz").status_code == 200


def _hour(file: Path) -> int:
    time = pq.read_table(file, columns=["time"])["time"][0]
    return int(time.value // 3_600_000_000_000 % 24)


def test_a_second_server_on_the_same_directory_does_not_start(server: Start) -> None:
    process = server()
    command = [*PROGRAM, "serve", "--data", str(process.data), "--listen", f"127.0.0.1:{free_port()}"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert str(process.data) in second.stderr
    assert process.client.get("/readyz").status_code == 200


def test_a_port_in_use_is_a_clear_error(server: Start, tmp_path: Path) -> None:
    process = server()
    command = [*PROGRAM, "serve", "--data", str(tmp_path / "other"), "--listen", f"127.0.0.1:{process.port}"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2
    assert f"cannot listen on 127.0.0.1:{process.port}: Address already in use" in second.stderr


def test_one_line_says_where_it_listens(server: Start) -> None:
    process = server()
    lines = process.log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("{")] == [
        f"logstore is ready at {process.url} and keeps its records in {process.data}"
    ]
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert events == ["recovered", "ready"]


def test_without_a_token_only_health_and_the_page_are_open(server: Start, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("secret-1\n")
    process = ServerProcess(tmp_path / "guarded", "--token-file", str(tokens))
    with process:
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert process.client.get(path).status_code == 200, path
        for path in ("/api/v1/query", "/api/v1/streams", "/metrics", "/api/v1/logs", "/nothing", "/api/v1/tail"):
            refused = process.client.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert "token" in refused.json()["error"]
        assert process.post(b'{"message":"x"}').status_code == 401
        bearer = {"Authorization": "Bearer secret-1"}
        assert process.client.get("/api/v1/streams", headers=bearer).status_code == 200
        assert httpx.get(f"{process.url}/metrics", auth=("any", "secret-1")).status_code == 200
        tokens.write_text("secret-2\n")
        _until_status(process, "secret-2", 200)
        _until_status(process, "secret-1", 401)


def _until_status(process: ServerProcess, token: str, status: int) -> None:
    for _ in range(200):
        headers = {"Authorization": f"Bearer {token}"}
        if process.client.get("/api/v1/streams", headers=headers).status_code == status:
            return
        time.sleep(0.05)
    raise AssertionError(f"{token} never led to {status}")


def test_healthcheck_asks_the_running_server(server: Start) -> None:
    process = server()
    command = [*PROGRAM, "healthcheck", "--listen", f"127.0.0.1:{process.port}"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    process.kill()
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1
