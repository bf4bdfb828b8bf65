"""Reading request bodies within bounds: each in size and time, all together in memory."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from logstore.errors import Busy, InvalidInput, TooLarge

LOOK_UP_S: Final = 1.0
"""How often one who waits for a body looks whether it still should."""
STEP_BYTES: Final = 1024 * 1024
"""What a body of unknown length takes from the budget at a time."""


class ClientGone(Exception):
    """The client closed its connection, or was cut, before its request was read."""


class ReceiveTimeout(ClientGone):
    """The client sent nothing for too long."""


class BodyBudget:
    """Bytes of bodies that may be in memory at once; those who wait are served in order. One event loop."""

    def __init__(self, capacity_bytes: int, on_change: Callable[[int], None] = lambda held_bytes: None) -> None:
        self.capacity_bytes = capacity_bytes
        self.held_bytes = 0
        self._on_change = on_change
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, size_bytes: int, wait_s: float) -> None:
        """Take a share. Raises Busy if there is none within `wait_s`."""
        if self.acquire_now(size_bytes):
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        try:
            await asyncio.wait_for(turn, wait_s)
        except (TimeoutError, asyncio.CancelledError) as error:
            self._forget(size_bytes, turn)
            if isinstance(error, asyncio.CancelledError):
                raise
            raise Busy(
                f"request bodies of {self.capacity_bytes} bytes are being taken (ingest_memory); try again"
            ) from None

    def acquire_now(self, size_bytes: int) -> bool:
        """Take a share if there is room and nobody waits; whether it was taken."""
        if self._waiting or self.held_bytes + size_bytes > self.capacity_bytes:
            return False
        self._take(size_bytes)
        return True

    def release(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        self._serve()
        self._on_change(self.held_bytes)

    def _take(self, size_bytes: int) -> None:
        self.held_bytes += size_bytes
        self._on_change(self.held_bytes)

    def _serve(self) -> None:
        while self._waiting and self.held_bytes + self._waiting[0][0] <= self.capacity_bytes:
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():
                self._take(size_bytes)
                turn.set_result(None)

    def _forget(self, size_bytes: int, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.release(size_bytes)
            return
        self._waiting = deque(waiting for waiting in self._waiting if waiting[1] is not turn)
        self._serve()


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a body may take: bytes, seconds without a byte, seconds of waiting for room."""

    max_bytes: int
    max_bytes_setting: str
    receive_timeout_s: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class PieceLimits:
    """Of a body that may never end: a piece is ready at so many bytes, or so long after its first; a client that is
    silent for longer is cut."""

    size_bytes: int
    linger_s: float
    silence_s: float


class BodyReader:
    """Reads one request's body into memory; `release` gives its share of the budget back."""

    def __init__(self, scope: Scope, receive: Receive, budget: BodyBudget, limits: BodyLimits) -> None:
        self._receive = receive
        self._budget = budget
        self._limits = limits
        self._length = _content_length(scope)
        self._taken_bytes = 0
        self.is_begun = False
        self.is_complete = False

    async def read(self) -> bytes:
        """The whole body. Raises TooLarge while reading, Busy without room, ClientGone."""
        if self._length is not None:
            self._check(self._length)
            await self._reserve(self._length)
        chunks: list[bytes] = []
        size_bytes = 0
        while not self.is_complete:
            chunk = await self._next()
            size_bytes += len(chunk)
            self._check(size_bytes)
            if size_bytes > self._taken_bytes:
                await self._reserve(max(STEP_BYTES, size_bytes - self._taken_bytes))
            chunks.append(chunk)
        return b"".join(chunks)

    async def piece(self, limits: PieceLimits, goes_on: Callable[[], bool]) -> bytes:
        """What comes of the body until it is a piece; nothing once the body is over, or should not go on.

        Raises:
            Busy: no room for it in memory.
            ClientGone: the client went, or was silent for too long.
        """
        clock = asyncio.get_running_loop().time
        silent_at_s, ready_at_s = clock() + limits.silence_s, 0.0
        chunks: list[bytes] = []
        size_bytes = 0
        while not self.is_complete and size_bytes < limits.size_bytes and (chunks or goes_on()):
            try:
                chunk = await self._within(max(0.0, ready_at_s - clock()) if chunks else LOOK_UP_S)
            except TimeoutError:
                if chunks:
                    break
                if clock() > silent_at_s:
                    raise ReceiveTimeout(f"no byte of the body for {limits.silence_s:g} s") from None
                continue
            if chunk:
                ready_at_s = ready_at_s or clock() + limits.linger_s
                await self._reserve(len(chunk))
                size_bytes += len(chunk)
                chunks.append(chunk)
        return b"".join(chunks)

    def keep(self, held_bytes: int) -> None:
        """Give back the share of what was read, less what is still held of it."""
        freed = max(0, self._taken_bytes - held_bytes)
        self._budget.release(freed)
        self._taken_bytes -= freed

    async def drain(self, max_bytes: int) -> None:
        """Read and drop what the client still sends, up to `max_bytes`, so that it reads its answer."""
        try:
            while not self.is_complete and max_bytes > 0:
                max_bytes -= max(1, len(await self._next()))
        except ClientGone:
            return

    def release(self) -> None:
        self._budget.release(self._taken_bytes)
        self._taken_bytes = 0

    async def _reserve(self, size_bytes: int) -> None:
        await self._budget.acquire(size_bytes, self._limits.wait_s)
        self._taken_bytes += size_bytes

    async def _next(self) -> bytes:
        try:
            return await self._within(self._limits.receive_timeout_s)
        except TimeoutError:
            raise ReceiveTimeout(f"no byte of the body for {self._limits.receive_timeout_s:g} s") from None

    async def _within(self, seconds: float) -> bytes:
        self.is_begun = True
        async with asyncio.timeout(seconds):
            message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self.is_complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._limits.max_bytes:
            raise TooLarge(
                f"the body is over {self._limits.max_bytes} bytes ({self._limits.max_bytes_setting}):"
                " send it in smaller pieces"
            )


def _content_length(scope: Scope) -> int | None:
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    if not values:
        return None
    if len(set(values)) > 1 or not values[0].isdigit():
        raise InvalidInput("the Content-Length header is no number")
    return int(values[0])
