"""Protocols over UDP: what cannot be taken now is dropped, and counted; there is nobody who could be asked to wait."""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from ingest.conversation import Datagrams, Frame
from server.intake import Intake
from server.service import Service

OVERHEAD_BYTES: Final = 256
"""What a datagram counts for besides its bytes, so that very many small ones are bounded too."""


@dataclass(frozen=True, slots=True)
class DatagramListener:
    """A bound socket, what comes there, and where it goes."""

    socket: socket.socket
    intake: Intake
    datagrams: Datagrams


class Receivers:
    """All sockets of all protocols over datagrams. Until `start` the kernel keeps what comes, as far as it has room."""

    def __init__(self, service: Service, listeners: Iterable[DatagramListener]) -> None:
        self._service = service
        self._listeners = tuple(listeners)
        self._transports: list[asyncio.DatagramTransport] = []

    async def start(self) -> None:
        """Take them."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            transport, _ = await loop.create_datagram_endpoint(
                partial(_Receiver, listener, self._service),
                sock=listener.socket,
            )
            self._transports.append(transport)

    def stop(self) -> None:
        """Takes no more."""
        for transport in self._transports:
            transport.close()
        for listener in self._listeners:
            listener.socket.close()


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, listener: DatagramListener, service: Service) -> None:
        self._listener = listener
        self._lane = listener.intake.lane()
        self._bodies = service.bodies
        self._dropped = service.telemetry.streams.dropped.labels(listener.intake.name)
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        peer = str(addr[0])
        datagrams = self._listener.datagrams
        dropped = datagrams.dropped
        frame = datagrams.feed(data, peer)
        self._dropped.inc(datagrams.dropped - dropped)
        if frame is None:
            return
        if frame.body:
            self._take(frame, peer)
        if frame.ack:
            self._transport.sendto(frame.ack, addr)

    def _take(self, frame: Frame, peer: str) -> None:
        share_bytes = len(frame.body) + OVERHEAD_BYTES
        if not self._bodies.acquire_now(share_bytes):
            self._dropped.inc()
        elif not self._lane.offer(frame, peer, share_bytes):
            self._bodies.release(share_bytes)
            self._dropped.inc()
