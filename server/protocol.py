"""Uvicorn's HTTP protocol with the limits that it leaves open: heads, connections, idle clients."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.errors import error_body
from server.settings import ServeSettings

HEAD_MAX_BYTES: Final = 64 * 1024
"""Request line and header fields together."""

CONNECTION: Final = "logstore.connection"
"""The ASGI extension under which an application finds the methods `close` and `abort` of its connection."""


class HeadTooLargeError(Exception):
    """Raised inside the parser, which then gives up the connection."""


class JoinedWrites:
    """A transport that sends in one call what is written in one turn of the loop, as head and body of most answers are:
    a call of the kernel, and a wake-up of the client, less."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        if self._held_bytes > HIGH_WATER_LIMIT:
            self._flush()

    def get_write_buffer_size(self) -> int:
        return self._held_bytes + self._transport.get_write_buffer_size()

    @property
    def _held_bytes(self) -> int:
        return sum(map(len, self._held))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._held = []
        self._transport.abort()

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held:
            self._transport.write(b"".join(held))


class BoundedProtocol(HttpToolsProtocol):
    """One connection. The class attributes are set by `bounded` from the settings."""

    max_connections = 2000
    receive_timeout_s = 30.0
    send_timeout_s = 30.0
    on_cut: Callable[[str], None] = staticmethod(lambda what: None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None
        if len(self.connections) > self.max_connections:
            self._refuse(
                503,
                f"more than {self.max_connections} connections (max_connections); try again later",
            )
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_send_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        if self._head_timer is None:
            self._await_head()
        self.scope["extensions"] = {
            CONNECTION: {"close": self.transport.close, "abort": self.transport.abort, "has_come": self._has_come}
        }

    def _has_come(self) -> bool:
        """Whether the next piece of the body is there, so that nobody has to wait for it."""
        return self.cycle.message_event.is_set()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """The piece as it is, where the application has taken what came before: a copy less of every body."""
        if self.cycle.body or self.cycle.response_complete:
            super().on_body(body)
            return
        self.cycle.body = body  # type: ignore[assignment]
        if len(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:
        if self._head_bytes > HEAD_MAX_BYTES:
            self._refuse(
                431,
                f"request line and headers are over {HEAD_MAX_BYTES} bytes; send a long query in a POST body",
            )
            return
        self._refuse(400, "this is not an HTTP/1.1 request")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_drain()

    def resume_writing(self) -> None:
        self._stop_send_timer()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        if self.transport.get_write_buffer_size() > 0:
            self._await_drain()

    def _count(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > HEAD_MAX_BYTES:
            raise HeadTooLargeError

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.receive_timeout_s, self._give_up)

    def _give_up(self) -> None:
        self._head_timer = None
        if self.cycle is not None:
            self.on_cut("receive")
        self.transport.abort()

    def _await_drain(self) -> None:
        self._stop_send_timer()
        left_bytes = self.transport.get_write_buffer_size()
        self._send_timer = self.loop.call_later(self.send_timeout_s, self._cut_unless_drained, left_bytes)

    def _cut_unless_drained(self, before_bytes: int) -> None:
        self._send_timer = None
        if 0 < self.transport.get_write_buffer_size() < before_bytes:
            self._await_drain()
            return
        self.on_cut("send")
        self.transport.abort()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _refuse(self, status: int, message: str) -> None:
        self._stop_head_timer()
        is_answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not is_answering:
            content = error_body(message)
            head = (
                STATUS_LINE[status]
                + b"content-type: application/json\r\nconnection: close\r\ncontent-length: "
                + str(len(content)).encode()
                + b"\r\n\r\n"
            )
            self.transport.write(head + content)
        self.transport.close()


def bounded(settings: ServeSettings, on_cut: Callable[[str], None]) -> type[BoundedProtocol]:
    """The protocol class with the limits of `settings`; `on_cut` hears `receive` or `send` at each cut."""
    limits: dict[str, Any] = {
        "max_connections": settings.max_connections,
        "receive_timeout_s": settings.receive_timeout,
        "send_timeout_s": settings.send_timeout,
        "on_cut": staticmethod(on_cut),
    }
    return type("BoundedProtocol", (BoundedProtocol,), limits)
