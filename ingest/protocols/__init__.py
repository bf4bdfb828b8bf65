"""The protocols that agents speak: one file each with a `PROTOCOL`, and one line here."""

from typing import Final

from ingest.protocol import Call, Protocol
from ingest.protocols import datadog, documents, elasticsearch, gcp, gelf, journald, loki, native, otlp, splunk

PROTOCOLS: Final[tuple[Protocol, ...]] = (
    native.PROTOCOL,
    documents.PROTOCOL,
    loki.PROTOCOL,
    otlp.PROTOCOL,
    splunk.PROTOCOL,
    gelf.PROTOCOL,
    journald.PROTOCOL,
    datadog.PROTOCOL,
    gcp.PROTOCOL,
    elasticsearch.PROTOCOL,
)
"""Those over HTTP, which the server mounts in this order."""
CALLS: Final[tuple[Call, ...]] = (otlp.EXPORT, gcp.WRITE)
"""Those over gRPC."""
