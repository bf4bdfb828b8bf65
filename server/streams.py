"""Protocols over TCP and TLS: each connection a conversation, within bounds of number, bytes and time."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from ingest.conversation import Conversation, Frame, Malformed, Unwelcome
from logstore.errors import Busy
from server.intake import Intake
from server.listeners import BACKLOG
from server.service import Service
from server.wire import READ_BYTES, Wire

HANDSHAKE_S: Final = 10.0
"""How long a client may take to set TLS up."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamListener:
    """A bound socket, what is spoken there, and where it goes. `begin` is told the peer's address."""

    socket: socket.socket
    intake: Intake
    begin: Callable[[str], Conversation]
    context: ssl.SSLContext | None = None


class Streams:
    """All connections of all protocols over streams."""

    def __init__(self, service: Service, listeners: Iterable[StreamListener]) -> None:
        self._service = service
        self._settings = service.settings
        self._metrics = service.telemetry.streams
        self._listeners = tuple(listeners)
        self._space = memoryview(bytearray(READ_BYTES))
        self._servers: list[asyncio.Server] = []
        self._running: dict[asyncio.Task[None], Wire] = {}

    def listen(self) -> None:
        """From now on the kernel completes connections; they are served after `start`."""
        for listener in self._listeners:
            listener.socket.listen(BACKLOG)

    async def start(self) -> None:
        """Serve."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            server = await loop.create_server(
                partial(self._wire, listener),
                sock=listener.socket,
                ssl=listener.context,
                backlog=BACKLOG,
                ssl_handshake_timeout=None if listener.context is None else HANDSHAKE_S,
            )
            self._servers.append(server)

    async def stop(self) -> None:
        """Takes no more; returns when what was received is in its lane or acknowledged, or after `stop_timeout`."""
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            listener.socket.close()
        for wire in self._running.values():
            wire.end()
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=self._settings.stop_timeout)
        for task in late:
            task.cancel()

    def _wire(self, listener: StreamListener) -> Wire:
        return Wire(self._space, lambda wire: self._meet(wire, listener))

    def _meet(self, wire: Wire, listener: StreamListener) -> None:
        if len(self._running) >= self._settings.max_connections:
            self._cut(wire, listener, "too_many", f"{len(self._running)} connections (max_connections)")
            wire.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(wire, listener))
        self._running[task] = wire
        self._metrics.connections.labels(listener.intake.name).inc()
        task.add_done_callback(lambda done: self._part(done, listener))

    def _part(self, task: "asyncio.Task[None]", listener: StreamListener) -> None:
        self._running.pop(task)
        self._metrics.connections.labels(listener.intake.name).dec()

    async def _serve(self, wire: Wire, listener: StreamListener) -> None:
        served = _Served(wire, listener, self._service)
        try:
            await served.run()
        except Malformed as error:
            self._cut(wire, listener, "refused" if isinstance(error, Unwelcome) else "malformed", str(error))
        except TimeoutError as error:
            self._cut(wire, listener, str(error) or "unread", "it stood still")
            wire.abort()
        except Busy as error:
            self._cut(wire, listener, "full", str(error))
        except Exception as error:
            self._cut(wire, listener, "fault", "a fault of the server", error)
        finally:
            served.close()

    def _cut(
        self, wire: Wire, listener: StreamListener, reason: str, message: str, error: Exception | None = None
    ) -> None:
        name = listener.intake.name
        self._metrics.closed.labels(name, reason).inc()
        log.warning("connection closed", protocol=name, peer=wire.peer, reason=reason, error=message, exc_info=error)


class _Served:
    """One connection being served, and its share of the memory for what was received."""

    def __init__(self, wire: Wire, listener: StreamListener, service: Service) -> None:
        self._wire = wire
        self._intake = listener.intake
        self._lane = listener.intake.lane()
        self._conversation = listener.begin(wire.peer)
        self._bodies = service.bodies
        self._settings = service.settings
        self._share_bytes = 0

    async def run(self) -> None:
        """Until the sender has said everything."""
        if greeting := self._conversation.greeting():
            await self._send(greeting)
        while received := await self._read():
            await self._bodies.acquire(len(received), self._settings.receive_timeout, self._share_bytes)
            self._share_bytes += len(received)
            await self._pass_on(self._conversation.feed(received))
        await self._pass_on(self._conversation.end())

    def close(self) -> None:
        self._bodies.release(self._share_bytes)
        self._wire.close()

    async def _read(self) -> bytearray:
        """Who is silent between frames may be so for ever: the kernel tells whether it is still there."""
        if not self._conversation.is_midway:
            return await self._wire.read()
        try:
            async with asyncio.timeout(self._settings.receive_timeout):
                return await self._wire.read()
        except TimeoutError:
            raise TimeoutError("silent") from None

    async def _pass_on(self, said: Iterable[Frame | bytes]) -> None:
        for item in said:
            if isinstance(item, bytes):
                await self._send(item)
            elif item.ack:
                await self._store(item)
            else:
                await self._lane.put(item, self._wire.peer, self._freed())
        self._bodies.release(self._freed())

    async def _store(self, frame: Frame) -> None:
        share_bytes = self._freed()
        try:
            is_stored = await self._intake.store(frame.body, {self._wire.peer: len(frame.body)})
        finally:
            self._bodies.release(share_bytes)
        if is_stored:
            await self._send(frame.ack)

    def _freed(self) -> int:
        """What the conversation holds no more, of what this connection has a share for."""
        freed = self._share_bytes - min(self._conversation.held_bytes, self._share_bytes)
        self._share_bytes -= freed
        return freed

    async def _send(self, content: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self._wire.send(content, self._settings.send_timeout)
