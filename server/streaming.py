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
    """An answer in pieces: `pieces` is advanced by one thread at a time, then `close` is called, perhaps twice."""

    pieces: Iterator[bytes]
    close: Callable[[], None]
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    can_carry_errors: bool = False
    """Whether a failure midway can be told as a last line of NDJSON."""


class _Making:
    """Makes an answer turn by turn; each turn in a thread, one at a time, and small answers in one."""

    def __init__(self, open_chunks: Callable[[], Chunks], cancel: Callable[[], None], encode: Encoder | None) -> None:
        self._open_chunks = open_chunks
        self._cancel = cancel
        self._encode = encode
        self._is_cancelled = False
        self.chunks: Chunks | None = None
        self.is_done = False
        """Whether everything is made and let go of."""

    def turn(self) -> bytes:
        """The next piece, with what follows it at once: small ones are not worth a turn of their own each."""
        chunks = self._opened()
        gathered: list[bytes] = []
        size_bytes = 0
        until_s = time.monotonic() + GATHER_S
        for piece in chunks.pieces:
            gathered.append(piece)
            size_bytes += len(piece)
            if size_bytes >= GATHER_BYTES or time.monotonic() > until_s:
                return self.encoded(b"".join(gathered))
        self.close()
        whole = self.encoded(b"".join(gathered)) if gathered else b""
        return whole if self._encode is None else whole + self._encode.finish()

    def encoded(self, piece: bytes) -> bytes:
        return piece if self._encode is None else self._encode.encode(piece)

    def cancel(self) -> None:
        """Makes the turn that runs end soon."""
        self._is_cancelled = True
        self._cancel()

    def close(self) -> None:
        if self.chunks is not None:
            self.chunks.close()
        self.is_done = True

    def _opened(self) -> Chunks:
        if self.chunks is None:
            if self._is_cancelled:
                raise ClientGone
            self.chunks = self._open_chunks()
        return self.chunks


class ChunkedAnswer:
    """Runs `open_chunks` in `executor` and streams what it gives; an ASGI application for one request. `cancel` may be
    called by any thread, and makes what runs end soon, the opening included.

    What fails before the first piece is raised, so that it gets a status of its own. What fails later cuts
    the connection, after a line `{"@error": …}` where the format can carry one. Returns once everything is sent;
    raises ClientGone when the client went away, in which case the making was cancelled.
    """

    def __init__(
        self,
        open_chunks: Callable[[], Chunks],
        cancel: Callable[[], None],
        executor: Executor,
        content_encoding: str | None,
    ) -> None:
        self._executor = executor
        self._content_encoding = content_encoding
        self._making = _Making(open_chunks, cancel, encoder(content_encoding))
        self._turn: asyncio.Future[bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(until_gone(receive))
        try:
            await self._answer(scope, send, gone)
        finally:
            gone.cancel()

    async def _answer(self, scope: Scope, send: Send, gone: "asyncio.Future[None]") -> None:
        making = self._making
        try:
            piece = await self._next(gone)
            await send({"type": "http.response.start", "status": 200, "headers": self._headers(piece)})
            try:
                await self._send_all(piece, send, gone)
            except ClientGone:
                raise
            except Exception as error:
                await self._send_error(error, send)
                await cut(scope, gone)
                raise
        finally:
            if not making.is_done:
                making.cancel()
                await asyncio.shield(asyncio.ensure_future(self._end()))

    async def _send_all(self, piece: bytes, send: Send, gone: "asyncio.Future[None]") -> None:
        while not self._making.is_done:
            following = asyncio.ensure_future(self._next(gone))
            try:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            except BaseException:
                following.cancel()
                raise
            piece = await following
        if gone.done():
            raise ClientGone
        await send({"type": "http.response.body", "body": piece, "more_body": False})

    async def _end(self) -> None:
        if self._turn is not None:
            await asyncio.wait((self._turn,))
        await self._blocking(self._making.close)

    async def _send_error(self, error: Exception, send: Send) -> None:
        if self._making.chunks is None or not self._making.chunks.can_carry_errors:
            return
        told = describe(error) if isinstance(error, LogstoreError) else {"error": SERVER_FAULT}
        line = self._making.encoded(to_json({"@error": told}) + b"\n")
        await send({"type": "http.response.body", "body": line, "more_body": True})

    async def _next(self, gone: "asyncio.Future[None]") -> bytes:
        turn: asyncio.Future[bytes] = self._blocking(self._making.turn)
        self._turn = turn
        await asyncio.wait((turn, gone), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self._making.cancel()
            await asyncio.wait((turn,))
            turn.exception()
            raise ClientGone
        return turn.result()

    def _headers(self, first: bytes) -> list[tuple[bytes, bytes]]:
        """Those of an answer of which this is the first piece, or the whole."""
        chunks = self._making.chunks
        assert chunks is not None
        headers = {"content-type": chunks.media_type, "vary": "accept, accept-encoding", **chunks.headers}
        if self._content_encoding is not None:
            headers["content-encoding"] = self._content_encoding
        if self._making.is_done:
            headers["content-length"] = str(len(first))
        return [(name.lower().encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()]

    def _blocking(self, function: Callable[[], Any]) -> "asyncio.Future[Any]":
        return asyncio.get_running_loop().run_in_executor(self._executor, function)


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
