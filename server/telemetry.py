"""The server's own log (structured, one event a line, on stderr) and its Prometheus metrics."""

import logging
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

PREFIX: Final = "logstore_"
LATENCY_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

Readings = Callable[[], Mapping[str, float]]
"""Plain numbers of a layer, read when somebody asks for /metrics."""


def configure_logging(level: str, form: str) -> None:
    """Send structlog's and the libraries' events to stderr, as JSON or for people."""
    is_console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if is_console else structlog.processors.JSONRenderer()
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


class HttpMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter("logstore_http_requests", "Requests answered.", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "logstore_http_request_seconds",
            "Time from a request's head to the end of its answer; tails are not counted.",
            ["route"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.clients_cut = Counter(
            "logstore_clients_cut",
            "Clients cut because they stood still, by what they did not do: receive, send.",
            ["what"],
            registry=registry,
        )


class IngestMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        by_protocol, by_reason = ["protocol"], ["protocol", "reason"]
        self.records = Counter(
            "logstore_ingest_records", "Records taken, repeats of a batch included.", by_protocol, registry=registry
        )
        self.bytes = Counter("logstore_ingest_bytes", "Bytes of bodies taken, as sent.", by_protocol, registry=registry)
        self.last_seen = Gauge(
            "logstore_ingest_last_seen_seconds",
            "When something was last taken, seconds since 1970.",
            by_protocol,
            registry=registry,
        )
        self.unread = Counter(
            "logstore_ingest_records_unread",
            "Records stored as they came, since they could not be read (attribute _ingest_error).",
            by_protocol,
            registry=registry,
        )
        self.rejected = Counter(
            "logstore_ingest_records_rejected",
            "Records of taken bodies that were no records, by reason.",
            by_reason,
            registry=registry,
        )
        self.refused = Counter(
            "logstore_ingest_requests_refused",
            "Bodies not taken, by reason: invalid, conflict, too_large, busy, unavailable, fault, unauthorized,"
            " cross_site, not_ready.",
            by_reason,
            registry=registry,
        )
        self.senders = Gauge("logstore_ingest_senders", "Senders in /api/v1/sources.", registry=registry)
        self.senders_forgotten = Counter(
            "logstore_ingest_senders_forgotten",
            "Senders no longer in /api/v1/sources, since more than 10,000 came.",
            registry=registry,
        )
        self.held_bytes = Gauge(
            "logstore_ingest_held_bytes", "Bytes of bodies in memory (ingest_memory).", registry=registry
        )
        self.seconds = Histogram(
            "logstore_ingest_seconds",
            "Time from the last byte of a body to its durable acknowledgement.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )


class StreamMetrics:
    """Of protocols that are not HTTP, each by its name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge(
            "logstore_stream_connections",
            "Connections of protocols that are not HTTP.",
            ["protocol"],
            registry=registry,
        )
        self.closed = Counter(
            "logstore_stream_connections_cut",
            "Connections closed by us, by reason: malformed, refused, silent, full, unread, too_many, fault.",
            ["protocol", "reason"],
            registry=registry,
        )
        self.held = Counter(
            "logstore_stream_held",
            "Times that a batch waited since nothing could be taken.",
            ["protocol"],
            registry=registry,
        )
        self.dropped = Counter(
            "logstore_datagrams_dropped",
            "Datagrams dropped, and what came of several, since there was no room or the rest did not come.",
            ["protocol"],
            registry=registry,
        )


class QueryMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.outcomes = Counter(
            "logstore_queries",
            "Queries by outcome: ok, invalid, busy, timeout, memory, cancelled, damaged (a segment cannot be read; "
            "answer and log name it), failed.",
            ["outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "logstore_query_seconds",
            "Time from a query's arrival to the end of its answer.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.running = Gauge("logstore_queries_running", "Queries being answered.", registry=registry)
        self.tails = Gauge("logstore_tails", "Tails being followed.", registry=registry)


class Telemetry:
    """The metrics of the HTTP side, and the registry that adds those of the layers below."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.http = HttpMetrics(self.registry)
        self.ingest = IngestMetrics(self.registry)
        self.query = QueryMetrics(self.registry)
        self.streams = StreamMetrics(self.registry)
        started = Gauge("logstore_start_time_seconds", "When it started, seconds since 1970.", registry=self.registry)
        started.set(time.time())
        ProcessCollector(registry=self.registry)

    def add_layer(self, readings: Readings, help_texts: Mapping[str, str], gauges: Container[str]) -> None:
        """Expose the plain numbers of a layer; those in `gauges` may fall, the others only grow."""
        self.registry.register(_Layer(readings, help_texts, gauges))

    def render(self) -> bytes:
        return generate_latest(self.registry)


class _Layer(Collector):
    def __init__(self, readings: Readings, help_texts: Mapping[str, str], gauges: Container[str]) -> None:
        self._readings = readings
        self._help_texts = help_texts
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        values = self._readings()
        for name, value in sorted(values.items()):
            if name.endswith("_seconds_sum"):
                name = name.removesuffix("_sum")
                yield SummaryMetricFamily(PREFIX + name, self._help(name), int(values.get(name + "_count", 0)), value)
            elif name in self._gauges:
                yield GaugeMetricFamily(PREFIX + name, self._help(name), value)
            elif not name.endswith("_seconds_count"):
                yield CounterMetricFamily(PREFIX + name.removesuffix("_total"), self._help(name), value)

    def _help(self, name: str) -> str:
        return self._help_texts.get(name, name.replace("_", " ") + ".")
