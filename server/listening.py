"""Protocols that are not HTTP: what is spoken where, by the settings; all listeners bound, started, stopped as one."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from ingest.conversation import Conversation, Datagrams, taking
from ingest.protocol import Take
from ingest.protocols import forward, gelf, syslog
from server.address import Address
from server.auth import Tokens
from server.datagrams import DatagramListener, Receivers
from server.grpc_listener import GrpcListener
from server.intake import Intake
from server.listeners import bind_to
from server.service import Service
from server.settings import ServeSettings
from server.streams import StreamListener, Streams
from server.zones import zone_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Spoken:
    """A protocol, the settings of its addresses, and how it begins: with the address of a peer, or for a socket."""

    name: str
    take: Take
    stream_setting: str = ""
    begin: Callable[[str], Conversation] | None = None
    datagram_setting: str = ""
    datagrams: Callable[[], Datagrams] | None = None


def spoken(settings: ServeSettings, tokens: Tokens | None) -> tuple[Spoken, ...]:
    """One entry a protocol. Raises InvalidSettings for a file that one of them cannot use."""
    begin = forward.begin(settings.max_body, _keys(settings, tokens), f"logstore@{socket.gethostname()}", os.urandom)
    as_syslog = taking(syslog.decoder(zone_of(settings.syslog_zone)))
    as_gelf = taking(gelf.decode_messages)
    begin_syslog = partial(syslog.conversation, max_bytes=settings.max_line)
    begin_gelf = partial(gelf.conversation, max_bytes=settings.max_line)
    return (
        Spoken(forward.NAME, forward.TAKE, "forward_listen", begin, "forward_listen", forward.Heartbeats),
        Spoken(syslog.NAME, as_syslog, "syslog_tcp_listen", begin_syslog, "syslog_udp_listen", syslog.Datagrams),
        Spoken(gelf.NAME, as_gelf, "gelf_tcp_listen", begin_gelf, "gelf_udp_listen", gelf.Datagrams),
    )


def _keys(settings: ServeSettings, tokens: Tokens | None) -> forward.Keys | None:
    """What clients of forward must know: a shared key, or where there is no file of these, a token in its place."""
    if settings.forward_shared_key_file is not None:
        return forward.Keys(Tokens(settings.forward_shared_key_file).known)
    return forward.Keys(tokens.known, tokens.known) if tokens is not None else None


class Listening:
    """All listeners but that of HTTP."""

    def __init__(
        self, service: Service, context: ssl.SSLContext | None, protocols: tuple[Spoken, ...], grpc: GrpcListener
    ) -> None:
        """Binds every address, but those of gRPC. Raises InvalidSettings."""
        self._grpc = grpc
        self._stop_timeout_s = service.settings.stop_timeout
        self._intakes: list[Intake] = []
        streams: list[StreamListener] = []
        datagrams: list[DatagramListener] = []
        for protocol in protocols:
            intake = Intake(protocol.name, protocol.take, service)
            self._intakes.append(intake)
            if protocol.begin is not None:
                for endpoint in service.settings.endpoints(protocol.stream_setting):
                    bound = bind_to(endpoint.address, protocol.stream_setting)
                    _announce(protocol.name, bound)
                    streams.append(StreamListener(bound, intake, protocol.begin, context if endpoint.is_tls else None))
            if protocol.datagrams is not None:
                for endpoint in service.settings.endpoints(protocol.datagram_setting):
                    bound = bind_to(endpoint.address, protocol.datagram_setting, socket.SOCK_DGRAM)
                    _announce(protocol.name, bound)
                    datagrams.append(DatagramListener(bound, intake, protocol.datagrams()))
        self._streams = Streams(service, streams)
        self._receivers = Receivers(service, datagrams)

    def listen(self) -> None:
        """Clients can connect; they are heard after `start`. Raises InvalidSettings for an address of gRPC."""
        self._grpc.listen()
        self._streams.listen()

    async def start(self) -> None:
        await self._streams.start()
        await self._receivers.start()
        await self._grpc.start()

    async def stop(self) -> None:
        """Takes no more, and makes durable what was received, within the time that a stop may take."""
        for intake in self._intakes:
            intake.begin_to_stop()
        self._receivers.stop()
        await asyncio.gather(self._streams.stop(), self._grpc.stop())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stop_timeout_s):
                await asyncio.gather(*(intake.drain() for intake in self._intakes))


def _announce(protocol: str, bound: socket.socket) -> None:
    host, port = bound.getsockname()[:2]
    transport = "udp" if bound.type == socket.SOCK_DGRAM else "tcp"
    log.info("listening", protocol=protocol, transport=transport, address=str(Address(host, port)))
