"""rsyslog and syslog-ng forward to the server, over every transport and framing that they have."""

import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import time

import pytest

from tests.clients.listening import Listening, listening
from tests.clients.relays import Relay, rsyslog, syslog_ng

HOST = socket.gethostname()
LOCAL3_ERR, LOCAL3_NOTICE = 19 * 8 + 3, 19 * 8 + 5
LINES = 200


@pytest.fixture(scope="module")
def syslog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    found = listening(tmp_path_factory.mktemp("syslog"), "syslog")
    with found.server:
        yield found


def exchange(syslog: Listening, relay: Relay, tag: str) -> None:
    """What is written to the relay arrives, each line once and in order."""
    before_s = time()
    with relay:
        for number in range(LINES):
            relay.write(LOCAL3_NOTICE if number else LOCAL3_ERR, f"{tag}[42]", f"grüße {number} aus der Maschine")
        found = syslog.server.await_records(f'container="{tag}"', LINES)
    # rsyslog's template for RFC 5424 writes two spaces before the message, of which the second is the message's.
    sent = sorted(f"grüße {number} aus der Maschine" for number in range(LINES))
    assert sorted(row["message"].removeprefix(" ") for row in found) == sent
    assert {(row["namespace"], row["pod"], row["labels"]["node"]) for row in found} == {("_node", HOST, HOST)}
    assert sorted({row["severity"] for row in found}) == ["error", "info"]
    assert {row["attributes"]["facility"] for row in found} == {"local3"}
    assert {row["attributes"]["procid"] for row in found} == {"42"}
    times = [datetime.fromisoformat(row["time"]).timestamp() for row in found]
    assert before_s - 1 <= min(times) and max(times) <= time() + 1


TEMPLATES = ("RSYSLOG_SyslogProtocol23Format", "RSYSLOG_ForwardFormat", "RSYSLOG_TraditionalForwardFormat")


@pytest.mark.needs_program("rsyslogd")
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("framing", ["octet-counted", "traditional", "udp"])
def test_rsyslog_forwards(syslog: Listening, tmp_path: Path, framing: str, template: str) -> None:
    action = f'port="{syslog.udp}" protocol="udp"'
    if framing != "udp":
        action = f'port="{syslog.tcp}" protocol="tcp" TCP_Framing="{framing}"'
    relay = rsyslog(tmp_path, f'{action} template="{template}"')
    exchange(syslog, relay, f"rsyslog-{framing[:3]}-{template.removeprefix('RSYSLOG_')[:8]}")


@pytest.mark.needs_program("rsyslogd", "lmnsd_gtls.so")
@pytest.mark.parametrize("framing", ["octet-counted", "traditional"])
def test_rsyslog_forwards_over_tls(syslog: Listening, tmp_path: Path, framing: str) -> None:
    relay = rsyslog(
        tmp_path,
        f'port="{syslog.tls}" protocol="tcp" TCP_Framing="{framing}" template="RSYSLOG_SyslogProtocol23Format"'
        ' StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name"'
        ' StreamDriverPermittedPeers="localhost"',
        syslog.ca.cert,
    )
    exchange(syslog, relay, f"rsyslog-tls-{framing}")


@pytest.mark.needs_program("syslog-ng")
@pytest.mark.parametrize("driver", ["network", "syslog"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_syslog_ng_forwards(syslog: Listening, tmp_path: Path, driver: str, transport: str) -> None:
    port = {"udp": syslog.udp, "tcp": syslog.tcp, "tls": syslog.tls}[transport]
    tls = f' tls(ca-file("{syslog.ca.cert}") peer-verify(required-trusted))' if transport == "tls" else ""
    relay = syslog_ng(tmp_path, f'{driver}("localhost" port({port}) transport("{transport}"){tls})')
    exchange(syslog, relay, f"syslog-ng-{driver}-{transport}")


def rsyslog_with_a_queue(directory: Path, port: int) -> Relay:
    return rsyslog(
        directory,
        f'port="{port}" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"'
        ' queue.type="LinkedList" queue.filename="waiting" queue.saveOnShutdown="on" queue.maxDiskSpace="64m"'
        ' action.resumeRetryCount="-1" action.resumeInterval="1"',
    )


def syslog_ng_with_a_queue(directory: Path, port: int) -> Relay:
    buffer = f'disk-buffer(reliable(yes) disk-buf-size(8388608) dir("{directory}"))'
    return syslog_ng(directory, f'syslog("127.0.0.1" port({port}) transport("tcp") {buffer})')


@pytest.mark.parametrize(
    "relay_with_a_queue",
    [
        pytest.param(rsyslog_with_a_queue, marks=pytest.mark.needs_program("rsyslogd")),
        pytest.param(syslog_ng_with_a_queue, marks=pytest.mark.needs_program("syslog-ng")),
    ],
)
def test_a_daemon_with_a_queue_outlives_a_server_that_is_killed(
    tmp_path: Path, relay_with_a_queue: Callable[[Path, int], Relay]
) -> None:
    """What it gave to the kernel of a server that dies then may be lost, and nothing else."""
    syslog = listening(tmp_path, "syslog")
    relay = relay_with_a_queue(tmp_path, syslog.tcp)
    with syslog.server, relay:
        for number in range(LINES):
            relay.write(LOCAL3_NOTICE, "app", f"before {number}")
        syslog.server.await_records("before", LINES)
        syslog.server.kill()
        for number in range(LINES):
            relay.write(LOCAL3_NOTICE, "app", f"meanwhile {number}")
        syslog.server.start()
        for number in range(LINES):
            relay.write(LOCAL3_NOTICE, "app", f"after {number}")
        assert len(syslog.server.await_records("after", LINES)) == LINES
        assert len(syslog.server.records("before")) == LINES
        meanwhile = [row["message"] for row in syslog.server.records("meanwhile")]
        assert len(set(meanwhile)) == len(meanwhile) >= LINES - 2
