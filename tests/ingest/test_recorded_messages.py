"""What real senders of syslog and GELF sent, byte for byte (tests/data/syslog, tests/data/gelf), is understood.

A `.stream` is what came over one TCP connection; `.datagrams` are those of UDP, each after its size and a space.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.conversation import Datagrams, Frame
from ingest.messages import unpack
from ingest.one_way import OneWay
from ingest.protocols import gelf, syslog
from ingest.request import Decode, Request
from tests.ingest.decoded import rows_of

PEER, LONGEST = "10.0.0.1", 1 << 20
DATA = Path(__file__).parents[1] / "data"
NOW = int(datetime(2026, 11, 28, 9, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000_000


def frames(file: Path, conversation: OneWay, datagrams: Datagrams) -> list[Frame]:
    recorded = file.read_bytes()
    if file.suffix == ".stream":
        return [item for item in (*conversation.feed(recorded), *conversation.end()) if isinstance(item, Frame)]
    found = [datagrams.feed(message.content, "10.0.0.1") for _, message in unpack(recorded)]
    return [frame for frame in found if frame]


def records(file: Path, decode: Decode, conversation: OneWay, datagrams: Datagrams) -> list[dict[str, Any]]:
    body = b"".join(frame.body for frame in frames(file, conversation, datagrams))
    return rows_of(decode(Request(body, NOW)))


MICROSECONDS = {
    "rsyslog-counted-rfc5424": 968_769,
    "rsyslog-counted-forward": 196_372,
    "rsyslog-lines-forward": 673_586,
}
MACHINES = {
    "rsyslog-counted-rfc5424": 11,
    "rsyslog-counted-forward": 14,
    "rsyslog-counted-traditional": 16,
    "rsyslog-lines-forward": 18,
    "syslog-ng-network": 21,
    "syslog-ng-syslog": 23,
}


@pytest.mark.parametrize("name", MACHINES)
def test_daemons(name: str) -> None:
    found = records(
        DATA / "syslog" / f"{name}.stream",
        syslog.decoder(),
        syslog.conversation(PEER, LONGEST),
        syslog.Datagrams(),
    )
    assert [row["message"].removeprefix(" ") for row in found] == [f"grüße {n} aus der Maschine" for n in range(3)]
    assert {(row["namespace"], row["pod"], row["container"]) for row in found} == {("_node", "vm", "backup")}
    assert [row["severity"] for row in found] == ["error", "warn", "info"]
    assert {row["attributes"]["procid"] for row in found} == {"42"}
    second = datetime(2026, 11, 28, 8, 34, MACHINES[name], MICROSECONDS.get(name, 0), tzinfo=UTC)
    assert found[0]["time"] == round(second.timestamp() * 1e6) * 1000
    if name == "syslog-ng-syslog":
        assert [row["attributes"]["meta"] for row in found] == [{"sequenceId": str(number)} for number in (1, 2, 3)]


SENDERS = {
    "logger-udp-rfc5424.datagrams": ("vm", "backup", ["warn"]),
    "logger-udp-rfc3164.datagrams": ("vm", "backup", ["warn"]),
    "logger-tcp-rfc5424-counted.stream": ("vm", "backup", ["warn"]),
    "logger-tcp-rfc3164.stream": ("vm", "backup", ["warn"]),
    "python-tcp.stream": ("10.0.0.1", "shop", ["warn", "error"]),
    "python-udp.datagrams": ("10.0.0.1", "shop", ["warn", "error"]),
    "rfc5424-logging-handler-counted.stream": ("web-1", "shop", ["warn", "error"]),
    "syslog-client-rfc3164.stream": ("node-host", "shop", ["error", "error"]),
    "syslog-client-rfc5424.stream": ("node-host", "shop", ["error", "error"]),
}


@pytest.mark.parametrize("name", SENDERS)
def test_programs_and_libraries(name: str) -> None:
    found = records(DATA / "syslog" / name, syslog.decoder(), syslog.conversation(PEER, LONGEST), syslog.Datagrams())
    host, app, severities = SENDERS[name]
    assert {(row["pod"], row["container"]) for row in found} == {(host, app)}
    assert [row["severity"] for row in found] == severities
    assert [row["message"].splitlines()[0] for row in found] in (
        ["grüße aus der Shell"],
        ["first wörd", "second"],
        ["first", "grüße"],
    )
    assert all("_ingest_error" not in row["attributes"] for row in found)
    if severities == ["warn", "error"]:
        assert found[1]["message"].endswith("ValueError: what went wrong")


GELF = {
    "pygelf-udp.datagrams": ["first wörd", "second"],
    "pygelf-udp-chunked.datagrams": ["first wörd", "second"],
    "pygelf-tcp.stream": ["first wörd", "second"],
    "graypy-udp.datagrams": ["first wörd", "second"],
    "graypy-tcp.stream": ["first wörd", "second"],
    "gelf-pro-udp.datagrams": ["first grüße", "second"],
    "gelf-pro-tcp.stream": ["second"],
}


@pytest.mark.parametrize("name", GELF)
def test_libraries_that_send_gelf(name: str) -> None:
    found = records(DATA / "gelf" / name, gelf.decode_messages, gelf.conversation(PEER, LONGEST), gelf.Datagrams())
    assert sorted(row["message"].split(" ")[0] for row in found) == sorted(text.split(" ")[0] for text in GELF[name])
    assert {row["pod"] for row in found} == {"vm"}
    assert all("_ingest_error" not in row["attributes"] for row in found)
    if name.startswith("pygelf"):
        first = next(row for row in found if row["message"] == "first wörd")
        assert (first["attributes"]["took_ms"], first["attributes"]["user"]) == (12, "ann")
        second = next(row for row in found if row["message"] == "second")
        assert second["attributes"]["full_message"].endswith("ValueError: what went wrong\n")
