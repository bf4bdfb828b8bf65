"""What an error looks like over HTTP: `{"error": …, "position": …, "hint": …}` and its status."""

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from logstore.errors import (
    Busy,
    InvalidInput,
    InvalidQuery,
    KeyConflict,
    LogstoreError,
    QueryTimeout,
    QueryTooExpensive,
    TooLarge,
    Unavailable,
)

STATUS: Final[Mapping[type[LogstoreError], int]] = {
    InvalidInput: 400,
    InvalidQuery: 400,
    KeyConflict: 409,
    TooLarge: 413,
    QueryTooExpensive: 422,
    Busy: 429,
    Unavailable: 503,
    QueryTimeout: 504,
}
REASONS: Final[Mapping[type[LogstoreError], str]] = {
    TooLarge: "too_large",
    KeyConflict: "conflict",
    Busy: "busy",
    Unavailable: "unavailable",
    InvalidInput: "invalid",
}
UNAVAILABLE_RETRY_S: Final = 10
SERVER_FAULT: Final = "this is a fault of the server; its log says more"


def status_of(error: LogstoreError) -> int:
    """The HTTP status of an error; 500 for one that no caller and no operator can be blamed for."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def reason_of(error: LogstoreError) -> str:
    """The word for an error of ingest in metrics."""
    return next((REASONS[kind] for kind in type(error).__mro__ if kind in REASONS), "fault")


def describe(error: LogstoreError) -> dict[str, Any]:
    """The error as a JSON object."""
    described: dict[str, Any] = {"error": str(error)}
    if isinstance(error, InvalidQuery):
        if error.position is not None:
            described["position"] = {"line": error.position.line, "column": error.position.column}
        if error.hint:
            described["hint"] = error.hint
    return described


def headers_of(error: LogstoreError) -> dict[str, str]:
    if isinstance(error, Busy):
        return {"retry-after": str(max(1, error.retry_after_s))}
    if isinstance(error, Unavailable):
        return {"retry-after": str(UNAVAILABLE_RETRY_S)}
    return {}


def error_body(message: str) -> bytes:
    return to_json({"error": message})


def error_response(error: LogstoreError) -> Response:
    return json_response(describe(error), status_of(error), headers_of(error))


def message_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return json_response({"error": message}, status, headers)


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(content), status, dict(headers or {}), "application/json")


def to_json(content: Any) -> bytes:
    """Compact UTF-8 JSON; a lone surrogate is escaped, since UTF-8 has no form for it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
