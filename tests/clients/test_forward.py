"""Fluent forward with real clients: fluent-logger for Python and for Node, @fluent-org/logger; and, built by our own
encoder since no registry has them, what Fluentd and Fluent Bit put on the wire."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fluent.asyncsender import FluentSender as AsyncFluentSender
from fluent.sender import EventTime, FluentSender

from tests.clients.installed import run_node
from tests.forwarding import EPOCH_NS, Client, lines, packed
from tests.server.certificates import authority, signed
from tests.serving import ServerProcess, free_port

KEY = "a key that is shared"


@dataclass(frozen=True, slots=True)
class Taking:
    """A server that takes forward at a port."""

    server: ServerProcess
    port: int


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taking]:
    port = free_port()
    data = tmp_path_factory.mktemp("forward") / "data"
    with ServerProcess(data, "--forward-listen", f"127.0.0.1:{port}") as server:
        yield Taking(server, port)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that asks for a shared key, at one port in TLS."""

    plain: Taking
    tls_port: int
    ca: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    port, tls_port = free_port(), free_port()
    directory = tmp_path_factory.mktemp("guarded")
    ca = authority(directory, "ca")
    pair = signed(directory, "server", ca)
    (directory / "keys").write_text(f"another key\n{KEY}\n")
    server = ServerProcess(
        directory / "data",
        *("--tls-cert-file", str(pair.cert), "--tls-private-key-file", str(pair.key)),
        *("--forward-shared-key-file", str(directory / "keys")),
        *("--forward-listen", f"127.0.0.1:{port},tls://127.0.0.1:{tls_port}"),
    )
    server.use_tls(ca.cert)
    with server:
        yield Guarded(Taking(server, port), tls_port, ca.cert)


def test_fluent_logger_for_python_with_nanoseconds_and_without(plain: Taking) -> None:
    sender = FluentSender("python", host="127.0.0.1", port=plain.port, nanosecond_precision=True)
    record = {"message": "disk full", "level": "error", "free": 0, "ratio": 0.5, "ok": False, "disks": ["a", {"b": 1}]}
    assert sender.emit_with_time("app", EventTime.from_unix_nano(EPOCH_NS), record), sender.last_error
    assert sender.emit_with_time("app", 1_770_000_001, {"message": "whole seconds", "stream": "stderr"})
    sender.close()
    first, second = plain.server.await_records("tag:python.app", 2)
    assert first["time"] == "2026-02-02T02:40:00.123456789Z"
    assert (first["message"], first["severity"]) == ("disk full", "error")
    given = {"tag": "python.app", "free": 0, "ratio": 0.5, "ok": False, "disks": ["a", {"b": 1}]}
    assert first["attributes"] == given
    assert second["time"] == "2026-02-02T02:40:01.000000000Z"
    assert second["stream"] == "stderr"


def test_fluent_loggers_queue_for_python(plain: Taking) -> None:
    sender = AsyncFluentSender("queue", host="127.0.0.1", port=plain.port, nanosecond_precision=True)
    for number in range(500):
        sender.emit("app", {"message": f"line {number}"})
    sender.close()
    found = plain.server.await_records("tag:queue.app", 500)
    assert [record["message"] for record in found] == [f"line {number}" for number in range(500)]


NODE_FLUENT_LOGGER = """
const [port, mode, tls, key] = process.argv.slice(1)
const fs = require('fs'), FluentLogger = require('fluent-logger'), EventTime = FluentLogger.EventTime
const logger = FluentLogger.createFluentSender('node', {
  host: '127.0.0.1', port: Number(port), eventMode: mode, requireAckResponse: true, flushInterval: 10, timeout: 30,
  internalLogger: { info() {}, error(...told) { console.error(...told) } },
  ...(tls ? { tls: true, tlsOptions: { ca: fs.readFileSync(tls) } } : {}),
  ...(key ? { security: { clientHostname: 'node-client', sharedKey: key } } : {}),
})
logger.on('error', (error) => { console.log('error ' + error.message); process.exit(0) })
let waiting = 100
for (let i = 0; i < 100; i++) {
  const time = new EventTime(1770000000, 123456789 + i)
  logger.emit(mode, { message: `line ${i}`, level: 'warn', number: i, nested: { ok: true } }, time, (error) => {
    if (error) { console.log('error ' + error.message); process.exit(0) }
    if (--waiting === 0) { console.log('acknowledged'); logger.end(() => process.exit(0)) }
  })
}
"""


def is_what_node_sent(records: list[dict[str, Any]], tag: str) -> bool:
    assert [record["message"] for record in records] == [f"line {number}" for number in range(100)]
    for number, record in enumerate(records):
        assert record["time"] == f"2026-02-02T02:40:00.{123456789 + number}Z"
        assert record["severity"] == "warn"
        assert record["attributes"] == {"tag": tag, "number": number, "nested": {"ok": True}}
    return True


@pytest.mark.needs_npm("fluent-logger")
@pytest.mark.parametrize("mode", ["Message", "PackedForward", "CompressedPackedForward"])
def test_fluent_logger_for_node_gets_its_acknowledgements(plain: Taking, mode: str) -> None:
    assert run_node(NODE_FLUENT_LOGGER, str(plain.port), mode) == "acknowledged\n"
    assert is_what_node_sent(plain.server.records(f"tag:node.{mode}"), f"node.{mode}")


@pytest.mark.needs_npm("fluent-logger")
def test_fluent_logger_for_node_with_a_shared_key(guarded: Guarded) -> None:
    taking = guarded.plain
    assert run_node(NODE_FLUENT_LOGGER, str(taking.port), "Message", "", KEY) == "acknowledged\n"
    assert is_what_node_sent(taking.server.records("tag:node.Message"), "node.Message")
    assert "shared_key mismatch" in run_node(NODE_FLUENT_LOGGER, str(taking.port), "Message", "", "wrong")


@pytest.mark.needs_npm("fluent-logger")
def test_fluent_logger_for_node_in_tls(guarded: Guarded) -> None:
    told = run_node(NODE_FLUENT_LOGGER, str(guarded.tls_port), "PackedForward", str(guarded.ca), KEY)
    assert told == "acknowledged\n"
    assert is_what_node_sent(guarded.plain.server.records("tag:node.PackedForward"), "node.PackedForward")


FLUENT_ORG = """
const [port, mode, key] = process.argv.slice(1)
const { FluentClient, EventTime } = require('@fluent-org/logger')
const client = new FluentClient('org', {
  eventMode: mode, ack: { ackTimeout: 30000 }, socket: { host: '127.0.0.1', port: Number(port), timeout: 30000 },
  ...(key ? { security: { clientHostname: 'node-client', sharedKey: key } } : {}),
})
const record = (i) => ({ message: `line ${i}`, level: 'warn', number: i, nested: { ok: true } })
const time = (i) => new EventTime(1770000000, 123456789 + i)
const sent = Array.from({ length: 100 }, (_, i) => client.emit(mode, record(i), time(i)))
Promise.all(sent).then(() => { console.log('acknowledged'); return client.shutdown() }).then(() => process.exit(0))
"""


@pytest.mark.needs_npm("@fluent-org/logger")
@pytest.mark.parametrize("mode", ["Message", "Forward", "PackedForward", "CompressedPackedForward"])
def test_fluent_orgs_logger_gets_its_acknowledgements(plain: Taking, mode: str) -> None:
    assert run_node(FLUENT_ORG, str(plain.port), mode) == "acknowledged\n"
    assert is_what_node_sent(plain.server.records(f"tag:org.{mode}"), f"org.{mode}")


@pytest.mark.needs_npm("@fluent-org/logger")
def test_fluent_orgs_logger_with_a_shared_key(guarded: Guarded) -> None:
    assert run_node(FLUENT_ORG, str(guarded.plain.port), "PackedForward", KEY) == "acknowledged\n"
    assert is_what_node_sent(guarded.plain.server.records("tag:org.PackedForward"), "org.PackedForward")


def test_as_fluent_bit_would_send_with_a_token_as_its_shared_key(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "tokens").write_text("token-1\ntoken-2\n")
    bearer = {"Authorization": "Bearer token-1"}
    flags = ("--token-file", str(tmp_path / "tokens"), "--forward-listen", f"127.0.0.1:{port}")
    with ServerProcess(tmp_path / "data", *flags, headers=bearer) as server:
        with Client(port) as client:
            assert client.greet(b"token-2")[1] is True
            client.deliver("app", lines(["by key"]), "1")
        with Client(port) as client:
            assert client.greet(b"", "fluent", b"token-1")[1] is True
            client.deliver("app", lines(["by password"]), "2")
        with Client(port) as client:
            assert client.greet(b"token-3")[:3] == ["PONG", False, "shared_key mismatch"]
            assert client.answer() is None
        assert {record["message"] for record in server.records()} == {"by key", "by password"}
        server.await_metric('logstore_stream_connections_cut_total{protocol="forward",reason="refused"} 1.0')


class Fluentd:
    """Sends chunks as Fluentd does with `require_ack_response`: one without an answer is sent again, under its name."""

    def __init__(self, port: int, name: str) -> None:
        self._port = port
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[str] = []
        self._thread.start()

    def finish(self) -> None:
        """Returns after the chunk in hand."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            messages = [f"{self._name} {number} {at}" for at in range(50)]
            self._deliver(packed(f"fluentd.{self._name}", lines(messages), chunk=f"{self._name}-{number}"))
            self.acknowledged += messages
            number += 1

    def _deliver(self, content: bytes) -> None:
        while True:
            try:
                with Client(self._port, timeout_s=5.0) as client:
                    client.send(content)
                    if client.answer() is not None:
                        return
            except OSError:
                self._stop.wait(0.05)


def test_a_server_killed_in_the_midst_of_streams_loses_and_doubles_nothing_as_fluentd_sends(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", "--forward-listen", f"127.0.0.1:{port}") as server:
        senders = [Fluentd(port, name) for name in ("a", "b", "c")]
        for _ in range(4):
            _until_more(senders)
            server.kill()
            server.start()
        _until_more(senders)
        for sender in senders:
            sender.finish()
        found = Counter(record["message"] for record in server.records())
        assert found == Counter(message for sender in senders for message in sender.acknowledged)


def _until_more(senders: list[Fluentd]) -> None:
    goal = [len(sender.acknowledged) + 200 for sender in senders]
    waiting = threading.Event()
    for _ in range(3000):
        if all(len(sender.acknowledged) >= enough for sender, enough in zip(senders, goal, strict=True)):
            return
        waiting.wait(0.01)
    raise AssertionError("nothing is acknowledged any more")
