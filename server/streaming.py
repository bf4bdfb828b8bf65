"""Sending an answer that is made while it is sent, by a thread, for a client that may go away."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from logstore.errors import LogstoreError
from server.body import ClientGone
from server.encoding import Encoder, encoder
from server.errors import SERVER_FAULT, describe, to_json
from server.protocol import CONNECTION

GATHER_BYTES: Final = 64 * 1024
GATHER_S: Final = 0.1

CLOSE_WAIT_S: Final = 5.0
"""How long the last bytes of a cut answer may take to leave."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """An answer in pieces: `pieces` is advanced by one thread at a time, then `close` is called.

    `cancel` may be called by any thread, and makes what runs end soon.
    """

    pieces: Iterator[bytes]
    cancel: Callable[[], None]
    close: Callable[[], None]
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    can_carry_errors: bool = False
    """Whether a failure midway can be told as a last line of NDJSON."""


class ChunkedAnswer:
    """Runs `open_chunks` in `executor` and streams what it gives; an ASGI application for one request.

    What fails before the first piece is raised, so that it gets a status of its own. What fails later cuts
    the connection, after a line `{"@error": …}` where the format can carry one. Returns once everything is sent;
    raises ClientGone when the client went away, in which case the making was cancelled.
    """

    def __init__(self, open_chunks: Callable[[], Chunks], executor: Executor, content_encoding: str | None) -> None:
        self._open_chunks = open_chunks
        self._executor = executor
        self._content_encoding = content_encoding
        self._making: asyncio.Future[bytes | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(until_gone(receive))
        try:
            await self._answer(scope, send, gone)
        finally:
            gone.cancel()

    async def _answer(self, scope: Scope, send: Send, gone: "asyncio.Future[None]") -> None:
        chunks = await self._blocking(self._open_chunks)
        encode = encoder(self._content_encoding)
        try:
            piece = await self._next(chunks, encode, gone)
            await send({"type": "http.response.start", "status": 200, "headers": self._headers(chunks)})
            try:
                await self._send_all(piece, chunks, encode, send, gone)
            except ClientGone:
                raise
            except Exception as error:
                await self._send_error(error, chunks, encode, send)
                await cut(scope, gone)
                raise
        finally:
            chunks.cancel()
            await asyncio.shield(asyncio.ensure_future(self._end(chunks)))

    async def _send_all(
        self,
        piece: bytes | None,
        chunks: Chunks,
        encode: Encoder | None,
        send: Send,
        gone: "asyncio.Future[None]",
    ) -> None:
        while piece is not None:
            following = asyncio.ensure_future(self._next(chunks, encode, gone))
            try:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            except BaseException:
                following.cancel()
                raise
            piece = await following
        if gone.done():
            raise ClientGone
        rest = encode.finish() if encode is not None else b""
        await send({"type": "http.response.body", "body": rest, "more_body": False})

    async def _end(self, chunks: Chunks) -> None:
        if self._making is not None:
            await asyncio.wait((self._making,))
        await self._blocking(chunks.close)

    async def _send_error(self, error: Exception, chunks: Chunks, encode: Encoder | None, send: Send) -> None:
        if not chunks.can_carry_errors:
            return
        told = describe(error) if isinstance(error, LogstoreError) else {"error": SERVER_FAULT}
        line = to_json({"@error": told}) + b"\n"
        if encode is not None:
            line = encode.encode(line)
        await send({"type": "http.response.body", "body": line, "more_body": True})

    async def _next(self, chunks: Chunks, encode: Encoder | None, gone: "asyncio.Future[None]") -> bytes | None:
        making: asyncio.Future[bytes | None] = self._blocking(_advance, chunks.pieces, encode)
        self._making = making
        await asyncio.wait((making, gone), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            chunks.cancel()
            await asyncio.wait((making,))
            making.exception()
            raise ClientGone
        return making.result()

    def _headers(self, chunks: Chunks) -> list[tuple[bytes, bytes]]:
        headers = {"content-type": chunks.media_type, "vary": "accept, accept-encoding", **chunks.headers}
        if self._content_encoding is not None:
            headers["content-encoding"] = self._content_encoding
        return [(name.lower().encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()]

    def _blocking(self, function: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
        return asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


def _advance(pieces: Iterator[bytes], encode: Encoder | None) -> bytes | None:
    """The next piece, with what follows it at once: small ones are not worth a turn of their own each."""
    gathered: list[bytes] = []
    size_bytes = 0
    until_s = time.monotonic() + GATHER_S
    for piece in pieces:
        gathered.append(piece)
        size_bytes += len(piece)
        if size_bytes >= GATHER_BYTES or time.monotonic() > until_s:
            break
    if not gathered:
        return None
    whole = b"".join(gathered)
    return whole if encode is None else encode.encode(whole)


async def until_gone(receive: Receive) -> None:
    """Returns when the client has closed its connection, or the answer is complete."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def cut(scope: Scope, gone: "asyncio.Future[None]") -> None:
    """Close the connection without the end of the body, once what was sent has left, or after a while."""
    connection = scope["extensions"][CONNECTION]
    connection["close"]()
    await asyncio.wait((gone,), timeout=CLOSE_WAIT_S)
    connection["abort"]()
