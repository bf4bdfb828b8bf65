"""OTLP over gRPC: `LogsService/Export` of opentelemetry-proto, and the health service that orchestrators ask.

Calls to services of other signals are answered UNIMPLEMENTED, as gRPC does for what it does not know. The library is
imported only where there is an address to listen on.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

import structlog

from ingest.pipeline import Accepted, Arrival
from ingest.protocols import otlp
from ingest.protocols.otlp.status import PROTOBUF, Code, code_of, status_message
from ingest.request import Head, Sender
from ingest.wire import message
from logstore.errors import Busy, InvalidSettings, LogstoreError, Unavailable
from server.address import Address, Endpoint
from server.asgi import sender_named
from server.auth import Tokens
from server.errors import SERVER_FAULT, UNAVAILABLE_RETRY_S, reason_of, status_of
from server.service import Service
from server.settings import ServeSettings

SETTING: Final = "otlp_grpc_listen"
EXPORT: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
CALLS_MAX: Final = 8
"""Whose messages may be in memory at once; further ones wait for their turn, unread."""
STREAMS_MAX: Final = 256
"""Calls of one connection; its client holds back further ones."""
KEEP_ALIVE_MS: Final = 60_000
"""A client that has gone without a word is noticed after so long."""
ACK_TIMEOUT_S: Final = 60.0
_DETAILS: Final = "grpc-status-details-bin"
_SERVING: Final = 1

log = structlog.get_logger()


class GrpcListener:
    """The addresses of one setting. One event loop; nothing is done where there is no address."""

    def __init__(self, service: Service, tokens: Tokens | None) -> None:
        self._service = service
        self._endpoints = service.settings.endpoints(SETTING)
        self._exports = _Exports(service, tokens)
        self._server: Any = None

    def listen(self) -> None:
        """Binds every address. Raises InvalidSettings, which says why one cannot be."""
        if not self._endpoints:
            return
        import grpc

        self._server = grpc.aio.server(handlers=_handlers(self._exports), options=_options(self._service.settings))
        for endpoint in self._endpoints:
            port = self._bind(endpoint)
            address = Address(endpoint.address.host, port)
            log.info("listening", protocol="otlp", transport="grpc", address=str(address))

    async def start(self) -> None:
        if self._server is not None:
            await self._server.start()

    async def stop(self) -> None:
        """Takes no more calls, and lets those that run end, within the time that a stop may take."""
        if self._server is not None:
            await self._server.stop(self._service.settings.stop_timeout)
            self._server = None

    def _bind(self, endpoint: Endpoint) -> int:
        address = endpoint.address
        place = str(replace(address, host=address.host or "::"))
        try:
            if endpoint.is_tls:
                return int(self._server.add_secure_port(place, _credentials(self._service.settings)))
            return int(self._server.add_insecure_port(place))
        except RuntimeError as error:
            raise InvalidSettings(f"cannot listen on {address}: {error}; choose another --otlp-grpc-listen") from error


class _Exports:
    """From one call to durable records."""

    def __init__(self, service: Service, tokens: Tokens | None) -> None:
        self._service = service
        self._tokens = tokens
        self._turns = asyncio.Semaphore(CALLS_MAX)

    async def export(self, messages: AsyncIterator[bytes], context: Any) -> bytes:
        """ExportLogsServiceResponse, or the call is ended with a status that says whether to send again."""
        head, sender = _head(context), _sender(context)
        if self._tokens is not None and not self._tokens.admit(head.headers.get("authorization")):
            self._service.sources.turn_away(otlp.NAME, "unauthorized")
            await _abort(
                context, Code.UNAUTHENTICATED, "a token is needed: send the metadata authorization: Bearer TOKEN"
            )
        try:
            async with self._turns:
                body = await self._read(messages)
                accepted = await self._accept(
                    Arrival(body, head, otlp.TAKE, otlp.NAME, head.headers.get("idempotency-key"))
                )
        except LogstoreError as error:
            self._service.sources.refuse(otlp.NAME, sender, reason_of(error), str(error), now_ns=time.time_ns())
            await _abort(context, code_of(status_of(error)), str(error), _retry_after_s(error))
        except Exception as error:
            log.error("export failed", sender=sender.address, exc_info=error)
            await _abort(context, Code.UNAVAILABLE, SERVER_FAULT, UNAVAILABLE_RETRY_S)
        self._service.sources.record(
            otlp.NAME,
            sender,
            accepted.records,
            len(body),
            accepted.rejects,
            now_ns=time.time_ns(),
            unread=accepted.unread,
        )
        return accepted.answer.body

    async def _read(self, messages: AsyncIterator[bytes]) -> bytes:
        """The call's one message, whose bytes must keep coming."""
        timeout_s = self._service.settings.receive_timeout
        try:
            async with asyncio.timeout(timeout_s):
                async for body in messages:
                    return body
        except TimeoutError:
            raise Unavailable(f"the message did not come within {timeout_s:g} s (receive_timeout)") from None
        return b""

    async def _accept(self, arrival: Arrival) -> Accepted:
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                return await asyncio.wrap_future(self._service.pipeline.accept(arrival))
        except TimeoutError:
            raise Unavailable(f"the disk did not confirm the records within {ACK_TIMEOUT_S:g} s") from None


async def _health(_messages: AsyncIterator[bytes], _context: Any) -> bytes:
    """HealthCheckResponse: whoever reaches it finds an open store."""
    return message((1, _SERVING))


def _handlers(exports: _Exports) -> tuple[Any, ...]:
    """The bytes of messages are passed on as they are. A call with one message is taken as one with several, whose
    reading is then ours to bound."""
    import grpc

    services: dict[str, dict[str, Any]] = {
        "opentelemetry.proto.collector.logs.v1.LogsService": {"Export": exports.export},
        "grpc.health.v1.Health": {"Check": _health},
    }
    return tuple(
        grpc.method_handlers_generic_handler(
            service, {name: grpc.stream_unary_rpc_method_handler(call) for name, call in calls.items()}
        )
        for service, calls in services.items()
    )


def _options(settings: ServeSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_body),
        ("grpc.max_concurrent_streams", STREAMS_MAX),
        ("grpc.keepalive_time_ms", KEEP_ALIVE_MS),
    ]


def _credentials(settings: ServeSettings) -> Any:
    import grpc

    certificate, key, authority = settings.tls_cert_file, settings.tls_private_key_file, settings.client_ca_file
    if certificate is None or key is None:
        raise InvalidSettings(f"{SETTING} says tls://, which needs tls_cert_file and tls_private_key_file")
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=authority.read_bytes() if authority is not None else None,
        require_client_auth=authority is not None,
    )


def _head(context: Any) -> Head:
    """Metadata as if they were headers; binary ones are left out."""
    told = {str(key): value for key, value in context.invocation_metadata() if isinstance(value, str)}
    return Head("POST", EXPORT, {}, {**told, "content-type": PROTOBUF})


def _sender(context: Any) -> Sender:
    """Of a peer such as `ipv4:127.0.0.1:4711` or `ipv6:%5B::1%5D:4711`."""
    _, _, place = unquote(context.peer()).partition(":")
    agents = (value for key, value in context.invocation_metadata() if key == "user-agent" and isinstance(value, str))
    return sender_named(place.rpartition(":")[0].strip("[]"), next(agents, ""))


def _retry_after_s(error: LogstoreError) -> int | None:
    if isinstance(error, Busy):
        return max(1, error.retry_after_s)
    return UNAVAILABLE_RETRY_S if isinstance(error, Unavailable) else None


async def _abort(context: Any, code: Code, text: str, retry_after_s: int | None = None) -> None:
    import grpc

    details = ((_DETAILS, status_message(code, text, retry_after_s)),)
    await context.abort(next(known for known in grpc.StatusCode if known.value[0] == code), text, details)
