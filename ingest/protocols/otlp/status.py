"""What OTLP's clients are answered (opentelemetry-proto, docs/specification.md).

Over HTTP in the encoding of the request: `ExportLogsServiceResponse` with 200, also where some records were not taken,
else `google.rpc.Status`. A fault of ours is 503, since clients drop what was answered 500.
"""

import json
from enum import IntEnum
from typing import Any, Final

from ingest.protocol import Answer, Refusal
from ingest.request import Decoded, Head
from ingest.wire import message

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


class Code(IntEnum):
    """google.rpc.Code, which are gRPC's own."""

    INVALID_ARGUMENT = 3
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_CODES: Final = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    409: Code.ABORTED,
    413: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    500: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
}


def code_of(status: int) -> Code:
    """The code that makes clients do what this HTTP status does."""
    return _CODES.get(status, Code.INVALID_ARGUMENT if status < 500 else Code.UNAVAILABLE)


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


def status_message(code: Code, text: str, retry_after_s: int | None = None) -> bytes:
    """A google.rpc.Status; clients of gRPC try again after RESOURCE_EXHAUSTED only where RetryInfo says when."""
    details = b""
    if retry_after_s is not None:
        details = message((1, _RETRY_INFO), (2, message((1, message((1, retry_after_s))))))
    return message((1, int(code)), (2, text), (3, details))


def is_json(head: Head, body: bytes = b"") -> bool:
    """The content type decides; where it names neither form, the body's first byte does."""
    if "json" in head.media_type:
        return True
    return "protobuf" not in head.media_type and body.startswith(b"{")


def _media_type(*, is_json: bool) -> str:
    return JSON if is_json else PROTOBUF


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
