"""How calls of gRPC end: codes, and the google.rpc.Status that says more than one (grpc.io, "Status codes"; googleapis,
google/rpc/status.proto)."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from ingest.wire import message

RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


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


def status_message(code: Code, text: str, details: Mapping[str, bytes] | None = None) -> bytes:
    """A google.rpc.Status; `details` are messages by the URLs of their types."""
    packed = [(3, message((1, url), (2, content))) for url, content in (details or {}).items()]
    return message((1, int(code)), (2, text), *packed)


def retry_after(seconds: int) -> dict[str, bytes]:
    """The detail without which clients do not try again after RESOURCE_EXHAUSTED."""
    return {RETRY_INFO: message((1, message((1, seconds))))}
