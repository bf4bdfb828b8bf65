"""Who sends: what is remembered of senders, and how it is asked for."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ingest.request import Reject, Sender
from server.sources import Sources
from server.telemetry import IngestMetrics
from tests.serving import ServerProcess, free_port

S = 1_000_000_000


def make(senders_max: int = 10) -> Sources:
    return Sources(IngestMetrics(CollectorRegistry()), senders_max)


def names(sources: Sources, silent_s: int = 0, now_s: int = 1000) -> list[str]:
    return [source.sender.name for source in sources.read(silent_s * S, now_s * S)]


def test_a_sender_is_counted_by_protocol_address_and_name() -> None:
    sources = make()
    for sender in (Sender("10.0.0.1", "Vector"), Sender("10.0.0.1", "Vector"), Sender("10.0.0.2", "Vector")):
        sources.record("loki", sender, 10, 1000, now_ns=7 * S)
    sources.record("syslog", Sender("10.0.0.1", "Vector"), 1, 10, now_ns=8 * S)
    found = {(s.protocol, s.sender.address): (s.records, s.bytes) for s in sources.read(0, 9 * S)}
    expected = {("loki", "10.0.0.1"): (20, 2000), ("loki", "10.0.0.2"): (10, 1000), ("syslog", "10.0.0.1"): (1, 10)}
    assert found == expected


def test_a_metric_tells_when_a_protocol_was_last_heard_of() -> None:
    registry = CollectorRegistry()
    sources = Sources(IngestMetrics(registry))
    sources.record("loki", Sender("10.0.0.1"), 1, 1, now_ns=7 * S)
    sources.record("loki", Sender("10.0.0.2"), 1, 1, now_ns=8 * S)
    sources.refuse("loki", Sender("10.0.0.1"), "invalid", "no stream", now_ns=9 * S)
    assert registry.get_sample_value("logstore_ingest_last_seen_seconds", {"protocol": "loki"}) == 8


def test_the_one_that_stopped_sending_comes_first() -> None:
    sources = make()
    sources.record("loki", Sender(name="stopped"), 1, 1, now_ns=100 * S)
    sources.record("loki", Sender(name="busy"), 1, 1, now_ns=50 * S)
    sources.record("loki", Sender(name="busy"), 1, 1, now_ns=990 * S)
    assert names(sources) == ["stopped", "busy"]
    assert names(sources, silent_s=600) == ["stopped"]


def test_one_of_which_nothing_is_taken_is_silent_whatever_it_sends() -> None:
    sources = make()
    sender = Sender(name="wrong")
    sources.refuse("loki", sender, "invalid", "no stream", now_ns=100 * S)
    sources.refuse("loki", sender, "too_large", "over 64 MiB", now_ns=999 * S)
    (source,) = sources.read(600 * S, 1000 * S)
    assert (source.first_seen_ns, source.last_seen_ns) == (100 * S, 0)
    assert source.refused == {"invalid": 1, "too_large": 1}
    assert (source.last_error, source.last_error_ns) == ("over 64 MiB", 999 * S)


def test_rejects_are_counted_by_reason() -> None:
    sources = make()
    rejects = [Reject(1, "no JSON"), Reject(2, "a long line", "too_long"), Reject(3, "no JSON")]
    sources.record("native", Sender(), 5, 100, rejects, now_ns=1 * S, unread=2)
    (source,) = sources.read(0, 2 * S)
    assert source.rejected == {"invalid": 2, "too_long": 1}
    assert (source.records, source.unread, source.last_error) == (5, 2, "no JSON")


def test_the_senders_seen_longest_ago_are_let_go_and_counted() -> None:
    sources = make(senders_max=3)
    for second, name in enumerate(("a", "b", "c", "a", "d", "e")):
        sources.record("loki", Sender(name=name), 1, 1, now_ns=(second + 1) * S)
    assert names(sources) == ["a", "d", "e"]
    assert sources.forgotten == 2


def test_what_was_read_does_not_change_any_more() -> None:
    sources = make()
    sources.record("native", Sender(), 1, 1, [Reject(1, "x")], now_ns=1)
    (read,) = sources.read(0, 2)
    sources.record("native", Sender(), 1, 1, [Reject(1, "x")], now_ns=3)
    assert (read.records, read.rejected) == (1, {"invalid": 1})


def ask(server: ServerProcess, **params: str) -> list[dict[str, Any]]:
    answer = server.client.get("/api/v1/sources", params=params)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["sources"]
    return rows


def test_a_server_tells_who_sent_what(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        assert ask(server) == []
        agent = {"User-Agent": "Fluent-Bit/5.0 (linux)"}
        server.post(b'{"message":"a"}\nnonsense\n', headers=agent)
        server.post(b"nonsense", headers=agent)
        server.post(b'{"message":"b"}\n', headers={"User-Agent": "curl/8.1"})
        first, second = ask(server)
        assert (first["protocol"], first["address"], first["name"]) == ("native", "127.0.0.1", "Fluent-Bit")
        assert (first["records"], first["bytes"]) == (1, 25)
        assert (first["rejected"], first["refused"]) == ({"no_json": 1}, {"invalid": 1})
        assert first["first_seen"] <= first["last_seen"] <= first["last_error_time"]
        assert "not JSON" in first["last_error"]
        assert second["name"] == "curl"
        assert "last_error" not in second
        assert ask(server, silent="1h") == []


@pytest.mark.parametrize("silent", ["often", "-1s"])
def test_a_duration_that_is_none_is_named(shared: ServerProcess, silent: str) -> None:
    answer = shared.client.get("/api/v1/sources", params={"silent": silent})
    assert answer.status_code == 400
    assert "silent" in json.loads(answer.text)["error"]


def test_senders_over_sockets_are_counted_too(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", "--forward-listen", f"127.0.0.1:{port}") as server:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"\x93\xa3tag\x01\x81\xa7message\xa5hello" * 3)
        server.await_metric('logstore_ingest_records_total{protocol="forward"} 3.0')
        (source,) = server.client.get("/api/v1/sources").json()["sources"]
        assert (source["protocol"], source["address"], source["records"]) == ("forward", "127.0.0.1", 3)
        assert source["bytes"] > 3 * len("hello")


def test_hosts_behind_a_relay_are_told_apart(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", "--syslog-tcp-listen", f"127.0.0.1:{port}") as server:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for host in ("web-1", "web-2", "web-1"):
                connection.sendall(f"<13>1 2026-03-01T12:00:00Z {host} app - - - hello\n".encode())
        server.await_metric('logstore_ingest_records_total{protocol="syslog"} 3.0')
        found = {
            (s["address"], s["name"]): s["records"] for s in server.client.get("/api/v1/sources").json()["sources"]
        }
        assert found == {("127.0.0.1", "web-1"): 2, ("127.0.0.1", "web-2"): 1}
