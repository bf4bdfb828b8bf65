"""Agents: what the server spends on a record that comes in another protocol, as a multiple of its own.

The first records of the corpus are encoded as agents send them, batches of 1,000, and posted by a process of its own
with four connections, each protocol to a server of its own; to journald's receiver a connection uploads one body, as
its uploader does. CPU is that of the server from before the first body until all is flushed. For sockets the last
answer is an acknowledgement (forward), or the count of records in /metrics.

What is compared is the whole path of the same records: one line more or less of metadata is part of it. Where each
record of a protocol brings much of that, the native endpoint is also measured with the very same fields as NDJSON:
`of the same fields` is the multiple of that.
"""

import argparse
import http.client
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import orjson

from bench import shapes
from bench.corpus import corpus
from bench.measure import cpu_s, peak_memory_bytes, table
from tests.serving import ServerProcess, free_port

CONNECTIONS: Final = 4
BATCH: Final = 1_000
RECORDS: Final = 600_000
NATIVE: Final = "native"


@dataclass(frozen=True, slots=True)
class Way:
    """How records of one protocol get to a server."""

    encode: Callable[[Sequence[Mapping[str, Any]]], bytes]
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    listener: str = ""
    """The setting with the address, of a protocol that is not HTTP."""
    plain: str = ""
    """The name of the way in which the same fields come to the native endpoint."""
    is_endless: bool = False
    """A connection has one body, chunked, that goes on for as long as there is something to send."""


_NDJSON: Final = (("Content-Type", "application/x-ndjson"),)
_DOCUMENTS, _LOGS, _ENTRIES = "documents as NDJSON", "Datadog's logs as NDJSON", "journal entries as NDJSON"
WAYS: Final[dict[str, Way]] = {
    NATIVE: Way(shapes.native, "/api/v1/logs", _NDJSON),
    "Loki, protobuf": Way(shapes.loki, "/loki/api/v1/push", (("Content-Type", "application/x-protobuf"),)),
    "OTLP, protobuf": Way(shapes.otlp, "/v1/logs", (("Content-Type", "application/x-protobuf"),)),
    "Elasticsearch bulk": Way(shapes.elasticsearch, "/_bulk", _NDJSON, plain=_DOCUMENTS),
    "documents": Way(shapes.documents, "/api/v1/documents", (("User-Agent", "Fluent-Bit"),), plain=_DOCUMENTS),
    "Splunk HEC": Way(shapes.splunk, "/services/collector/event", (("Authorization", "Splunk x"),), plain=_DOCUMENTS),
    "Datadog": Way(shapes.datadog, "/api/v2/logs", (("Content-Type", "application/json"),), plain=_LOGS),
    "forward, packed": Way(shapes.forward, listener="forward-listen"),
    "syslog, RFC 5424 over TCP": Way(shapes.syslog, listener="syslog-tcp-listen"),
    "GELF over TCP": Way(shapes.gelf, listener="gelf-tcp-listen"),
    "journald upload": Way(
        shapes.journald,
        "/upload",
        (("Content-Type", "application/vnd.fdo.journal"),),
        plain=_ENTRIES,
        is_endless=True,
    ),
}
PLAIN: Final[dict[str, Way]] = {
    _DOCUMENTS: Way(shapes.documents, "/api/v1/logs", _NDJSON),
    _LOGS: Way(shapes.datadog_lines, "/api/v1/logs", _NDJSON),
    _ENTRIES: Way(shapes.journal_lines, "/api/v1/logs", _NDJSON),
}


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    names = _chosen(options.protocols)
    plain = dict.fromkeys(WAYS[name].plain for name in names if WAYS[name].plain)
    measured = {name: _measure(name, source.path) for name in (*names, *plain)}
    baseline_us = measured[NATIVE][0]
    rows: list[list[object]] = []
    for name, (spent_us, rate, memory) in measured.items():
        same = measured.get(WAYS[name].plain) if name in WAYS else None
        of_same = spent_us / same[0] if same else ""
        rows.append([name, rate / 1000, spent_us, spent_us / baseline_us, of_same, memory / 2**20])
    head = ["protocol", "thousand records/s", "CPU µs a record", "of the native one's", "of the same fields", "peak MB"]
    return table(head, rows)


def _chosen(words: Sequence[str]) -> list[str]:
    """The native way, and those whose names hold one of the words, whatever their case."""
    is_meant = [not words or any(word.lower() in name.lower() for word in words) for name in WAYS]
    return [name for name, is_so in zip(WAYS, is_meant, strict=True) if is_so or name == NATIVE]


def _way(name: str) -> Way:
    return (WAYS | PLAIN)[name]


def _measure(name: str, path: Path) -> tuple[float, float, int]:
    """CPU µs of the server a record, records a second, and the server's peak memory."""
    way = _way(name)
    port = free_port()
    flags = ("--log-level", "error", *((f"--{way.listener}", f"127.0.0.1:{port}") if way.listener else ()))
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        ServerProcess(Path(directory) / "data", *flags) as server,
    ):
        before_s = cpu_s(server.pid)
        command = [sys.executable, "-m", "bench.agents", name, str(path), str(port if way.listener else server.port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
            began_s = float(_line_of(sender))
            _line_of(sender)
            _await_records(server)
            took_s = time.time() - began_s
        server.flush()
        return (cpu_s(server.pid) - before_s) / RECORDS * 1e6, RECORDS / took_s, peak_memory_bytes(server.pid)


def _line_of(sender: "subprocess.Popen[str]") -> str:
    assert sender.stdout is not None
    return sender.stdout.readline()


def _await_records(server: ServerProcess) -> None:
    while f"logstore_accepted_records_total {float(RECORDS)}" not in server.client.get("/metrics").text:
        time.sleep(0.01)


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    with path.open("rb") as file:
        for _ in range(RECORDS // BATCH):
            yield [orjson.loads(line) for line in islice(file, BATCH)]


def _send(name: str, path: Path, port: int) -> None:
    way = _way(name)
    bodies: SimpleQueue[bytes | None] = SimpleQueue()
    for batch in _batches(path):
        bodies.put(way.encode(batch))
    for _ in range(CONNECTIONS):
        bodies.put(None)
    send = _stream if way.listener else _upload if way.is_endless else _post
    threads = [threading.Thread(target=send, args=(way, bodies, port)) for _ in range(CONNECTIONS)]
    print(time.time(), flush=True)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("sent", flush=True)


def _post(way: Way, bodies: "SimpleQueue[bytes | None]", port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while (body := bodies.get()) is not None:
        connection.request("POST", way.path, body, dict(way.headers))
        _check(connection.getresponse())
    connection.close()


def _upload(way: Way, bodies: "SimpleQueue[bytes | None]", port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {**dict(way.headers), "Transfer-Encoding": "chunked"}
    connection.request("POST", way.path, iter(bodies.get, None), headers, encode_chunked=True)
    _check(connection.getresponse())
    connection.close()


def _check(answer: http.client.HTTPResponse) -> None:
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{answer.status}: {text.decode()}")


def _stream(way: Way, bodies: "SimpleQueue[bytes | None]", port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while (body := bodies.get()) is not None:
            connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass


if __name__ == "__main__":
    _send(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
