"""Programs and libraries that send syslog: what of theirs arrives."""

import logging
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from logging.handlers import SysLogHandler
from typing import Any

import pytest
import rfc5424logging

from tests.clients.installed import run_node
from tests.clients.listening import Listening, listening

HOST = socket.gethostname()


@pytest.fixture(scope="module")
def syslog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    found = listening(tmp_path_factory.mktemp("syslog"), "syslog")
    with found.server:
        yield found


def seconds_of(found: dict[str, Any]) -> float:
    return datetime.fromisoformat(found["time"]).timestamp()


@pytest.mark.needs_program("logger")
@pytest.mark.parametrize("form", [["--rfc5424"], ["--rfc3164"], []])
@pytest.mark.parametrize("transport", [["-d"], ["-T"], ["-T", "--octet-count"]])
def test_logger(syslog: Listening, form: list[str], transport: list[str]) -> None:
    tag = "-".join(["logger", *form, *transport]).replace("---", "-").replace("--", "-")
    port = syslog.udp if "-d" in transport else syslog.tcp
    structured = ["--msgid", "M1", "--sd-id", "ex@1", "--sd-param", 'k="a\\]b"'] if "--rfc5424" in form else []
    before_s = time.time()
    command = ["logger", "-n", "127.0.0.1", "-P", str(port), "-t", tag, "-p", "local3.warning", "--id=4711"]
    subprocess.run([*command, *transport, *form, *structured, "grüße aus der Shell"], check=True, timeout=30)
    (found,) = syslog.server.await_records(f'container="{tag}"', 1)
    assert (found["cluster"], found["namespace"], found["pod"]) == ("default", "_node", HOST)
    assert (found["severity"], found["message"]) == ("warn", "grüße aus der Shell")
    assert found["labels"] == {"node": HOST}
    attributes = found["attributes"]
    assert (attributes["facility"], attributes["procid"]) == ("local3", "4711")
    assert before_s - 1 <= seconds_of(found) <= time.time()
    if structured:
        assert attributes["msgid"] == "M1"
        assert attributes["ex@1"] == {"k": "a]b"}
        assert attributes["timeQuality"]["tzKnown"] == "1"
        assert before_s <= seconds_of(found)


@pytest.fixture
def logger(request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    found = logging.Logger(request.node.name)
    yield found
    for handler in found.handlers:
        handler.close()


def log_some(logger: logging.Logger) -> None:
    logger.warning("first %s", "wörd")
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logger.exception("second")
    logger.debug("third")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_pythons_own_handler(syslog: Listening, logger: logging.Logger, kind: socket.SocketKind) -> None:
    port = syslog.udp if kind == socket.SOCK_DGRAM else syslog.tcp
    handler = SysLogHandler(("127.0.0.1", port), SysLogHandler.LOG_LOCAL5, kind)
    handler.ident = f"python-{kind.name}: "
    logger.addHandler(handler)
    log_some(logger)
    found = syslog.server.await_records(f'container="python-{kind.name}"', 3)
    assert [row["severity"] for row in found] == ["warn", "error", "debug"]
    assert [row["message"].splitlines()[0] for row in found] == ["first wörd", "second", "third"]
    assert found[1]["message"].endswith("ValueError: what went wrong")
    assert {row["pod"] for row in found} == {"127.0.0.1"}
    assert {row["attributes"]["facility"] for row in found} == {"local5"}


@pytest.mark.parametrize("form", ["udp", "counted", "lines", "tls"])
def test_rfc5424_logging_handler(syslog: Listening, logger: logging.Logger, form: str) -> None:
    options: dict[str, Any] = {"address": ("127.0.0.1", syslog.udp)}
    if form != "udp":
        framing = rfc5424logging.FRAMING_NON_TRANSPARENT if form == "lines" else rfc5424logging.FRAMING_OCTET_COUNTING
        options = {"address": ("127.0.0.1", syslog.tcp), "socktype": socket.SOCK_STREAM, "framing": framing}
    if form == "tls":
        options |= {"address": ("localhost", syslog.tls), "tls_enable": True, "tls_ca_bundle": str(syslog.ca.cert)}
    handler = rfc5424logging.Rfc5424SysLogHandler(
        **options, hostname="web-1", appname=f"rfc5424-{form}", procid="17", enterprise_id="32473"
    )
    logger.addHandler(handler)
    before_s = time.time()
    logger.error("it failed: %s", "grün", extra={"msgid": "ID47", "structured_data": {"shop": {"order": "4711"}}})
    logger.info("next")
    found = syslog.server.await_records(f'container="rfc5424-{form}"', 2)
    assert [(row["pod"], row["severity"], row["message"]) for row in found] == [
        ("web-1", "error", "it failed: grün"),
        ("web-1", "info", "next"),
    ]
    attributes = found[0]["attributes"]
    assert (attributes["procid"], attributes["msgid"]) == ("17", "ID47")
    assert attributes["shop@32473"] == {"order": "4711"}
    assert before_s - 0.001 <= seconds_of(found[0]) <= time.time()


NODE = """
const syslog = require('syslog-client')
const [port, transport, rfc3164, tag] = process.argv.slice(1)
const client = syslog.createClient('127.0.0.1', {
  port: Number(port), transport: syslog.Transport[transport], rfc3164: rfc3164 === 'true',
  syslogHostname: 'node-host', appName: tag, facility: syslog.Facility.Local2})
client.on('error', (error) => { throw error })
const prefix = rfc3164 === 'true' ? `${tag}: ` : ''
const options = {severity: syslog.Severity.Error, timestamp: new Date(1768000000123)}
client.log(`${prefix}first`, options, (error) => {
  if (error) throw error
  client.log(`${prefix}grüße`, options, (error) => { if (error) throw error; client.close() })
})
"""


@pytest.mark.needs_npm("syslog-client")
@pytest.mark.parametrize("transport", ["Udp", "Tcp"])
@pytest.mark.parametrize("form", ["rfc3164", "rfc5424"])
def test_syslog_client_of_npm(syslog: Listening, transport: str, form: str) -> None:
    tag = f"node-{transport}-{form}"
    port = syslog.udp if transport == "Udp" else syslog.tcp
    run_node(NODE, str(port), transport, str(form == "rfc3164").lower(), tag)
    found = syslog.server.await_records(f'container="{tag}"', 2)
    assert sorted(row["message"] for row in found) == ["first", "grüße"]
    assert {(row["pod"], row["severity"]) for row in found} == {("node-host", "error")}
    times = {row["time"] for row in found}
    assert times == {"2026-01-09T23:06:40.123000000Z" if form == "rfc5424" else "2026-01-09T23:06:40.000000000Z"}
