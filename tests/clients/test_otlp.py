"""OpenTelemetry's exporters for Python and Node, over HTTP and gRPC, against a real server."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from ingest.grpc_status import Code, retry_after, status_message
from tests.clients.installed import run_node
from tests.clients.times import time_ns
from tests.server.certificates import Pair, authority, signed
from tests.serving import ServerProcess, free_port

TIME_NS = 1_780_000_000_123_456_789
RETRY_S = 120
TOKEN = (("authorization", "Bearer secret"),)


class Serving:
    """A server that speaks OTLP over both."""

    def __init__(self, server: ServerProcess, grpc_port: int) -> None:
        self.server = server
        self.grpc = f"127.0.0.1:{grpc_port}"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    port = free_port()
    data = tmp_path_factory.mktemp("otlp") / "data"
    with ServerProcess(data, "--otlp-grpc-listen", f"127.0.0.1:{port}") as process:
        yield Serving(process, port)


def exporters(serving: Serving) -> dict[str, Any]:
    """They send again what may be sent again for `RETRY_S`, and then give up."""
    url = serving.server.url
    return {
        "http": lambda: HttpExporter(endpoint=f"{url}/v1/logs", timeout=RETRY_S),
        "http-gzip": lambda: HttpExporter(endpoint=f"{url}/otlp/v1/logs", compression=Compression.Gzip),
        "grpc": lambda: GrpcExporter(endpoint=serving.grpc, insecure=True, timeout=RETRY_S),
        "grpc-gzip": lambda: GrpcExporter(endpoint=serving.grpc, insecure=True, compression=grpc.Compression.Gzip),
    }


def resource(pod: str) -> Resource:
    return Resource.create({"k8s.namespace.name": "shop", "k8s.pod.name": pod, "service.name": "web"})


@pytest.mark.parametrize("how", ["http", "http-gzip", "grpc", "grpc-gzip"])
def test_the_sdk_for_python(serving: Serving, how: str, caplog: pytest.LogCaptureFixture) -> None:
    pod = f"python-{how}"
    provider = LoggerProvider(resource=resource(pod))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporters(serving)[how]()))
    handler = LoggingHandler(logger_provider=provider)
    logger = logging.getLogger(f"shop.{how}")
    logger.propagate = False
    logger.addHandler(handler)
    with TracerProvider().get_tracer("t").start_as_current_span("work") as span:
        logger.warning("it costs %d €", 7, extra={"user": 5, "ratio": 0.5, "tags": ["a", "b"]})
        context = span.get_span_context()
    logger.removeHandler(handler)
    provider.shutdown()
    assert [record.message for record in caplog.records] == []
    (record,) = serving.server.await_records(f'pod="{pod}"', 1)
    assert (record["namespace"], record["severity"], record["message"]) == ("shop", "warn", "it costs 7 €")
    assert (record["trace_id"], record["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert record["labels"]["service.name"] == "web"
    attributes = record["attributes"]
    assert (attributes["user"], attributes["ratio"], attributes["tags"]) == (5, 0.5, ["a", "b"])
    assert attributes["otel.scope.name"] == f"shop.{how}"
    assert abs(time_ns(record) - time.time_ns()) < 60 * 10**9


NODE = """
const [kind, url, pod] = process.argv.slice(1);
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${kind}`);
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { diag, DiagConsoleLogger, DiagLogLevel } = require('@opentelemetry/api');
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
const exporter = new OTLPLogExporter({ url });
const resource = resourceFromAttributes({ 'k8s.namespace.name': 'shop', 'k8s.pod.name': pod, 'service.name': 'web' });
let provider;
try { provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] }); }
catch (error) { provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor(exporter)] }); }
const logger = provider.getLogger('shop', '1.2');
logger.emit({ severityNumber: 17, severityText: 'ERROR', body: 'it broke', timestamp: [1780000000, 123456789],
  attributes: { user: 5, ratio: 0.5, tags: ['a', 'b'], ok: true } });
logger.emit({ severityNumber: 9, body: { step: 'one', n: 1 }, timestamp: [1780000000, 123456790] });
provider.forceFlush().then(() => provider.shutdown()).then(() => process.exit(0), (error) => { throw error; });
"""


@pytest.mark.needs_npm(
    "@opentelemetry/exporter-logs-otlp-grpc",
    "@opentelemetry/exporter-logs-otlp-http",
    "@opentelemetry/exporter-logs-otlp-proto",
    "@opentelemetry/sdk-logs",
)
@pytest.mark.parametrize("kind", ["grpc", "http", "proto"])
def test_the_exporters_for_node(serving: Serving, kind: str) -> None:
    pod = f"node-{kind}"
    url = f"http://{serving.grpc}" if kind == "grpc" else f"{serving.server.url}/v1/logs"
    told = run_node(NODE, kind, url, pod)
    first, second = serving.server.await_records(f'pod="{pod}"', 2)
    assert told == ""
    assert (first["namespace"], first["severity"], first["message"]) == ("shop", "error", "it broke")
    assert (time_ns(first), time_ns(second)) == (TIME_NS, TIME_NS + 1)
    assert first["labels"]["service.name"] == "web"
    scope = {"otel.scope.name": "shop", "otel.scope.version": "1.2"}
    assert first["attributes"] == {**scope, "user": 5, "ratio": 0.5, "tags": ["a", "b"], "ok": True}
    assert json.loads(second["message"]) == {"step": "one", "n": 1}
    assert second["attributes"] == {**scope, "step": "one", "n": 1}


def request(*messages: str, pod: str = "raw") -> ExportLogsServiceRequest:
    export = ExportLogsServiceRequest()
    logs = export.resource_logs.add()
    logs.resource.attributes.add(key="k8s.pod.name").value.string_value = pod
    scope_logs = logs.scope_logs.add()
    for at, message in enumerate(messages):
        scope_logs.log_records.add(time_unix_nano=TIME_NS + at).body.string_value = message
    return export


def test_other_signals_are_not_found_in_the_requests_form(serving: Serving) -> None:
    client = serving.server.client
    for path in ("/v1/traces", "/v1/metrics", "/otlp/v1/traces"):
        in_json = client.post(path, content=b"{}", headers={"Content-Type": "application/json"})
        assert (in_json.status_code, in_json.json()["code"]) == (404, 12)
        in_protobuf = client.post(path, content=b"", headers={"Content-Type": "application/x-protobuf"})
        assert in_protobuf.status_code == 404
        assert Status.FromString(in_protobuf.content).code == 12
    with grpc.insecure_channel(serving.grpc) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            TraceServiceStub(channel).Export(ExportTraceServiceRequest())
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_health_service_says_that_it_serves(serving: Serving) -> None:
    with grpc.insecure_channel(serving.grpc) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"


class Strict:
    """A server that asks for tokens and takes only small bodies."""

    def __init__(self, server: Callable[..., ServerProcess], directory: Path) -> None:
        tokens = directory / "tokens"
        tokens.write_text("secret\n")
        port = free_port()
        flags = {"otlp_grpc_listen": f"127.0.0.1:{port}", "token_file": tokens, "max_body": "1MiB", "max_line": "1KiB"}
        self.server = server(**flags)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)])
        self.stub = LogsServiceStub(self.channel)

    def failure(self, export: Any, **options: Any) -> tuple[grpc.StatusCode, Status]:
        with pytest.raises(grpc.RpcError) as caught:
            self.stub.Export(export, **options)
        details = dict(caught.value.trailing_metadata()).get("grpc-status-details-bin", b"")
        return caught.value.code(), Status.FromString(details)


@pytest.fixture
def strict(server: Callable[..., ServerProcess], tmp_path: Path) -> Iterator[Strict]:
    running = Strict(server, tmp_path)
    with running.channel:
        yield running


def test_calls_without_a_token_are_turned_away(strict: Strict) -> None:
    for metadata in ((), (("authorization", "Bearer wrong"),)):
        code, told = strict.failure(request("a"), metadata=metadata)
        assert (code, told.code) == (grpc.StatusCode.UNAUTHENTICATED, Code.UNAUTHENTICATED)
    strict.stub.Export(request("a"), metadata=TOKEN)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_over_the_limit_is_refused_however_small_it_is_sent(
    strict: Strict, compression: grpc.Compression
) -> None:
    code, _ = strict.failure(request("x" * (2 << 20)), metadata=TOKEN, compression=compression)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    strict.stub.Export(request("a"), metadata=TOKEN)


def test_a_message_that_is_none_is_said_to_be(strict: Strict) -> None:
    export = strict.channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
    with pytest.raises(grpc.RpcError) as caught:
        export(b"\xff\xff", metadata=TOKEN)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_records_that_are_too_long_are_rejected_alone(strict: Strict) -> None:
    answer = strict.stub.Export(request("x" * 2000, "short"), metadata=TOKEN)
    assert answer.partial_success.rejected_log_records == 1
    assert "max_line" in answer.partial_success.error_message


def test_a_refusal_that_passes_says_when_to_send_again() -> None:
    told = Status.FromString(status_message(Code.RESOURCE_EXHAUSTED, "full", retry_after(3)))
    retry = RetryInfo()
    assert told.details[0].Unpack(retry)
    assert (told.code, told.message, retry.retry_delay.seconds) == (8, "full", 3)


def test_tls_with_client_certificates(server: Callable[..., ServerProcess], tmp_path: Path) -> None:
    ca = authority(tmp_path, "ca")
    pair, client = signed(tmp_path, "server", ca), signed(tmp_path, "client", ca)
    port = free_port()
    running = ServerProcess(
        tmp_path / "data",
        *("--tls-cert-file", str(pair.cert), "--tls-private-key-file", str(pair.key), "--client-ca-file", str(ca.cert)),
        *("--otlp-grpc-listen", f"tls://127.0.0.1:{port}"),
    )
    running.url = running.url.replace("http:", "https:")
    import ssl

    context = ssl.create_default_context(cafile=str(ca.cert))
    context.load_cert_chain(client.cert, client.key)
    running.client = httpx.Client(base_url=running.url, verify=context)
    with running:
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials(ca, client)) as channel:
            LogsServiceStub(channel).Export(request("a"), timeout=20)
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials(ca, None)) as channel, pytest.raises(grpc.RpcError):
            LogsServiceStub(channel).Export(request("b"), timeout=20)
        assert [record["message"] for record in running.records("*")] == ["a"]


def credentials(ca: Pair, client: Pair | None) -> Any:
    return grpc.ssl_channel_credentials(
        ca.cert.read_bytes(),
        client.key.read_bytes() if client else None,
        client.cert.read_bytes() if client else None,
    )


@pytest.mark.parametrize("how", ["http", "grpc"])
def test_the_sdk_sends_again_what_a_kill_interrupted(tmp_path: Path, how: str) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", "--otlp-grpc-listen", f"127.0.0.1:{port}") as running:
        serving = Serving(running, port)
        provider = LoggerProvider(resource=resource("kept"))
        processor = BatchLogRecordProcessor(exporters(serving)[how](), schedule_delay_millis=50)
        provider.add_log_record_processor(processor)
        logger = logging.getLogger(f"kept.{how}")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        handler = LoggingHandler(logger_provider=provider)
        logger.addHandler(handler)
        written = threading.Thread(target=lambda: [_write(logger, number) for number in range(600)])
        written.start()
        running.await_some('pod="kept"', 100)
        running.kill()
        running.start()
        written.join()
        logger.removeHandler(handler)
        provider.force_flush(RETRY_S * 1000)
        records = running.await_some('pod="kept"', 600)
        provider.shutdown()
        assert {record["message"] for record in records} == {f"line {number}" for number in range(600)}


def _write(logger: logging.Logger, number: int) -> None:
    logger.info("line %d", number)
    time.sleep(0.005)


def test_a_stop_lets_the_calls_that_run_end(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(tmp_path / "data", "--otlp-grpc-listen", f"127.0.0.1:{port}") as running:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            calls = [LogsServiceStub(channel).Export.future(request(f"line {n}"), timeout=20) for n in range(20)]
            calls[0].result()
            assert running.stop() == 0
            stored = {f"line {n}" for n, call in enumerate(calls) if call.exception() is None}
        assert "leaked" not in running.log_tail()
        running.start()
        assert stored <= {record["message"] for record in running.records('pod="raw"')}
