"""Splunk's clients against a real server: splunk-handler and splunk-hec-handler of PyPI, splunk-logging and
winston-splunk-httplogger of npm."""

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from splunk_handler import SplunkHandler
from splunk_hec_handler import SplunkHecHandler

from tests.clients.installed import run_node
from tests.serving import ServerProcess

TOKEN = "hec-token"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("splunk")
    tokens, data = folder / "tokens", folder / "data"
    tokens.write_text(TOKEN + "\n")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with ServerProcess(data, "--token-file", str(tokens), headers=headers) as process:
        yield process


def found(server: ServerProcess, node: str) -> list[dict[str, Any]]:
    answer = server.query(f'node="{node}"', order="asc", limit=0)
    return [json.loads(line, parse_float=Decimal) for line in answer.text.splitlines()]


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("shop")
    logger.addHandler(handler)
    return logger


def splunk_handler(server: ServerProcess, node: str, **options: Any) -> SplunkHandler:
    return SplunkHandler(
        "127.0.0.1",
        server.port,
        TOKEN,
        "main",
        protocol="http",
        hostname=node,
        source="app.py",
        flush_interval=0,
        **options,
    )


def test_splunk_handler_sends_lines(server: ServerProcess) -> None:
    logger = logger_with(splunk_handler(server, "py-1", allow_overrides=True))
    logger.info("first", extra={"_time": 1_790_000_000})
    logger.warning('{"level":"warn","user":"ann"}', extra={"_time": 1_790_000_001.5})
    first, second = found(server, "py-1")
    assert first["time"] == "2026-09-21T14:13:20.000000000Z"
    assert first["message"] == "first"
    assert first["labels"] == {"node": "py-1"}
    assert first["attributes"] == {"index": "main", "source": "app.py", "sourcetype": "text"}
    assert second["time"] == "2026-09-21T14:13:21.500000000Z"
    assert (second["severity"], second["attributes"]["user"]) == ("warn", "ann")


def test_splunk_hec_handler_sends_objects(server: ServerProcess) -> None:
    handler = SplunkHecHandler("127.0.0.1", TOKEN, port=server.port, proto="http", hostname="py-2", sourcetype="_json")
    logger_with(handler).error(
        {
            "message": "payment failed",
            "amount": 12.5,
            "time": 1_790_000_000.25,
            "tries": [1, 2],
            "fields": {"k8s.namespace.name": "shop", "k8s.pod.name": "pay-0", "region": "eu"},
        }
    )
    [record] = found(server, "py-2")
    assert record["time"] == "2026-09-21T14:13:20.250000000Z"
    assert (record["namespace"], record["pod"], record["severity"]) == ("shop", "pay-0", "error")
    assert record["message"] == "payment failed"
    attributes = record["attributes"]
    assert (attributes["amount"], attributes["tries"], attributes["region"]) == (Decimal("12.5"), [1, 2], "eu")


@pytest.mark.needs_npm("splunk-logging")
def test_splunk_logging_of_npm_sends_batches_and_reads_the_answer(server: ServerProcess) -> None:
    script = """
    const { Logger } = require('splunk-logging');
    const [url, token] = process.argv.slice(1);
    const logger = new Logger({ url, token, maxBatchCount: 0 });
    logger.error = (error) => { throw error };
    for (const time of [1790000000123, 1790000001456]) {
        const metadata = { time: time / 1000, host: 'js-1', source: 'shop', sourcetype: 'httpevent', index: 'main' };
        logger.send({ message: { message: 'item ' + time, price: 1.5 }, severity: 'warn', metadata });
    }
    logger.flush((error, response, body) => {
        if (error) throw error;
        console.log(JSON.stringify([response.statusCode, body]));
    });
    """
    assert json.loads(run_node(script, server.url, TOKEN)) == [200, {"text": "Success", "code": 0}]
    first, second = found(server, "js-1")
    assert [first["time"], second["time"]] == ["2026-09-21T14:13:20.123000000Z", "2026-09-21T14:13:21.456000000Z"]
    assert first["severity"] == "warn"
    assert first["attributes"]["price"] == Decimal("1.5")
    assert first["labels"] == {"node": "js-1"}


def test_what_was_answered_is_there_after_a_kill(server: ServerProcess) -> None:
    logger = logger_with(splunk_handler(server, "py-3", retry_count=0))
    for number in range(20):
        logger.info("before %d", number)
    server.kill()
    server.start()
    for number in range(20):
        logger.info("after %d", number)
    expected = [f"{when} {number}" for when in ("before", "after") for number in range(20)]
    assert [record["message"] for record in found(server, "py-3")] == expected


@pytest.mark.parametrize(
    ("authorization", "status", "code"), [("", 401, 2), ("Splunk wrong", 403, 4), (f"Splunk {TOKEN}", 200, 0)]
)
def test_tokens(server: ServerProcess, authorization: str, status: int, code: int) -> None:
    headers = {"Authorization": authorization}
    answer = server.client.post("/services/collector", content=b'{"event":"x"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


WINSTON = """
const [url, token] = process.argv.slice(1);
const winston = require('winston'), Splunk = require('winston-splunk-httplogger');
const transport = new Splunk({ splunk: { url, token } });
const logger = winston.createLogger({ transports: [transport] });
logger.on('error', (error) => { throw error; });
logger.warn('grüße', { user: 'ann', n: 3 });
logger.error('it broke');
"""


@pytest.mark.needs_npm("winston-splunk-httplogger", "winston")
def test_winston_splunk_httplogger(server: ServerProcess) -> None:
    run_node(WINSTON, server.url, TOKEN)
    answer = server.query("source=winston", order="asc", limit=0)
    first, second = [json.loads(line) for line in answer.text.splitlines()]
    assert [(row["severity"], row["message"]) for row in (first, second)] == [("warn", "grüße"), ("error", "it broke")]
    assert first["attributes"]["sourcetype"] == "winston-splunk-logger"
    meta = first["attributes"]["meta"]
    assert (meta["user"], meta["n"]) == ("ann", 3)


@pytest.mark.parametrize("path", ["/services/collector/health", "/services/collector/health/1.0"])
def test_health_wants_no_token(server: ServerProcess, path: str) -> None:
    answer = server.client.get(path, headers={"Authorization": ""})
    assert (answer.status_code, answer.json()["code"]) == (200, 17)


def test_docker_asks_for_options_before_it_starts_a_container(server: ServerProcess) -> None:
    answer = server.client.options("/services/collector/event/1.0", headers={"Authorization": ""})
    assert answer.status_code == 200


def test_a_sender_with_acks_is_told_that_all_is_safe(server: ServerProcess) -> None:
    headers = {"Authorization": f"Splunk {TOKEN}", "X-Splunk-Request-Channel": "c1"}
    answer = server.client.post("/services/collector/raw?host=raw-1", content=b"one\ntwo\n", headers=headers)
    number = answer.json()["ackId"]
    told = server.client.post("/services/collector/ack", json={"acks": [number]}, headers=headers)
    assert told.json() == {"acks": {str(number): True}}
    assert [record["message"] for record in found(server, "raw-1")] == ["one", "two"]


def test_a_body_that_is_too_large_is_said_in_splunks_form(server: ServerProcess) -> None:
    answer = server.client.post("/services/collector", content=b" " * (65 << 20))
    assert (answer.status_code, answer.json()["code"]) == (413, 27)
