"""GET /api/v1/tail: records as they come, as NDJSON or server-sent events. A plain ASGI endpoint."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import Field
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from logstore.errors import LogstoreError
from query.catchup import parse_backlog, parse_cursor
from query.events import Event, Failed, as_ndjson, as_sse
from query.tail import Follower
from server.body import ClientGone
from server.encoding import parse_weights
from server.params import Params, from_query_string
from server.routes.query import Text
from server.service import Service
from server.streaming import cut, until_gone

SSE: Final = "text/event-stream"
NDJSON: Final = "application/x-ndjson"
WAKE_S: Final = 1.0
"""A tail is looked after so often, also when nothing comes."""


class TailParams(Params):
    """Parameters of /api/v1/tail."""

    q: Text = Field("*", description="the query: a filter with where, extend and fields at most; none: every record")
    backlog: Text = Field("", description="begin with so many records, or those of a duration such as 5m")
    cursor: Text = Field("", description="resume after it: from an earlier tail's @tail line")
    meta: bool = Field(False, description="true: records have their number, _seq")


@dataclass(frozen=True, slots=True)
class Form:
    """How events are written."""

    media_type: str
    write: Callable[[Event], bytes]


class Tail:
    """The endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        params = from_query_string(TailParams, scope["query_string"])
        cursor = headers.get("last-event-id") or params.cursor
        form = Form(SSE, as_sse) if _wants_sse(headers.get("accept", "")) else Form(NDJSON, as_ndjson)
        wake = Wake()
        follower = await self._service.follow(lambda: self._subscribe(params, cursor, wake.notify))
        gone = asyncio.ensure_future(until_gone(receive))
        gone.add_done_callback(lambda _: wake.set())
        try:
            with self._service.tailing(wake):
                conversation = _Conversation(self._service, follower, form, wake, gone, scope, send)
                await conversation.run(has_past=bool(cursor or params.backlog.strip()))
        finally:
            gone.cancel()
            await asyncio.shield(asyncio.ensure_future(self._service.follow(follower.close)))

    def _subscribe(self, params: TailParams, cursor: str, notify: Callable[[], None]) -> Follower:
        return self._service.hub.subscribe(
            params.q if params.q.strip() else "*",
            cursor=parse_cursor(cursor) if cursor else None,
            backlog=parse_backlog(params.backlog) if params.backlog.strip() and not cursor else None,
            with_seq=params.meta,
            notify=notify,
        )


class Wake:
    """Something to do for one tail. `notify` may be called by any thread, the rest on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._is_notified = False

    def notify(self) -> None:
        if not self._is_notified:
            self._is_notified = True
            self._loop.call_soon_threadsafe(self.set)

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        timer = self._loop.call_later(WAKE_S, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()
        self._event.clear()
        self._is_notified = False


class _Conversation:
    """One tail from its headers to its end."""

    def __init__(
        self,
        service: Service,
        follower: Follower,
        form: Form,
        wake: Wake,
        gone: "asyncio.Future[None]",
        scope: Scope,
        send: Send,
    ) -> None:
        self._service = service
        self._follower = follower
        self._form = form
        self._wake = wake
        self._gone = gone
        self._scope = scope
        self._send = send

    async def run(self, *, has_past: bool) -> None:
        headers = {"content-type": self._form.media_type, "cache-control": "no-store", "x-accel-buffering": "no"}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})
        try:
            if not has_past or await self._send_backlog():
                await self._send_live()
        except LogstoreError as error:
            await self._fail(error)

    async def _send_backlog(self) -> bool:
        """Whether the tail is live afterwards, rather than at its end."""
        async with self._service.catching_up:
            events = self._follower.backlog()
            try:
                while (event := await self._service.follow(lambda: next(events, None))) is not None:
                    await self._write([event])
                    if self._service.is_stopping:
                        await self._end([])
                        return False
            finally:
                await asyncio.shield(asyncio.ensure_future(self._service.follow(lambda: _close(events))))
        return True

    async def _send_live(self) -> None:
        while not self._service.is_stopping:
            events = self._follower.take()
            if events:
                await self._write(events)
            if events and isinstance(events[-1], Failed):
                await cut(self._scope, self._gone)
                return
            await self._wake.wait()
            if self._gone.done():
                raise ClientGone
        await self._end(self._follower.finish())

    async def _write(self, events: list[Event]) -> None:
        if self._gone.done():
            raise ClientGone
        body = b"".join(self._form.write(event) for event in events)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _end(self, events: list[Event]) -> None:
        body = b"".join(self._form.write(event) for event in events)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _fail(self, error: LogstoreError) -> None:
        await self._write([Failed(error)])
        await cut(self._scope, self._gone)


def _close(events: Iterator[Event]) -> None:
    close = getattr(events, "close", None)
    if close is not None:
        close()


def _wants_sse(accept: str) -> bool:
    weights = parse_weights(accept)
    return weights.get(SSE, 0.0) > weights.get(NDJSON, 0.0)
