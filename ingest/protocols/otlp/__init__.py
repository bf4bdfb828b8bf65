"""OpenTelemetry's logs over HTTP: POST /v1/logs, and below the prefixes that collectors are configured with.

Source: opentelemetry-proto, docs/specification.md ("OTLP/HTTP") and logs/v1/logs.proto; OpenTelemetry, "Logs Data
Model". server/grpc_listener.py serves the same over gRPC.

- Time: `time_unix_nano`, else `observed_time_unix_nano`, else the receiver's. The observed time of a record that has
  its own is not kept.
- Severity: of the number, else of the text. The attributes `severity_text` and `severity_number` stand where they say
  more than the severity's word.
- Body: a string is the message; bytes are too, escaped where they are not UTF-8; of any other value the message is its
  JSON, which is read like a line that is an object: its members are attributes; if it is an agent's record
  (`ingest.agent_records`), that is opened. Without a body it is the event's name.
- Resource: identity, and labels. Scope: the attributes `otel.scope.name` and `otel.scope.version`, and its own, over
  which the record's win. `event_name`, `trace_flags`, `dropped_attributes_count`: attributes where they are set.
"""

from dataclasses import replace
from typing import Final

from ingest.agent_records import opened
from ingest.entries import decode_entries, entries_kernel
from ingest.protocol import Answer, Call, Probe, Protocol, Refusal, Take
from ingest.protocols.otlp import json_form
from ingest.protocols.otlp.resource import lifted, resolve_group
from ingest.protocols.otlp.status import failure, is_json, success
from ingest.request import Decoded, Head, Request

NAME: Final = "otlp"
_KERNEL: Final = entries_kernel("kernel_otlp")


def decode(request: Request) -> Decoded:
    """All log records of a body.

    Raises:
        InvalidInput: the body is no ExportLogsServiceRequest.
        TooLarge: more than `max_records`.
    """
    is_text = is_json(request.head, request.body)
    decoded = (
        json_form.decode(request)
        if is_text
        else decode_entries(_KERNEL, request, lifted(request.identity), resolve_group)
    )
    return replace(decoded, batch=opened(decoded.batch, request, are_records=request.head.is_of_fluent_bit))


def answer(request: Request, decoded: Decoded) -> Answer:
    return success(decoded, is_json=is_json(request.head, request.body))


def refuse(head: Head, refusal: Refusal) -> Answer:
    return failure(refusal, is_json=is_json(head))


def _no_other_signals(head: Head, body: bytes) -> Answer:
    told = f"there is no {head.path}: this is a store of logs; send those to /v1/logs"
    return failure(Refusal(404, told), is_json=is_json(head, body))


TAKE: Final = Take(("POST",), ("/v1/logs",), decode, answer)
OTHER_SIGNALS: Final = Probe(("POST",), ("/v1/traces", "/v1/metrics"), _no_other_signals)
EXPORT: Final = Call(NAME, replace(TAKE, patterns=("/opentelemetry.proto.collector.logs.v1.LogsService/Export",)))
PROTOCOL: Final = Protocol(NAME, (TAKE,), refuse, (OTHER_SIGNALS,), ("", "/otlp", "/api/v1/otlp"))
