"""Google's own clients against a real server: google-cloud-logging of PyPI, @google-cloud/logging of npm."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import google.cloud.logging
import grpc
import pytest
from google.api_core.exceptions import InvalidArgument
from google.auth.credentials import AnonymousCredentials
from google.cloud.logging_v2._gapic import _LoggingAPI
from google.cloud.logging_v2.handlers import CloudLoggingHandler
from google.cloud.logging_v2.handlers.transports import SyncTransport
from google.cloud.logging_v2.resource import Resource
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import WriteLogEntriesPartialErrors
from google.rpc.status_pb2 import Status

from tests.clients.installed import run_node
from tests.server.certificates import authority, signed
from tests.serving import ServerProcess, free_port

POD = Resource(
    "k8s_container",
    {"cluster_name": "c1", "namespace_name": "shop", "pod_name": "web-0", "container_name": "app", "project_id": "p1"},
)
TIME = datetime(2026, 9, 21, 14, 13, 20, 123456, UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("gcp") / "data") as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> google.cloud.logging.Client:
    return google.cloud.logging.Client(
        project="p1", credentials=AnonymousCredentials(), _use_grpc=False, client_options={"api_endpoint": server.url}
    )


def found(server: ServerProcess, stream: str) -> list[dict[str, Any]]:
    answer = server.query(f'stream="{stream}"', order="asc", limit=0)
    return [json.loads(line, parse_float=Decimal) for line in answer.text.splitlines()]


def test_entries_of_all_kinds(server: ServerProcess, client: google.cloud.logging.Client) -> None:
    logger = client.logger("kinds", resource=POD)
    logger.log_text("plain", severity="WARNING", timestamp=TIME, labels={"team": "a"})
    with logger.batch() as batch:
        batch.log_struct(
            {"message": "of parts", "n": 7, "took": 1.5},
            severity="ERROR",
            trace="projects/p1/traces/abc",
            span_id="def",
        )
        batch.log_text("last", http_request={"requestMethod": "GET", "status": 404}, insert_id="i-1")
    stored = {record["message"]: record for record in found(server, "kinds")}
    plain, structured, last = stored["plain"], stored["of parts"], stored["last"]
    assert plain["time"] == "2026-09-21T14:13:20.123456000Z"
    identity = ("cluster", "namespace", "pod", "container")
    assert tuple(plain[name] for name in identity) == ("c1", "shop", "web-0", "app")
    assert (plain["severity"], plain["message"], plain["attributes"]["team"]) == ("warn", "plain", "a")
    assert plain["labels"]["log_name"] == "projects/p1/logs/kinds"
    assert (structured["severity"], structured["trace_id"], structured["span_id"]) == ("error", "abc", "def")
    assert (structured["message"], structured["attributes"]["took"]) == ("of parts", Decimal("1.5"))
    assert last["attributes"]["httpRequest"] == {"requestMethod": "GET", "status": 404}


def test_the_handler_of_the_standard_library(server: ServerProcess, client: google.cloud.logging.Client) -> None:
    logger = logging.Logger("app")
    logger.addHandler(CloudLoggingHandler(client, name="handler", transport=SyncTransport, resource=POD))
    logger.error("payment of %d failed", 7, extra={"json_fields": {"user": "ann"}})
    logger.info("done")
    failed, done = found(server, "handler")
    assert (failed["severity"], failed["message"], failed["attributes"]["user"]) == (
        "error",
        "payment of 7 failed",
        "ann",
    )
    assert (done["severity"], done["message"]) == ("info", "done")
    assert failed["attributes"]["sourceLocation"]["file"].endswith("test_gcp.py")


NODE = """
const { Logging } = require('@google-cloud/logging');
const { PassThroughClient } = require('google-auth-library');
const grpc = require('@grpc/grpc-js');
const [how, port] = process.argv.slice(1);
const ways = {
    rest: { protocol: 'http', fallback: true, authClient: new PassThroughClient() },
    grpc: { sslCreds: grpc.credentials.createInsecure() },
};
const logging = new Logging({ projectId: 'p1', apiEndpoint: '127.0.0.1', port: Number(port), ...ways[how] });
const log = logging.log('js');
const resource = { type: 'k8s_container', labels: { namespace_name: 'shop', pod_name: 'web-0' } };
const metadata = { resource, severity: 'ERROR', labels: { team: 'a' } };
metadata.timestamp = '2026-09-21T14:13:20.123456789Z';
log.write(log.entry(metadata, { message: 'from node', n: 7 })).then(() => console.log('written'));
"""


@pytest.mark.needs_npm("@google-cloud/logging")
def test_the_client_of_npm_over_rest(server: ServerProcess) -> None:
    write_from_node(server, "rest", server.port)


def write_from_node(server: ServerProcess, how: str, port: int) -> None:
    assert run_node(NODE, how, str(port)) == "written\n"
    record = next(record for record in found(server, "js") if record["message"] == "from node")
    assert record["time"] == "2026-09-21T14:13:20.123456789Z"
    assert (record["namespace"], record["pod"], record["severity"]) == ("shop", "web-0", "error")
    assert (record["attributes"]["n"], record["attributes"]["team"]) == (7, "a")


def test_what_was_answered_is_there_after_a_kill(server: ServerProcess, client: google.cloud.logging.Client) -> None:
    logger = client.logger("killed")
    for number in range(10):
        logger.log_text(f"line {number}")
    server.kill()
    server.start()
    for number in range(10, 20):
        logger.log_text(f"line {number}")
    assert [record["message"] for record in found(server, "killed")] == [f"line {number}" for number in range(20)]


def test_a_request_that_is_sent_again_is_stored_once(server: ServerProcess) -> None:
    body = {"logName": "projects/p1/logs/again", "entries": [{"textPayload": "x", "insertId": "i-1"}]}
    for _ in range(2):
        answer = server.client.post("/v2/entries:write?prettyPrint=false", json=body)
        assert (answer.status_code, answer.json()) == (200, {})
    assert len(found(server, "again")) == 1


def test_a_bad_request_is_told_in_googles_form(server: ServerProcess) -> None:
    answer = server.client.post("/v2/entries:write", content=b"nonsense")
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


class OverGrpc:
    """A server with a listener for gRPC, and clients with a channel of their own to it."""

    def __init__(self, server: ServerProcess, port: int) -> None:
        self.server = server
        self.port = port
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def client(self) -> google.cloud.logging.Client:
        """As its default is, but that it would build the channel itself, which then is one of TLS."""
        client = google.cloud.logging.Client(project="p1", credentials=AnonymousCredentials())
        transport = LoggingServiceV2GrpcTransport(channel=self.channel)
        client._logging_api = _LoggingAPI(LoggingServiceV2Client(transport=transport), client)
        return client


@pytest.fixture(scope="module")
def over_grpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverGrpc]:
    port = free_port()
    flags = ("--otlp-grpc-listen", f"127.0.0.1:{port}", "--max-line", "10KiB")
    with ServerProcess(tmp_path_factory.mktemp("gcp-grpc") / "data", *flags) as process:
        running = OverGrpc(process, port)
        with running.channel:
            yield running


def test_entries_of_all_kinds_over_grpc(over_grpc: OverGrpc) -> None:
    test_entries_of_all_kinds(over_grpc.server, over_grpc.client())


def test_the_handler_of_the_standard_library_over_grpc(over_grpc: OverGrpc) -> None:
    test_the_handler_of_the_standard_library(over_grpc.server, over_grpc.client())


@pytest.mark.needs_npm("@google-cloud/logging")
def test_the_client_of_npm_over_grpc(over_grpc: OverGrpc) -> None:
    write_from_node(over_grpc.server, "grpc", over_grpc.port)


def test_an_entry_that_is_too_long_is_told_by_its_place_and_the_others_are_stored(over_grpc: OverGrpc) -> None:
    logger = over_grpc.client().logger("partial")
    with pytest.raises(InvalidArgument) as caught, logger.batch() as batch:
        for text in ("first", "x" * 20_000, "last"):
            batch.log_text(text)
    status = Status.FromString(dict(caught.value.errors[0].trailing_metadata())["grpc-status-details-bin"])
    partial = WriteLogEntriesPartialErrors.pb()()
    assert status.details[0].Unpack(partial)
    assert {at: error.code for at, error in partial.log_entry_errors.items()} == {1: 3}
    assert "max_line" in partial.log_entry_errors[1].message
    assert [record["message"] for record in found(over_grpc.server, "partial")] == ["first", "last"]


def test_a_message_that_is_sent_again_is_stored_once(over_grpc: OverGrpc) -> None:
    for _ in range(2):
        over_grpc.client().logger("named").log_text("x", insert_id="i-1")
    assert len(found(over_grpc.server, "named")) == 1


def test_what_was_answered_over_grpc_is_there_after_a_kill(over_grpc: OverGrpc) -> None:
    logger = over_grpc.client().logger("killed")
    for number in range(20):
        logger.log_text(f"line {number}")
        if number == 9:
            over_grpc.server.kill()
            over_grpc.server.start()
    stored = [record["message"] for record in found(over_grpc.server, "killed")]
    assert list(dict.fromkeys(stored)) == [f"line {number}" for number in range(20)]


def test_the_default_client_with_tls_and_a_token(tmp_path: Path) -> None:
    """Its address is overridden as its documentation says; whom to trust is gRPC's own variable."""
    ca = authority(tmp_path, "ca")
    pair = signed(tmp_path, "server", ca)
    (tmp_path / "tokens").write_text("secret\n")
    port = free_port()
    running = ServerProcess(
        tmp_path / "data",
        *("--tls-cert-file", str(pair.cert), "--tls-private-key-file", str(pair.key)),
        *("--token-file", str(tmp_path / "tokens"), "--otlp-grpc-listen", f"tls://127.0.0.1:{port}"),
    )
    running.use_tls(ca.cert)
    running.client.headers["Authorization"] = "Bearer secret"
    code = f"""
import google.cloud.logging, google.oauth2.credentials
for token in ("wrong", "secret"):
    credentials = google.oauth2.credentials.Credentials(token)
    options = {{"api_endpoint": "localhost:{port}"}}
    client = google.cloud.logging.Client(project="p1", credentials=credentials, client_options=options)
    try:
        client.logger("tls").log_text(token)
    except Exception as error:
        print(type(error).__name__)
"""
    environment = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(ca.cert)}
    with running:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
        assert done.stdout == "Unauthenticated\n", done.stderr
        assert [record["message"] for record in found(running, "tls")] == ["secret"]
