"""Libraries that send GELF: what of theirs arrives."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import graypy
import pygelf
import pytest

from tests.clients.installed import run_node
from tests.clients.listening import Listening, listening

HOST = socket.gethostname()


@pytest.fixture(scope="module")
def gelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    found = listening(tmp_path_factory.mktemp("gelf"), "gelf")
    with found.server:
        yield found


@pytest.fixture
def logger(request: pytest.FixtureRequest) -> Iterator[logging.Logger]:
    found = logging.Logger(request.node.name)
    yield found
    for handler in found.handlers:
        handler.close()


def log_some(logger: logging.Logger) -> None:
    logger.warning("first %s", "wörd", extra={"took_ms": 12, "user": "ann"})
    try:
        raise ValueError("what went wrong")
    except ValueError:
        logger.exception("second")
    logger.critical("third " + "long " * 4000)


def handler_of(library: str, transport: str, gelf: Listening) -> logging.Handler:
    extra: dict[str, Any] = {"include_extra_fields": True, "debug": True, "_app": f"pygelf-{transport}"}
    trusted = str(gelf.ca.cert)
    handlers: dict[tuple[str, str], Any] = {
        ("pygelf", "udp"): lambda: pygelf.GelfUdpHandler("127.0.0.1", gelf.udp, **extra),
        ("pygelf", "plain"): lambda: pygelf.GelfUdpHandler("127.0.0.1", gelf.udp, compress=False, **extra),
        ("pygelf", "tcp"): lambda: pygelf.GelfTcpHandler("127.0.0.1", gelf.tcp, **extra),
        ("pygelf", "tls"): lambda: pygelf.GelfTlsHandler(
            host="localhost", port=gelf.tls, validate=True, ca_certs=trusted, **extra
        ),
        ("graypy", "udp"): lambda: graypy.GELFUDPHandler("127.0.0.1", gelf.udp, facility="graypy-udp"),
        ("graypy", "tcp"): lambda: graypy.GELFTCPHandler("127.0.0.1", gelf.tcp, facility="graypy-tcp"),
        ("graypy", "tls"): lambda: graypy.GELFTLSHandler(
            "127.0.0.1", gelf.tls, validate=True, ca_certs=trusted, facility="graypy-tls"
        ),
    }
    handler: logging.Handler = handlers[library, transport]()
    return handler


@pytest.mark.parametrize("transport", ["udp", "plain", "tcp", "tls"])
def test_pygelf(gelf: Listening, logger: logging.Logger, transport: str) -> None:
    logger.addHandler(handler_of("pygelf", transport, gelf))
    before_s = time.time()
    log_some(logger)
    found = gelf.server.await_records(f'app="pygelf-{transport}"', 3)
    assert [row["severity"] for row in found] == ["warn", "error", "fatal"]
    assert found[0]["message"] == "first wörd"
    assert found[2]["message"] == "third " + "long " * 4000
    assert {(row["namespace"], row["pod"]) for row in found} == {("default", HOST)}
    attributes = found[0]["attributes"]
    assert (attributes["took_ms"], attributes["user"], attributes["func"]) == (12, "ann", "log_some")
    assert "ValueError: what went wrong" in json.dumps(found[1]["attributes"])
    times = [datetime.fromisoformat(row["time"]).timestamp() for row in found]
    assert before_s - 0.001 <= min(times) and max(times) <= time.time()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_graypy(gelf: Listening, logger: logging.Logger, transport: str) -> None:
    logger.addHandler(handler_of("graypy", transport, gelf))
    log_some(logger)
    found = gelf.server.await_records(f'facility="graypy-{transport}"', 3)
    assert [row["severity"] for row in found] == ["warn", "error", "fatal"]
    assert found[0]["message"] == "first wörd"
    assert (found[0]["attributes"]["took_ms"], found[0]["attributes"]["user"]) == (12, "ann")
    assert "ValueError: what went wrong" in found[1]["attributes"]["full_message"]
    assert {row["attributes"]["process_name"] for row in found} == {"MainProcess"}


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Listening]:
    """A server without TLS, which the HTTP handlers of these libraries have none of."""
    found = listening(tmp_path, "gelf", is_tls=False)
    with found.server:
        yield found


@pytest.mark.parametrize("compress", [True, False])
def test_over_http(plain: Listening, logger: logging.Logger, compress: bool) -> None:
    logger.addHandler(pygelf.GelfHttpHandler("127.0.0.1", plain.server.port, compress=compress, _app="pygelf"))
    logger.addHandler(graypy.GELFHTTPHandler("127.0.0.1", plain.server.port, compress=compress))
    logger.error("over HTTP")
    found = plain.server.await_records("*", 2)
    assert {(row["message"], row["severity"]) for row in found} == {("over HTTP", "error")}


NODE = """
const log = require('gelf-pro')
const [adapter, port, cert] = process.argv.slice(1)
const options = {host: '127.0.0.1', port: Number(port)}
if (cert) options.ca = [require('fs').readFileSync(cert)]
log.setConfig({fields: {app: `gelf-pro-${adapter}`}, adapterName: adapter, adapterOptions: options})
log.error('first grüße', {took_ms: 12.5, nested: {a: 1}}, (error) => {
  if (error) throw error
  log.info('second ' + require('crypto').randomBytes(20000).toString('hex'), {}, (error) => { if (error) throw error })
})
"""


@pytest.mark.needs_npm("gelf-pro")
@pytest.mark.parametrize("adapter", ["udp", "tcp", "tcp-tls"])
def test_gelf_pro_of_npm(gelf: Listening, adapter: str) -> None:
    port = {"udp": gelf.udp, "tcp": gelf.tcp, "tcp-tls": gelf.tls}[adapter]
    run_node(NODE, adapter, str(port), *([str(gelf.ca.cert)] if adapter == "tcp-tls" else []))
    found = gelf.server.await_records(f'app="gelf-pro-{adapter}"', 2)
    assert [row["severity"] for row in found] == ["error", "info"]
    assert found[0]["message"] == "first grüße"
    assert len(found[1]["message"]) == 40_007
    assert found[0]["attributes"]["took_ms"] == 12.5
    assert found[0]["pod"] == HOST


def test_what_arrived_is_there_after_the_server_was_killed(tmp_path: Path, logger: logging.Logger) -> None:
    gelf = listening(tmp_path, "gelf")
    with gelf.server:
        logger.addHandler(handler_of("pygelf", "tcp", gelf))
        for number in range(100):
            logger.info("message %d", number)
        gelf.server.await_records("*", 100)
        gelf.server.kill()
        gelf.server.start()
        logger.handlers[0].close()
        logger.handlers[0] = handler_of("pygelf", "tcp", gelf)
        logger.info("after")
        gelf.server.await_records("after", 1)
        assert len(gelf.server.records("message")) == 100
