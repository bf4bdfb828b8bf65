"""Loki's clients: real ones from PyPI and npm, and the requests of agents that no registry has, written anew here."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import logging_loki
import pytest

from tests.clients.installed import run_node
from tests.clients.times import time_ns
from tests.ingest.pushes import Entry, Stream, push, snappy
from tests.serving import ServerProcess

TIME_NS = 1_780_000_000_123_456_789
PUSH = "/loki/api/v1/push"
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("loki") / "data") as process:
        yield process


@pytest.mark.parametrize(("version", "path"), [("0", "/api/prom/push"), ("1", PUSH)])
def test_python_logging_loki(
    shared: ServerProcess, version: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pod = f"python-{version}"
    tags = {"namespace": "shop", "pod": pod, "application": "api"}
    handler = logging_loki.LokiHandler(url=shared.url + path, tags=tags, version=version)
    logger = logging.getLogger(f"shop.{version}")
    logger.propagate = False
    logger.addHandler(handler)
    logger.warning('it "costs" %d €', 7, extra={"tags": {"order": "5"}})
    logger.removeHandler(handler)
    assert capsys.readouterr().err == "", "the handler says that it failed"
    (record,) = shared.records(f'pod="{pod}"')
    assert (record["namespace"], record["severity"], record["message"]) == ("shop", "warn", 'it "costs" 7 €')
    assert record["labels"] == {"application": "api", "logger": f"shop.{version}", "order": "5"}
    assert abs(time_ns(record) - time.time_ns()) < 60 * 10**9


WINSTON = """
const [host, json, pod] = process.argv.slice(1);
const winston = require('winston'), LokiTransport = require('winston-loki');
const transport = new LokiTransport({ host, json: json === 'true', batching: true, interval: 1,
  labels: { namespace: 'shop', pod, job: 'node' }, onConnectionError: (error) => { throw error; } });
const logger = winston.createLogger({ level: 'debug', format: winston.format.json(), transports: [transport] });
logger.warn('first é', { labels: { container: 'app' } });
logger.error({ message: 'second', labels: { container: 'app' } });
transport.flush().then(() => process.exit(0), (error) => { throw error; });
"""


@pytest.mark.needs_npm("winston-loki", "winston")
@pytest.mark.parametrize("is_json", ["true", "false"])
def test_winston_loki(shared: ServerProcess, is_json: str) -> None:
    pod = f"winston-{is_json}"
    run_node(WINSTON, shared.url, is_json, pod)
    records = shared.await_records(f'pod="{pod}"', 2)
    told = sorted((r["severity"], r["namespace"], r["container"]) for r in records)
    assert told == [("error", "shop", "app"), ("warn", "shop", "app")]
    assert all(record["labels"]["job"] == "node" for record in records)
    assert {word for record in records for word in ("first é", "second") if word in record["message"]} == {
        "first é",
        "second",
    }


PINO = """
const [host, pod] = process.argv.slice(1);
const pino = require('pino');
import('pino-loki').then(({ pinoLoki }) => {
  const stream = pinoLoki({ host, batching: false, silenceErrors: false, labels: { namespace: 'shop', pod } });
  pino(stream).error({ user: 7 }, 'it broke');
  stream.end();
});
"""


@pytest.mark.needs_npm("pino-loki", "pino")
def test_pino_loki(shared: ServerProcess) -> None:
    run_node(PINO, shared.url, "pino")
    (record,) = shared.await_records('pod="pino"', 1)
    assert (record["namespace"], record["severity"]) == ("shop", "error")
    assert "it broke" in record["message"]
    assert record["attributes"]["user"] == 7


def as_promtail(pod: str) -> tuple[bytes, dict[str, str]]:
    """Promtail, Alloy and the Docker driver: snappy, which the head does not mention."""
    labels = f'{{filename="/var/log/pods/x.log", namespace="shop", node_name="n1", pod="{pod}", stream="stderr"}}'
    return snappy(push(Stream(labels, (Entry(TIME_NS, b"a line \xff", {"user": "7"}),)))), PROTOBUF


def as_vector(pod: str) -> tuple[bytes, dict[str, str]]:
    """Vector: snappy, and said to be."""
    labels = f'{{node="n1",namespace="shop",pod="{pod}",stream="stderr"}}'
    body = snappy(push(Stream(labels, (Entry(TIME_NS, b"a line \xff", {"user": "7"}),))))
    return body, {**PROTOBUF, "Content-Encoding": "snappy", "X-Scope-OrgID": "team"}


def as_fluent_bit(pod: str) -> tuple[bytes, dict[str, str]]:
    """Fluent Bit: JSON, not compressed, structured metadata third."""
    stream = {"namespace": "shop", "pod": pod, "node_name": "n1", "stream": "stderr"}
    values = [[str(TIME_NS), "a line X", {"user": "7"}]]
    body = json.dumps({"streams": [{"stream": stream, "values": values}]}).encode().replace(b"X", b"\xff")
    return body, {"Content-Type": "application/json", "User-Agent": "Fluent-Bit"}


@pytest.mark.parametrize("shape", [as_promtail, as_vector, as_fluent_bit])
@pytest.mark.parametrize("prefix", ["", "/loki"])
def test_requests_in_the_shape_of_agents_that_cannot_be_installed(
    shared: ServerProcess, shape: Callable[[str], tuple[bytes, dict[str, str]]], prefix: str
) -> None:
    pod = f"{shape.__name__}{len(prefix)}".replace("_", "-")
    body, headers = shape(pod)
    answer = shared.client.post(prefix + PUSH, content=body, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    (record,) = shared.records(f'pod="{pod}"')
    assert (record["namespace"], record["stream"], record["labels"]["node"]) == ("shop", "stderr", "n1")
    assert (time_ns(record), record["message"]) == (TIME_NS, "a line \\xff")
    assert record["attributes"] == {"user": "7", "_escape": "backslash"}


def test_what_vector_asks_before_it_sends(shared: ServerProcess) -> None:
    for path in ("/ready", "/loki/ready"):
        answer = shared.client.get(path)
        assert (answer.status_code, answer.text) == (200, "ready\n")


def test_errors_are_lines_of_text(server: Callable[..., ServerProcess], tmp_path: Any) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("secret\n")
    running = server(max_body="1MiB", max_line="1KiB", token_file=tokens)
    with httpx.Client(base_url=running.url, headers={"Authorization": "Bearer secret"}) as client:

        def post(body: bytes, **headers: str) -> tuple[int, str]:
            answer = client.post(PUSH, content=body, headers={**PROTOBUF, **headers})
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            return answer.status_code, answer.text

        assert post(b"\xff\xff")[0] == 400
        assert post(snappy(bytes(2 << 20))) == (
            413,
            "the body is over 1,048,576 bytes (max_body); send it in smaller pieces\n",
        )
        long = push(Stream('{pod="p"}', (Entry(TIME_NS, b"x" * 2000), Entry(TIME_NS, b"short"))))
        assert post(snappy(long)) == (
            400,
            "1 entries are stored, 1 are not: entry 1: 2,000 bytes, over the limit of 1,024 (max_line)\n",
        )
        assert post(snappy(long), Authorization="Bearer wrong")[0] == 401
        assert client.get("/ready", headers={"Authorization": ""}).status_code == 200
        kept = client.get("/api/v1/query", params={"q": 'pod="p"'}).text.splitlines()
        assert [json.loads(line)["message"] for line in kept] == ["short"]


def test_a_client_that_sends_again_finds_everything_there_after_kills(server: Callable[..., ServerProcess]) -> None:
    """As Promtail does: a push that is not answered with 2xx is sent again, until it is."""
    running = server()
    acknowledged: list[int] = []
    stopped = threading.Event()

    def send() -> None:
        number = 0
        with httpx.Client(base_url=running.url, timeout=10) as client:
            while not stopped.is_set():
                entries = tuple(Entry(TIME_NS + number + at, b"line %d" % (number + at)) for at in range(50))
                body = snappy(push(Stream('{pod="kept"}', entries)))
                try:
                    if client.post(PUSH, content=body, headers=PROTOBUF).status_code == 204:
                        acknowledged.append(number)
                        number += 50
                except httpx.TransportError:
                    time.sleep(0.02)

    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(3):
        await_more(acknowledged)
        running.kill()
        running.start()
    await_more(acknowledged)
    stopped.set()
    sender.join()
    messages = {record["message"] for record in running.records('pod="kept"')}
    assert {f"line {number + at}" for number in acknowledged for at in range(50)} <= messages


def await_more(acknowledged: list[int]) -> None:
    wanted, deadline_s = len(acknowledged) + 5, time.monotonic() + 60
    while len(acknowledged) < wanted:
        assert time.monotonic() < deadline_s, "nothing was acknowledged any more"
        time.sleep(0.01)
