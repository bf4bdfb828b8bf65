"""Connections of protocols that are not HTTP, as their clients meet them: bounds, silence, malice, the stop."""

import json
import os
import select
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.forwarding import Client, lines, packed
from tests.server.certificates import Pair
from tests.server.test_tls import Certificates
from tests.server.test_tls import client as https
from tests.serving import ServerProcess, free_port

Start = Callable[..., ServerProcess]


@pytest.fixture
def forward(server: Start) -> Callable[..., tuple[ServerProcess, int]]:
    """A server that takes forward, and at which port."""

    def start(**settings: object) -> tuple[ServerProcess, int]:
        port = free_port()
        return server(forward_listen=f"127.0.0.1:{port}", **settings), port

    return start


Forward = Callable[..., tuple[ServerProcess, int]]


def stored(process: ServerProcess) -> list[str]:
    """All messages, in the order of the alphabet."""
    text = process.query("* | fields message | sort by message", limit=0).text
    return [json.loads(line)["message"] for line in text.splitlines()]


def test_a_malformed_stream_is_closed_and_does_not_touch_others(forward: Forward) -> None:
    process, port = forward()
    with Client(port) as healthy, Client(port) as malformed, Client(port) as http:
        healthy.deliver("app", lines(["before"]), "1")
        malformed.send(b"\x93\xa1t\xc1")
        assert malformed.answer() is None
        http.send(b"GET / HTTP/1.1\r\n\r\n")
        assert http.answer() is None
        healthy.deliver("app", lines(["after"]), "2")
    assert stored(process) == ["after", "before"]
    process.await_metric('logstore_stream_connections_cut_total{protocol="forward",reason="malformed"} 2.0')
    assert "this begins with the byte 0x47" in process.log_tail()


def test_who_falls_silent_in_a_message_is_cut_and_who_does_between_messages_is_not(forward: Forward) -> None:
    process, port = forward(receive_timeout="1s")
    with Client(port) as idle, Client(port) as begun:
        begun.send(packed("app", lines(["never complete"]))[:-3])
        assert begun.answer() is None
        idle.deliver("app", lines(["still here"]), "1")
    process.await_metric('logstore_stream_connections_cut_total{protocol="forward",reason="silent"} 1.0')
    assert stored(process) == ["still here"]


def test_a_slow_client_gets_there(forward: Forward) -> None:
    process, port = forward(receive_timeout="1s")
    with Client(port) as slow:
        content = packed("app", lines(["byte by byte"]), chunk="1")
        for at in range(len(content)):
            slow.send(content[at : at + 1])
        assert slow.answer() == {"ack": "1"}
    assert stored(process) == ["byte by byte"]


def test_connections_have_a_bound(forward: Forward) -> None:
    process, port = forward(max_connections=3)
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(Client(port)) for _ in range(3)]
        for at, client in enumerate(clients):
            client.deliver("app", lines([f"from {at}"]), str(at))
        with Client(port) as one_more:
            assert one_more.answer() is None
    process.await_metric('logstore_stream_connections_cut_total{protocol="forward",reason="too_many"} 1.0')
    process.await_metric('logstore_stream_connections{protocol="forward"} 0.0')
    with Client(port) as later:
        later.deliver("app", lines(["later"]), "later")


def test_a_message_over_max_body_closes_its_connection(forward: Forward) -> None:
    process, port = forward(max_body="1MiB", max_line="1MiB")
    with Client(port) as large:
        large.send(packed("app", b"x" * (1 << 20))[:100])
        assert large.answer() is None
    assert "(max_body)" in process.log_tail()


def test_messages_that_never_end_cannot_take_all_the_memory_for_long(forward: Forward) -> None:
    process, port = forward(ingest_memory="4MiB", max_body="4MiB", max_line="1MiB", receive_timeout="2s")
    body = packed("app", lines(["x" * 1000] * 2500))
    with ExitStack() as open_ones:
        for _ in range(4):
            open_ones.enter_context(Client(port)).send(body[:1_500_000])
        with Client(port) as healthy:
            healthy.deliver("app", lines(["gets through"]), "1")
    assert stored(process) == ["gets through"]


def test_a_stop_in_the_midst_of_a_stream_loses_nothing_that_was_acknowledged(forward: Forward) -> None:
    process, port = forward()
    acknowledged: list[str] = []

    def stream() -> None:
        with Client(port) as client:
            for number in range(100_000):
                client.send(packed("app", lines([f"{number} {at}" for at in range(100)]), chunk=str(number)))
                if client.answer() is None:
                    return
                acknowledged.extend(f"{number} {at}" for at in range(100))

    sender = threading.Thread(target=stream)
    with Client(port) as idle:
        sender.start()
        idle.deliver("app", lines(["idle"]), "idle")
        _until(lambda: len(acknowledged) > 1000)
        os.kill(process.pid, signal.SIGTERM)
        sender.join()
        assert idle.answer() is None
    assert process.stop() == 0
    process.start()
    assert set(stored(process)) >= {*acknowledged, "idle"}


def test_what_nobody_asked_an_acknowledgement_for_is_stored_when_its_sender_is_gone(forward: Forward) -> None:
    process, port = forward()
    with Client(port) as client:
        client.send(b"".join(packed("app", lines([f"{number} {at}" for at in range(100)])) for number in range(1000)))
    process.await_metric('logstore_ingest_records_total{protocol="forward"} 100000.0')
    [source] = process.client.get("/api/v1/sources").json()["sources"]
    assert (source["protocol"], source["records"]) == ("forward", 100_000)


def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(2000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never was")


def test_clients_that_connect_before_the_store_is_open_are_served(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", "--forward-listen", f"127.0.0.1:{port}") as process:
        process.stop()
        process.spawn()
        with _connect(port) as client:
            client.deliver("app", lines(["early"]), "1")
        process.wait_until_ready()
        assert stored(process) == ["early"]


def _connect(port: int) -> Client:
    for _ in range(10_000):
        try:
            return Client(port)
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise AssertionError("nobody listens")


def test_while_nothing_can_be_stored_senders_wait_and_are_not_answered(forward: Forward) -> None:
    process, port = forward(disk_reserve="1000TiB")
    with Client(port) as client:
        client.send(packed("app", lines(["waits"]), chunk="1"))
        _until(lambda: _is_held(process))
        assert select.select([client.socket], [], [], 0)[0] == []
        assert process.stop() == 0


def _is_held(process: ServerProcess) -> bool:
    text = process.client.get("/metrics").text
    return any(line.startswith("logstore_stream_held_total") and line.split()[-1] > "1.0" for line in text.splitlines())


def test_a_sender_that_is_faster_than_the_disk_is_held_back_not_cut(forward: Forward) -> None:
    process, port = forward(disk_reserve="1000TiB", ingest_memory="4MiB", max_body="2MiB", max_line="1MiB")
    content = packed("app", lines(["x" * 1000] * 500))
    with Client(port, timeout_s=2.0) as fast:
        with pytest.raises(TimeoutError):
            for _ in range(200):
                fast.send(content)
        assert process.client.get("/healthz").status_code == 200
        held = next(line for line in process.client.get("/metrics").text.splitlines() if "held_bytes" in line[:30])
        assert float(held.split()[-1]) <= 4 << 20


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_tls_asks_for_the_clients_certificate(certificates: Certificates) -> None:
    port = free_port()
    process = ServerProcess(
        certificates.ca.cert.parent / "data",
        *("--tls-cert-file", str(certificates.server.cert), "--tls-private-key-file", str(certificates.server.key)),
        *("--client-ca-file", str(certificates.ca.cert), "--forward-listen", f"tls://127.0.0.1:{port}"),
    )
    process.url = process.url.replace("http:", "https:")
    process.client = https(process.url, certificates, certificates.client)
    with process:
        with Client(port, _context(certificates, certificates.client)) as known:
            known.deliver("app", lines([f"line {at:06}" for at in range(50_000)]), "1")
        with (
            pytest.raises((OSError, AssertionError)),
            Client(port, _context(certificates, certificates.stranger)) as it,
        ):
            it.deliver("app", lines(["strange"]), "2")
        with Client(port) as plain:
            plain.send(packed("app", lines(["plain"])))
            assert plain.answer() is None
        assert len(stored(process)) == 50_000


def _context(certificates: Certificates, pair: Pair) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates.ca.cert))
    context.load_cert_chain(pair.cert, pair.key)
    return context


def test_a_thousand_idle_and_two_hundred_active_connections_fit_into_the_memory(forward: Forward) -> None:
    process, port = forward()
    with ExitStack() as open_ones:
        for _ in range(1000):
            open_ones.enter_context(Client(port))
        before = _resident_bytes(process.pid)
        active = [open_ones.enter_context(Client(port)) for _ in range(200)]
        threads = [threading.Thread(target=_send_much, args=(client, at)) for at, client in enumerate(active)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        process.await_metric('logstore_ingest_records_total{protocol="forward"} 200000.0')
        process.await_metric('logstore_stream_connections{protocol="forward"} 1200.0')
        assert before < 256 << 20
        assert _resident_bytes(process.pid) < 512 << 20


def _send_much(client: Client, number: int) -> None:
    for round_ in range(10):
        content = lines([f"{number} {round_} {at} of a sender that has something to say" for at in range(100)])
        client.deliver(f"app.{number}", content, f"{number}-{round_}")


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def test_datagrams_that_ask_for_a_sign_of_life_get_one(forward: Forward) -> None:
    _, port = forward()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heart:
        heart.settimeout(10)
        heart.sendto(b"\0", ("127.0.0.1", port))
        assert heart.recv(10) == b"\0"
