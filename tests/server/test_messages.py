"""Syslog and GELF sent to a real server: good senders beside bad, slow and very many ones."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.serving import ServerProcess, free_port

WITHIN_S = 30.0


class Listening:
    """A server that speaks both over UDP and TCP."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.ports = {name: free_port() for name in ("syslog-udp", "syslog-tcp", "gelf-udp", "gelf-tcp")}
        listeners = (flag for name, port in self.ports.items() for flag in (f"--{name}-listen", f"127.0.0.1:{port}"))
        self.server = ServerProcess(directory / "data", *listeners, *flags)

    def connect(self, name: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[name]), timeout=WITHIN_S)

    def send(self, name: str, *datagrams: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in datagrams:
                sender.sendto(datagram, ("127.0.0.1", self.ports[name]))


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    found = Listening(tmp_path_factory.mktemp("messages"))
    with found.server:
        yield found


HOSTILE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 4,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"99999999 <13>never so long",
    b"<999>1 - - - - - - \xff\xfe\n" * 50,
    b"\0" * 10_000,
    b"<13>" + b"x" * 300_000,
    b'{"short_message": ' + b"[" * 5000,
)


@pytest.mark.parametrize("name", ["syslog-tcp", "gelf-tcp"])
def test_a_good_sender_is_heard_beside_hostile_ones(listening: Listening, name: str) -> None:
    with ExitStack() as connections:
        for stream in HOSTILE:
            connections.enter_context(listening.connect(name)).sendall(stream)
        good = connections.enter_context(listening.connect(name))
        for number in range(10):
            word = f"good-{name}-{number}"
            sent = f"<14>1 - h app - - - {word}\n" if name == "syslog-tcp" else f'{{"short_message":"{word}"}}\0'
            good.sendall(sent.encode())
    found = listening.server.await_records(f'"good-{name}-"', 10)
    assert [row["message"] for row in found] == [f"good-{name}-{number}" for number in range(10)]


def test_hostile_datagrams_stop_nobody(listening: Listening) -> None:
    for name in ("syslog-udp", "gelf-udp"):
        listening.send(name, *(stream[:1400] for stream in HOSTILE), b"", b"\x1e\x0f", b"\x1e\x0f12345678\x01\x02x")
    listening.send("syslog-udp", b"<14>1 - h app - - - heard-in-datagrams")
    listening.send("gelf-udp", b'{"short_message":"heard-in-datagrams"}')
    listening.server.await_records("heard-in-datagrams", 2)


def test_half_a_message_waits_for_its_other_half(listening: Listening) -> None:
    with listening.connect("syslog-tcp") as slow:
        slow.sendall(b"<14>1 - h app - - - slow-but-")
        with listening.connect("syslog-tcp") as quick:
            quick.sendall(b"<14>1 - h app - - - quick-one\n")
        listening.server.await_records("quick-one", 1)
        slow.sendall(b"sure\n")
        listening.server.await_records("slow-but-sure", 1)


def test_a_message_without_its_end_counts_when_the_sender_leaves(listening: Listening) -> None:
    with listening.connect("syslog-tcp") as leaving:
        leaving.sendall(b"<14>1 - h app - - - left-without-an-end")
    listening.server.await_records("left-without-an-end", 1)


def test_a_message_of_ten_megabytes_is_whole(listening: Listening) -> None:
    text = "0123456789" * 1_000_000
    with listening.connect("syslog-tcp") as sender:
        sender.sendall(f"<14>1 - h huge-app - - - {text}\n".encode())
    with listening.connect("gelf-tcp") as sender:
        sender.sendall(json.dumps({"host": "huge", "short_message": text}).encode() + b"\0")
    found = listening.server.await_records("container=huge-app or pod=huge", 2)
    assert all(row["message"] == text for row in found)
    assert not any("_ingest_error" in row.get("attributes", {}) for row in found)


def test_a_message_that_is_too_long_is_cut_and_the_next_one_is_whole(listening: Listening) -> None:
    header = b"<14>1 - h long-app - - - "
    with listening.connect("syslog-tcp") as sender:
        sender.sendall(header + b"x" * (16 << 20) + b"\n" + header + b"short\n")
    first, second = sorted(
        listening.server.await_records('container="long-app"', 2), key=lambda row: -len(row["message"])
    )
    assert first["message"] == "x" * ((16 << 20) - len(header))
    assert first["attributes"]["_ingest_error"] == "cut off after 16,777,216 of 16,777,241 bytes"
    assert second["message"] == "short"


def test_very_many_connections_stay_open_and_each_is_heard(listening: Listening) -> None:
    count = 400
    with ExitStack() as connections:
        opened = [connections.enter_context(listening.connect("syslog-tcp")) for _ in range(count)]
        for number, connection in enumerate(opened):
            connection.sendall(f"<14>1 - h many-app - - - number {number}\n".encode())
        found = listening.server.await_records('container="many-app"', count)
        opened[-1].sendall(b"<14>1 - h many-app - - - again\n")
        listening.server.await_records('container="many-app" again', 1)
    assert {row["message"] for row in found} == {f"number {number}" for number in range(count)}


def test_lines_of_one_connection_keep_their_order(listening: Listening) -> None:
    with listening.connect("syslog-tcp") as sender:
        sender.sendall(b"".join(b"<14>1 2026-01-09T10:00:00Z h ordered - - - %d\n" % n for n in range(5000)))
    found = listening.server.await_records('container="ordered"', 5000)
    assert [row["message"] for row in found] == [str(number) for number in range(5000)]


def test_chunks_that_do_not_all_come_are_counted(tmp_path: Path) -> None:
    listening = Listening(tmp_path)
    with listening.server:
        listening.send("gelf-udp", b"\x1e\x0f12345678\x05\x02x")
        listening.server.await_metric('logstore_datagrams_dropped_total{protocol="gelf"} 1.0')


def test_what_was_received_is_stored_before_the_server_stops(tmp_path: Path) -> None:
    listening = Listening(tmp_path)
    with listening.server as server:
        with listening.connect("syslog-tcp") as sender:
            sender.sendall(b"<14>1 - h app - - - first\n")
            listening.server.await_records("first", 1)
            sender.sendall(b"".join(b"<14>1 - h app - - - line %d\n" % number for number in range(2000)))
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(1) == b""  # the server has read everything and closed
        assert server.stop() == 0
        server.start()
        assert len(listening.server.records('container="app"')) == 2001


def test_over_http_gelf_is_answered_as_its_clients_expect(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", "--max-body", "100KB", "--max-line", "50KB") as server:
        document = {"host": "h", "short_message": "x", "level": 3}
        good = server.client.post("/gelf", json=document)
        assert (good.status_code, good.content) == (202, b"")
        assert server.client.post("/gelf", content=b"no JSON").status_code == 400
        assert server.client.post("/gelf", content=b"{" * 200_000).status_code == 413
        assert json.loads(server.query("*").text)["severity"] == "error"


def test_times_without_a_zone_are_in_the_zone_of_the_setting(tmp_path: Path) -> None:
    listening = Listening(tmp_path, "--syslog-zone", "Asia/Kolkata")
    with listening.server:
        listening.send("syslog-udp", b"<14>Jan  9 10:00:00 2026 h app: x")
        (found,) = listening.server.await_records("*", 1)
        assert found["time"] == "2026-01-09T04:30:00.000000000Z"
