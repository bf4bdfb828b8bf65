"""The outermost ASGI application: who may enter, what is counted, and what becomes of an error."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logstore.errors import LogstoreError
from server.auth import Tokens
from server.body import ClientGone, ReceiveTimeout
from server.errors import SERVER_FAULT, error_response, message_response, status_of
from server.protocol import CONNECTION
from server.telemetry import Telemetry

HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Answered without a token, and before the store is open."""

PAGE_PATHS: Final = frozenset({"/", "/docs", "/openapi.json"})
"""Answered without a token, as is `/ui/`: the program's own files, no data; the page asks its user for the token."""

HEAD_PATHS: Final = frozenset({"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
ROUTE: Final = "logstore.route"
"""Key of a scope: the pattern of its path, where that has one, for metrics."""
UNTIMED_PATHS: Final = frozenset({"/api/v1/tail"})
CHALLENGE: Final = 'Bearer realm="logstore"'
"""Basic is taken as well but not offered: browsers would put their own dialogue before the page's."""

log = structlog.get_logger()


@dataclass(slots=True)
class Readiness:
    """Whether the store is open; until then, and after a stop began, only the health paths answer."""

    is_ready: bool = False
    reason: str = "the server is starting"


class Gate:
    """Wraps the application; nothing raised inside gets past it but cancellation."""

    def __init__(
        self,
        app: ASGIApp,
        routes: frozenset[str],
        telemetry: Telemetry,
        readiness: Readiness,
        tokens: Tokens | None,
    ) -> None:
        self._app = app
        self._routes = routes
        self._telemetry = telemetry
        self._readiness = readiness
        self._tokens = tokens

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
        refusal = self._refusal(scope)
        if refusal is not None:
            status, message, headers = refusal
            await message_response(status, message, headers)(scope, receive, send)
            return
        if scope["method"] == "HEAD" and scope["path"] in HEAD_PATHS:
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str, Mapping[str, str]] | None:
        path = scope["path"]
        if path in HEALTH_PATHS or path in PAGE_PATHS or path.startswith("/ui/"):
            return None
        headers = Headers(scope=scope)
        if self._tokens is not None and not self._tokens.admit(headers.get("authorization")):
            return (
                401,
                "a token is needed: send the header Authorization: Bearer TOKEN",
                {"www-authenticate": CHALLENGE},
            )
        if scope["method"] not in ("GET", "HEAD") and headers.get("sec-fetch-site") == "cross-site":
            return 403, "requests from the pages of other sites are not taken", {}
        if not self._readiness.is_ready:
            return 503, self._readiness.reason, {"retry-after": "1"}
        return None

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, answer: "_Observed") -> None:
        told = error if isinstance(error, LogstoreError) else None
        if told is None or status_of(told) == 500:
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
        self._telemetry.http.requests.labels(route, str(status or "none")).inc()
        if route not in UNTIMED_PATHS:
            self._telemetry.http.seconds.labels(route).observe(seconds)


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
