"""Google Cloud Logging: `entries.write` of its API, as JSON (Cloud Logging API, REST reference, v2.entries.write) and
as `LoggingServiceV2/WriteLogEntries` over gRPC.

`logName`, `resource` and `labels` beside the entries hold for those that do not say it. An entry that is no object is
stored as it came, with the attribute `_ingest_error`; one over `max_line` is told as the API tells entries that failed,
the others are stored, whatever `partialSuccess` says.

A request of which every entry has an `insertId` is stored once, however often it is sent.
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest import body as bodies
from ingest.grpc_status import Code, code_of, status_message
from ingest.json_body import read_json
from ingest.json_text import to_json
from ingest.protocol import GRPC_MESSAGE, Answer, Call, Protocol, Refusal, Take
from ingest.protocols.gcp.entries import decode_write
from ingest.protocols.gcp.protobuf import read_write
from ingest.request import Decoded, Head, Request
from ingest.wire import message
from logstore.errors import InvalidInput, TooLarge

NAME: Final = "gcp"
BODY_MAX_BYTES: Final = 16 << 20
"""Of one request, which is read as one value; the API's own limit is 10 MB."""

_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_PARTIAL: Final = "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors"


def decode(request: Request) -> Decoded:
    """The entries of one request.

    Raises:
        InvalidInput: a body that is no such request.
        TooLarge: more entries than `limits.max_records`.
    """
    write = read_json(request.body)
    if not isinstance(write, dict) or not isinstance(write.get("entries", []), list):
        raise InvalidInput('the body is no object with entries; send {"entries": [{"textPayload": "…"}]}')
    return decode_write(write, request)


def decode_message(request: Request) -> Decoded:
    """The same of a WriteLogEntriesRequest. Raises as `decode` does."""
    return decode_write(read_write(request.body, request.limits.max_records), request)


def answer(_request: Request, decoded: Decoded) -> Answer:
    """Nothing, or which entries failed, from 0: those that were too long; no other is to be sent again."""
    if not decoded.rejects:
        return _json(200, {})
    errors = {
        str(reject.line - 1): {"code": int(Code.INVALID_ARGUMENT), "message": reject.error}
        for reject in decoded.rejects
    }
    detail = {"@type": _PARTIAL, "logEntryErrors": errors}
    return _error(400, decoded.rejects[0].error, [detail])


def answer_message(_request: Request, decoded: Decoded) -> Answer:
    """The same as a WriteLogEntriesResponse, or the details of the status that ends the call."""
    if not decoded.rejects:
        return Answer(200)
    text = decoded.rejects[0].error
    errors = [
        (1, message((1, reject.line - 1), (2, status_message(Code.INVALID_ARGUMENT, reject.error))))
        for reject in decoded.rejects
    ]
    details = status_message(Code.INVALID_ARGUMENT, text, {_PARTIAL: message(*errors)})
    return Answer(400, details, headers={GRPC_MESSAGE: text})


def refuse(_head: Head, refusal: Refusal) -> Answer:
    return _error(refusal.status, refusal.message)


def _code(status: int) -> Code:
    """Google's clients and Fluentd try again after UNAVAILABLE, and drop what RESOURCE_EXHAUSTED was said to."""
    return Code.UNAVAILABLE if status == 429 else code_of(status)


def _inflate(body: bytes, head: Head, max_bytes: int) -> bytes:
    return bodies.inflate(body, head.headers.get("content-encoding", ""), min(max_bytes, BODY_MAX_BYTES))


def _whole(body: bytes, _head: Head, max_bytes: int) -> bytes:
    """A message, which gRPC has inflated."""
    if len(body) > min(max_bytes, BODY_MAX_BYTES):
        raise TooLarge(f"the message is over {BODY_MAX_BYTES:,} bytes; send it in smaller pieces")
    return body


def _error(status: int, text: str, details: list[dict[str, Any]] | None = None) -> Answer:
    error = {"code": status, "message": text, "status": _STATUSES.get(status, "INTERNAL")}
    return _json(status, {"error": {**error, "details": details} if details else error})


def _json(status: int, told: Mapping[str, Any]) -> Answer:
    return Answer(status, to_json(told).encode(), "application/json; charset=UTF-8")


_WRITE: Final = Take(("POST",), ("/v2/entries:write",), decode, answer, inflate=_inflate)
PROTOCOL: Final = Protocol(NAME, (_WRITE,), refuse)
WRITE: Final = Call(
    NAME,
    Take(
        ("POST",),
        ("/google.logging.v2.LoggingServiceV2/WriteLogEntries",),
        decode_message,
        answer_message,
        inflate=_whole,
    ),
    _code,
)
