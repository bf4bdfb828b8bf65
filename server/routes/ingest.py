"""POST /api/v1/logs: a body in, its records durable, one answer out. A plain ASGI endpoint."""

import asyncio
import contextlib
import time
from typing import Any, Final

from pydantic import Field
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ingest.pipeline import Accepted, Arrival
from ingest.request import NothingTaken
from logstore.errors import (
    Busy,
    InvalidInput,
    KeyConflict,
    LogstoreError,
    TooLarge,
    Unavailable,
)
from server.body import BodyReader
from server.errors import error_response, json_response, to_json
from server.params import Params, from_query_string
from server.service import Service

ACK_TIMEOUT_S: Final = 60.0
"""How long the disk may take before a sender is told that nobody knows yet."""
KEY_MAX_BYTES: Final = 1024
DRAIN_MAX_BYTES: Final = 64 * 1024 * 1024
DRAIN_MAX_S: Final = 10.0
"""What a refused client may still send, so that it gets to read why, before its connection is closed."""

USAGE: Final = {
    "usage": "POST records here: NDJSON, a JSON array of objects, or with Content-Type: text/plain one record a line",
    "example": "curl http://127.0.0.1:7117/api/v1/logs?pod=web-0 -H 'Content-Type: application/x-ndjson'"
    ' --data-binary \'{"time": "2026-03-01T12:00:00Z", "message": "hello", "level": "info"}\'',
    "content_encoding": ["gzip", "zstd", "deflate"],
    "parameters": {
        name: f"{name} of records that name none" for name in ("cluster", "namespace", "pod", "container", "stream")
    },
    "headers": {"Idempotency-Key": "a repeat with the same body is answered as before and stored once, for 24 hours"},
    "answer": {"accepted": 1, "rejected": [{"line": 2, "error": "why this line was not taken"}]},
    "more": "/docs",
}

_REASONS: Final = (
    (TooLarge, "too_large"),
    (KeyConflict, "conflict"),
    (Busy, "busy"),
    (Unavailable, "unavailable"),
    (InvalidInput, "invalid"),
)


class IngestParams(Params):
    """Defaults for records that do not say it themselves."""

    cluster: str = Field("", description="cluster of records that name none")
    namespace: str = Field("", description="namespace of records that name none")
    pod: str = Field("", description="pod of records that name none")
    container: str = Field("", description="container of records that name none")
    stream: str = Field("", description="stream of records that name none")


class Ingest:
    """The endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._metrics = service.telemetry.ingest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await json_response(USAGE)(scope, receive, send)
            return
        reader = BodyReader(scope, receive, self._service.bodies, self._service.body_limits())
        try:
            response = await self._take(scope, reader)
        except LogstoreError as error:
            self._metrics.refused.labels(_reason(error)).inc()
            response = _refusal(error)
        finally:
            reader.release()
        await _answer(response, reader, scope, receive, send)

    async def _take(self, scope: Scope, reader: BodyReader) -> Response:
        arrival = _describe(scope)
        body = await reader.read()
        self._metrics.bytes.inc(len(body))
        began_s = time.monotonic()
        accepted = await self._accept(Arrival(body, **arrival))
        self._metrics.seconds.observe(time.monotonic() - began_s)
        self._metrics.rejected.inc(accepted.rejected)
        return Response(accepted.receipt, media_type="application/json")

    async def _accept(self, arrival: Arrival) -> Accepted:
        accepting = asyncio.wrap_future(self._service.pipeline.accept(arrival))
        try:
            return await asyncio.wait_for(accepting, ACK_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable(
                f"the disk did not confirm the records within {ACK_TIMEOUT_S:g} s; they may be stored or not:"
                " send them again with the same Idempotency-Key"
            ) from None


def _describe(scope: Scope) -> dict[str, Any]:
    """What URL and headers say of a body. Raises InvalidInput."""
    params = from_query_string(IngestParams, scope["query_string"])
    headers = Headers(scope=scope)
    key = headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= KEY_MAX_BYTES:
        raise InvalidInput(f"the header Idempotency-Key must have 1 to {KEY_MAX_BYTES} bytes")
    return {
        "content_type": headers.get("content-type", ""),
        "content_encoding": ",".join(headers.getlist("content-encoding")),
        "params": params.model_dump(),
        "idempotency_key": key,
    }


def _refusal(error: LogstoreError) -> Response:
    if not isinstance(error, NothingTaken):
        return error_response(error)
    content = error.receipt[:-1] + b',"error":' + to_json(str(error)) + b"}"
    return Response(content, 400, media_type="application/json")


def _reason(error: LogstoreError) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "fault")


async def _answer(response: Response, reader: BodyReader, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the answer; if the client is still sending, let it do so for a while first: one that is cut off while it
    writes never reads what was wrong."""
    if reader.is_complete:
        await response(scope, receive, send)
        return
    headers = [*response.raw_headers, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    is_waiting = not reader.is_begun and b"100-continue" in dict(scope["headers"]).get(b"expect", b"").lower()
    if not is_waiting:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.drain(DRAIN_MAX_BYTES), DRAIN_MAX_S)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
