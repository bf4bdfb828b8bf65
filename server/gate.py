"""The outermost ASGI application: who may enter, what is counted, and what becomes of an error."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.protocol import Stream
from logstore.errors import LogstoreError, OperatorError
from server.access import REASONS, Access, refused
from server.asgi import head_of
from server.body import ClientGone, ReceiveTimeout
from server.errors import SERVER_FAULT, error_response, message_response, status_of
from server.mounts import Found, Mounts
from server.protocol import CONNECTION
from server.sources import Sources
from server.telemetry import Telemetry

HEAD_PATHS: Final = frozenset({"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
UNTIMED_PATHS: Final = frozenset({"/api/v1/tail"})

ROUTE, HEAD, FOUND = "logstore.route", "logstore.head", "logstore.found"
"""Keys of a scope: the pattern of its path where that has one, its head, and the endpoint of a protocol or None."""

log = structlog.get_logger()


class Gate:
    """Wraps the application; nothing raised inside gets past it but cancellation."""

    def __init__(
        self,
        app: ASGIApp,
        routes: frozenset[str],
        mounts: Mounts,
        access: Access,
        telemetry: Telemetry,
        sources: Sources,
    ) -> None:
        self._app = app
        self._routes = routes
        self._mounts = mounts
        self._access = access
        self._telemetry = telemetry
        self._requests = cache(telemetry.http.requests.labels)
        self._seconds = cache(telemetry.http.seconds.labels)
        self._sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began_s = time.monotonic()
        answer = _Observed(send)
        try:
            await self._enter(scope, receive, answer)
        except ClientGone as gone:
            _abort(scope)
            if isinstance(gone, ReceiveTimeout):
                self._telemetry.http.clients_cut.labels("receive").inc()
            log.debug("client gone", path=scope["path"], reason=str(gone))
        except Exception as error:
            await self._fail(error, scope, receive, answer)
        self._count(scope, answer.status, time.monotonic() - began_s)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD" and scope["path"] in HEAD_PATHS:
            scope = {**scope, "method": "GET"}
        head = head_of(scope)
        found = self._mounts.find(head)
        if found is not None:
            scope[ROUTE] = found.mount.pattern
            if found.segments:
                head = replace(head, segments=found.segments)
        scope[HEAD], scope[FOUND] = head, found
        refusal = self._access.refusal(head, found)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        protocol = None if found is None else found.mount.protocol
        if protocol is not None:
            self._sources.turn_away(protocol.name, REASONS[refusal.status])
        await refused(head, protocol, refusal)(scope, receive, send)

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, answer: "_Observed") -> None:
        told = error if isinstance(error, LogstoreError) else None
        if told is None or (status_of(told) == 500 and not isinstance(told, OperatorError)):
            log.error("request failed", path=scope["path"], method=scope["method"], exc_info=error)
        if answer.status is not None:
            if not answer.is_complete:
                _abort(scope)
            return
        response = error_response(told) if told is not None else message_response(500, SERVER_FAULT)
        await response(scope, receive, answer)

    def _count(self, scope: Scope, status: int | None, seconds: float) -> None:
        path = scope.get(ROUTE, scope["path"])
        route = path if path in self._routes else "other"
        self._requests(route, str(status or "none")).inc()
        if route not in UNTIMED_PATHS and not _is_stream(scope.get(FOUND)):
            self._seconds(route).observe(seconds)


def _is_stream(found: Found | None) -> bool:
    """Whether the request's body may never end, so that its time says nothing."""
    return found is not None and isinstance(found.mount.endpoint, Stream)


class _Observed:
    """Passes messages on and remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.is_complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
        if message["type"] == "http.response.body":
            self.is_complete = not message.get("more_body", False)


def _abort(scope: Scope) -> None:
    connection: Mapping[str, Any] | None = scope.get("extensions", {}).get(CONNECTION)
    if connection is not None:
        connection["abort"]()
