"""One connection of a protocol that is not HTTP: read when asked, never far ahead; written when the client takes it."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

READ_BYTES: Final = 64 << 10
"""The most that is read at once, and, twice, that lies here unasked for."""

KEEP_ALIVE_AFTER_S: Final = 60
KEEP_ALIVE_EVERY_S: Final = 15
KEEP_ALIVE_PROBES: Final = 4
"""How the kernel finds out that an idle client's machine is gone: 2 minutes after its last sign of life."""


class Wire(asyncio.BufferedProtocol):
    """The two directions of a connection. `space` is where all connections of a loop read into, one after the other."""

    def __init__(self, space: memoryview, on_made: Callable[["Wire"], None]) -> None:
        self._space = space
        self._on_made = on_made
        self._received = bytearray()
        self._is_ended = False
        self._is_paused = False
        self._reader: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport
        self.peer = ""

    async def read(self) -> bytearray:
        """What came since the last time, at least a byte; nothing once there will be no more."""
        while not self._received and not self._is_ended:
            if self._is_paused:
                self._is_paused = False
                self.transport.resume_reading()
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        received, self._received = self._received, bytearray()
        return received

    async def send(self, content: bytes, within_s: float) -> None:
        """Raises TimeoutError if the client takes nothing for so long."""
        self.transport.write(content)
        if self._writable is not None:
            async with asyncio.timeout(within_s):
                await self._writable

    def end(self) -> None:
        """Nothing more is read, but what was received still is."""
        self._is_ended = True
        if not self.transport.is_closing() and not self._is_paused:
            self._pause()
        self._wake(self._reader)

    def close(self) -> None:
        """Closes once everything sent is on its way."""
        self.transport.close()

    def abort(self) -> None:
        """Closes at once: whatever it was sent is of no use to a client that takes nothing."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.peer = _peer(transport)
        if (connection := transport.get_extra_info("socket")) is not None:
            _keep_alive(connection)
        self._on_made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        self._received += self._space[:nbytes]
        if len(self._received) >= READ_BYTES and not self._is_paused:
            self._pause()
        self._wake(self._reader)

    def eof_received(self) -> bool:
        """Keeps our direction open, where that can be: an answer may be due."""
        self._is_ended = True
        self._wake(self._reader)
        return self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_ended = True
        self._wake(self._reader)
        self._wake(self._writable)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        self._wake(self._writable)
        self._writable = None

    def _pause(self) -> None:
        self._is_paused = True
        self.transport.pause_reading()

    @staticmethod
    def _wake(waiting: "asyncio.Future[None] | None") -> None:
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _peer(transport: asyncio.BaseTransport) -> str:
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) and name else ""


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_AFTER_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_EVERY_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_ALIVE_PROBES)
