"""Small batches: how many requests of 20 lines a second a server takes, and what each costs it.

Two processes of their own hold 64 connections each; on each of these the next request goes out when the one before was
answered 200. Two seconds pass before the `--seconds` that count. CPU is that of the server process, user and system;
the load generators share the cores with it, and take nearly one of two.
"""

import argparse
import json
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.measure import cpu_s, peak_memory_bytes, table
from tests.serving import ServerProcess

GENERATORS: Final = 2
CONNECTIONS: Final = 64
LINES: Final = 20
WARM_S: Final = 2
_ANSWER_BYTES: Final = 4_096


def run(options: argparse.Namespace) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        ServerProcess(Path(directory) / "data", "--log-level", "error") as server,
    ):
        _sent(server.port, WARM_S)
        before_s = cpu_s(server.pid)
        requests = _sent(server.port, options.seconds)
        spent_s = cpu_s(server.pid) - before_s
        peak_bytes = peak_memory_bytes(server.pid)
    return table(
        ["requests of 20 lines", "value", "figure"],
        [
            ["a second", requests / options.seconds, "≥ 2,000"],
            ["CPU of the server, ms each", spent_s / requests * 1_000, ""],
            ["peak memory, MB", peak_bytes / 2**20, "≤ 512"],
        ],
    )


def _sent(port: int, seconds: int) -> int:
    """How many requests were answered."""
    command = [sys.executable, "-m", "bench.small", str(port), str(seconds)]
    generators = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(GENERATORS)]
    return sum(int(generator.communicate()[0]) for generator in generators)


def _request() -> bytes:
    lines = [
        {"time": f"2026-03-01T12:00:00.{at:09d}Z", "namespace": "shop", "pod": f"web-{at % 5}", "message": text}
        for at, text in enumerate(f"request {at} took {at * 7} ms" for at in range(LINES))
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    head = "POST /api/v1/logs HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-ndjson\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _send(port: int, seconds: float) -> int:
    request, answered = _request(), 0
    waiting = selectors.DefaultSelector()
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.send(request)
        waiting.register(connection, selectors.EVENT_READ, connection)
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for key, _ in waiting.select(0.1):
            connection = key.data
            answer = connection.recv(_ANSWER_BYTES)
            if answer.startswith(b"HTTP") and not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer.decode())
            if answer.endswith(b"]}"):
                answered += 1
                connection.send(request)
    return answered


if __name__ == "__main__":
    print(_send(int(sys.argv[1]), float(sys.argv[2])))
