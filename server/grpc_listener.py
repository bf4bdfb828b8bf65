"""Protocols over gRPC: their calls, and the health service that orchestrators ask.

Calls to services of other signals are answered UNIMPLEMENTED, as gRPC does for what it does not know. The library is
imported only where there is an address to listen on.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Self
from urllib.parse import unquote

import structlog

from ingest.grpc_status import Code, retry_after, status_message
from ingest.pipeline import Accepted, Arrival
from ingest.protocol import GRPC_MESSAGE, Call
from ingest.protocols import CALLS
from ingest.protocols.otlp.status import PROTOBUF
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
CALLS_MAX: Final = 8
"""Whose messages may be in memory at once; further ones wait for their turn, unread."""
UNREAD_BYTES: Final = 4 << 20
"""What a message takes from the budget before its size is known: the most that gRPC takes unless told otherwise."""
STREAMS_MAX: Final = 256
"""Calls of one connection; its client holds back further ones."""
KEEP_ALIVE_MS: Final = 60_000
"""A client that has gone without a word is noticed after so long."""
ACK_TIMEOUT_S: Final = 60.0
HEALTH: Final = "/grpc.health.v1.Health/Check"
_DETAILS: Final = "grpc-status-details-bin"
_SERVING: Final = 1

log = structlog.get_logger()


class GrpcListener:
    """The addresses of one setting. One event loop; nothing is done where there is no address."""

    def __init__(self, service: Service, tokens: Tokens | None) -> None:
        self._service = service
        self._endpoints = service.settings.endpoints(SETTING)
        self._calls = _Calls(service, tokens)
        self._server: Any = None

    def listen(self) -> None:
        """Binds every address. Raises InvalidSettings, which says why one cannot be."""
        if not self._endpoints:
            return
        import grpc

        self._server = grpc.aio.server(handlers=_handlers(self._calls), options=_options(self._service.settings))
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


class _Calls:
    """From one call to durable records."""

    def __init__(self, service: Service, tokens: Tokens | None) -> None:
        self._service = service
        self._tokens = tokens
        self._turns = asyncio.Semaphore(CALLS_MAX)

    async def answer(self, call: Call, messages: AsyncIterator[bytes], context: Any) -> bytes:
        """The method's response, or the call is ended with a status that says whether to send again."""
        head, sender = _head(call, context), _sender(context)
        if self._tokens is not None and not self._tokens.admit(head.headers.get("authorization")):
            self._service.sources.turn_away(call.protocol, "unauthorized")
            await _abort(
                context, Code.UNAUTHENTICATED, "a token is needed: send the metadata authorization: Bearer TOKEN"
            )
        try:
            async with self._turns, _Share(self._service) as share:
                body = await share.read(messages)
                key = head.headers.get("idempotency-key")
                accepted = await self._accept(Arrival(body, head, call.take, call.protocol, key))
        except LogstoreError as error:
            self._service.sources.refuse(call.protocol, sender, reason_of(error), str(error), now_ns=time.time_ns())
            await _abort(context, call.code(status_of(error)), str(error), _retry_after(error))
        except Exception as error:
            log.error("call failed", method=call.path, sender=sender.address, exc_info=error)
            await _abort(context, Code.UNAVAILABLE, SERVER_FAULT, retry_after(UNAVAILABLE_RETRY_S))
        self._record(call, sender, accepted, len(body))
        if accepted.answer.status >= 400:
            text = accepted.answer.headers.get(GRPC_MESSAGE, "")
            await _end(context, call.code(accepted.answer.status), text, accepted.answer.body)
        return accepted.answer.body

    def _record(self, call: Call, sender: Sender, accepted: Accepted, size_bytes: int) -> None:
        self._service.sources.record(
            call.protocol,
            sender,
            accepted.records,
            size_bytes,
            accepted.rejects,
            now_ns=time.time_ns(),
            unread=accepted.unread,
        )

    async def _accept(self, arrival: Arrival) -> Accepted:
        try:
            return await self._service.results.of(self._service.pipeline.accept(arrival), ACK_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable(f"the disk did not confirm the records within {ACK_TIMEOUT_S:g} s") from None


class _Share:
    """What one call's message takes of the memory for bodies, given back when its records are durable."""

    def __init__(self, service: Service) -> None:
        self._bodies = service.bodies
        self._limits = service.body_limits()
        self._taken_bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._bodies.release(self._taken_bytes)

    async def read(self, messages: AsyncIterator[bytes]) -> bytes:
        """The call's one message, whose bytes must keep coming. gRPC tells its size only when it has all of it.

        Raises:
            Busy: no room for it in memory.
            Unavailable: it did not come.
        """
        await self._take(min(UNREAD_BYTES, self._limits.max_bytes))
        body = await self._receive(messages)
        surplus = self._taken_bytes - len(body)
        if surplus < 0:
            await self._take(-surplus)
        else:
            self._bodies.release(surplus)
            self._taken_bytes -= surplus
        return body

    async def _take(self, size_bytes: int) -> None:
        await self._bodies.acquire(size_bytes, self._limits.wait_s, self._taken_bytes)
        self._taken_bytes += size_bytes

    async def _receive(self, messages: AsyncIterator[bytes]) -> bytes:
        timeout_s = self._limits.receive_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                async for body in messages:
                    return body
        except TimeoutError:
            raise Unavailable(f"the message did not come within {timeout_s:g} s (receive_timeout)") from None
        return b""


async def _health(_messages: AsyncIterator[bytes], _context: Any) -> bytes:
    """HealthCheckResponse: whoever reaches it finds an open store."""
    return message((1, _SERVING))


def _handlers(calls: _Calls) -> tuple[Any, ...]:
    """The bytes of messages are passed on as they are. A call with one message is taken as one with several, whose
    reading is then ours to bound."""
    import grpc

    methods: dict[str, Any] = {call.path: partial(calls.answer, call) for call in CALLS} | {HEALTH: _health}
    handlers = {path: grpc.stream_unary_rpc_method_handler(method) for path, method in methods.items()}
    services: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for path, handler in handlers.items():
        _, service, name = path.split("/")
        services[service][name] = handler
    return tuple(grpc.method_handlers_generic_handler(service, named) for service, named in services.items())


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


def _head(call: Call, context: Any) -> Head:
    """Metadata as if they were headers; binary ones are left out."""
    told = {str(key): value for key, value in context.invocation_metadata() if isinstance(value, str)}
    return Head("POST", call.path, {}, {**told, "content-type": PROTOBUF})


def _sender(context: Any) -> Sender:
    """Of a peer such as `ipv4:127.0.0.1:4711` or `ipv6:%5B::1%5D:4711`."""
    _, _, place = unquote(context.peer()).partition(":")
    agents = (value for key, value in context.invocation_metadata() if key == "user-agent" and isinstance(value, str))
    return sender_named(place.rpartition(":")[0].strip("[]"), next(agents, ""))


def _retry_after(error: LogstoreError) -> dict[str, bytes]:
    if isinstance(error, Busy):
        return retry_after(max(1, error.retry_after_s))
    return retry_after(UNAVAILABLE_RETRY_S) if isinstance(error, Unavailable) else {}


async def _abort(context: Any, code: Code, text: str, details: Mapping[str, bytes] | None = None) -> None:
    await _end(context, code, text, status_message(code, text, details))


async def _end(context: Any, code: Code, text: str, status: bytes) -> None:
    """Ends a call with a google.rpc.Status, which raises."""
    import grpc

    await context.abort(next(known for known in grpc.StatusCode if known.value[0] == code), text, ((_DETAILS, status),))
