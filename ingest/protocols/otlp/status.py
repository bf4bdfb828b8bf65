"""What OTLP's clients are answered (opentelemetry-proto, docs/specification.md).

Over HTTP in the encoding of the request: `ExportLogsServiceResponse` with 200, also where some records were not taken,
else `google.rpc.Status`. A fault of ours is 503, since clients drop what was answered 500.
"""

import json
from typing import Any, Final

from ingest.grpc_status import code_of, status_message
from ingest.protocol import Answer, Refusal
from ingest.request import Decoded, Head
from ingest.wire import message

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"


def success(decoded: Decoded, *, is_json: bool) -> Answer:
    """All records taken, or how many were not, and why; those are not to be sent again."""
    if not decoded.rejects:
        return Answer(200, b"{}" if is_json else b"", _media_type(is_json=is_json))
    rejected = len(decoded.rejects)
    first = decoded.rejects[0]
    why = f"record {first.line}: {first.error}" + (f"; and {rejected - 1:,} others" if rejected > 1 else "")
    if is_json:
        told = {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": why}}
        return Answer(200, _json(told), JSON)
    return Answer(200, message((1, message((1, rejected), (2, why)))), PROTOBUF)


def failure(refusal: Refusal, *, is_json: bool) -> Answer:
    status = 503 if refusal.status == 500 else refusal.status
    code = code_of(status)
    if is_json:
        return Answer(status, _json({"code": int(code), "message": refusal.message}), JSON)
    return Answer(status, status_message(code, refusal.message), PROTOBUF)


def is_json(head: Head, body: bytes = b"") -> bool:
    """The content type decides; where it names neither form, the body's first byte does."""
    if "json" in head.media_type:
        return True
    return "protobuf" not in head.media_type and body.startswith(b"{")


def _media_type(*, is_json: bool) -> str:
    return JSON if is_json else PROTOBUF


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
