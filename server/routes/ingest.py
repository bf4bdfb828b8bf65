"""Endpoints that take records, of any protocol: a body in, its records durable, one answer out. Plain ASGI."""

import asyncio
import contextlib
import time
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

import structlog
from pydantic import Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ingest.pipeline import Accepted, Arrival
from ingest.protocol import Answer, Probe, Refusal, Stream, Take
from ingest.protocols import native
from ingest.request import Head, Sender
from logstore.errors import (
    InvalidInput,
    LogstoreError,
    Unavailable,
)
from server.asgi import response_of, sender_of
from server.body import BodyReader, ClientGone
from server.errors import SERVER_FAULT, headers_of, reason_of, status_of
from server.mounts import Mount
from server.params import Params, from_query_string
from server.routes.uploads import Uploads
from server.service import Service

ACK_TIMEOUT_S: Final = 60.0
"""How long the disk may take before a sender is told that nobody knows yet."""
KEY_MAX_BYTES: Final = 1024
PROBE_MAX_BYTES: Final = 1 << 20
REMEMBERED: Final = 256
REMEMBERED_MAX_BYTES: Final = 1024
"""Query strings that were found right, and how long one may be: a sender's are always the same."""
DRAIN_MAX_BYTES: Final = 64 * 1024 * 1024
DRAIN_MAX_S: Final = 10.0
STOPPING_DRAIN_S: Final = 0.5
"""What a refused client may still send, so that it gets to read why, before its connection is closed."""


log = structlog.get_logger()


class IngestParams(Params):
    """Defaults for records that do not say it themselves."""

    cluster: str = Field("", description="cluster of records that name none")
    namespace: str = Field("", description="namespace of records that name none")
    pod: str = Field("", description="pod of records that name none")
    container: str = Field("", description="container of records that name none")
    stream: str = Field("", description="stream of records that name none")
    unwrap: str = Field("", description="off, cri, docker or auto: what container runtimes wrap messages in")
    multiline: str = Field("", description="off, auto or java,python,go,dotnet,node,ruby: stack traces as one record")


class Ingest:
    """What the mounted endpoints of all protocols have in common."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._uploads = Uploads(service)
        self._sources = service.sources
        self._seconds = service.telemetry.ingest.seconds
        self._limits = service.body_limits()
        self._probe_limits = replace(
            self._limits, max_bytes=PROBE_MAX_BYTES, max_bytes_setting="a request without records"
        )

    async def __call__(self, mount: Mount, head: Head, scope: Scope, receive: Receive, send: Send) -> None:
        limits = self._probe_limits if isinstance(mount.endpoint, Probe) else self._limits
        reader = BodyReader(scope, receive, self._service.bodies, limits)
        sender = sender_of(scope, head)
        try:
            answer = await self._respond(mount, head, scope, sender, reader)
        except LogstoreError as error:
            self._sources.refuse(mount.protocol.name, sender, reason_of(error), str(error), now_ns=time.time_ns())
            refusal = Refusal(status_of(error), str(error), error)
            answer = mount.protocol.refuse(head, refusal)
            answer = replace(answer, headers={**headers_of(error), **answer.headers})
        except ClientGone:
            raise
        except Exception as error:
            log.error("request failed", path=head.path, method=head.method, exc_info=error)
            self._sources.refuse(mount.protocol.name, sender, "fault", SERVER_FAULT, now_ns=time.time_ns())
            answer = mount.protocol.refuse(head, Refusal(500, SERVER_FAULT))
        finally:
            reader.release()
        drain_s = STOPPING_DRAIN_S if self._service.is_stopping else DRAIN_MAX_S
        await _answer(response_of(answer), reader, scope, receive, send, drain_s)

    async def _respond(self, mount: Mount, head: Head, scope: Scope, sender: Sender, reader: BodyReader) -> Answer:
        if isinstance(mount.endpoint, Probe):
            return mount.endpoint.answer(head, await reader.read())
        if isinstance(mount.endpoint, Stream):
            name = mount.protocol.name
            on_batch = partial(self._record, name, sender)
            return await self._uploads.take(mount.endpoint, name, head, reader, self._accept, on_batch)
        if mount.protocol.name == native.NAME:
            _check_params(scope["query_string"])
        return await self._take(mount.endpoint, mount.protocol.name, head, sender, reader)

    async def _take(self, take: Take, protocol: str, head: Head, sender: Sender, reader: BodyReader) -> Answer:
        key = _idempotency_key(head)
        body = await reader.read()
        began_s = time.monotonic()
        accepted = await self._accept(Arrival(body, head, take, protocol, key))
        self._seconds.observe(time.monotonic() - began_s)
        self._record(protocol, sender, accepted, len(body))
        return accepted.answer

    def _record(self, protocol: str, sender: Sender, accepted: Accepted, size_bytes: int) -> None:
        now_ns, rejects = time.time_ns(), accepted.rejects
        if accepted.answer.status < 400 or accepted.records:
            self._sources.record(
                protocol, sender, accepted.records, size_bytes, rejects, now_ns=now_ns, unread=accepted.unread
            )
        else:
            self._sources.refuse(protocol, sender, "invalid", rejects[0].error if rejects else "", now_ns=now_ns)

    async def _accept(self, arrival: Arrival) -> Accepted:
        try:
            return await self._service.results.of(self._service.pipeline.accept(arrival), ACK_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable(
                f"the disk did not confirm the records within {ACK_TIMEOUT_S:g} s; they may be stored or not:"
                " send them again with the same Idempotency-Key"
            ) from None


def _check_params(query_string: bytes) -> None:
    """Raises InvalidInput."""
    check = _check_anew if len(query_string) <= REMEMBERED_MAX_BYTES else _check_anew.__wrapped__
    check(query_string)


@lru_cache(REMEMBERED)
def _check_anew(query_string: bytes) -> None:
    from_query_string(IngestParams, query_string)


def _idempotency_key(head: Head) -> str | None:
    key = head.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= KEY_MAX_BYTES:
        raise InvalidInput(f"the header Idempotency-Key must have 1 to {KEY_MAX_BYTES} bytes")
    return key


async def _answer(
    response: Response, reader: BodyReader, scope: Scope, receive: Receive, send: Send, drain_s: float
) -> None:
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
            await asyncio.wait_for(reader.drain(DRAIN_MAX_BYTES), drain_s)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
