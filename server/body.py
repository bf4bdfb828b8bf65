"""Reading request bodies within bounds: each in size and time, all together in memory."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from logstore.errors import Busy, InvalidInput, TooLarge
from server.protocol import CONNECTION

LOOK_UP_S: Final = 1.0
"""How often one who waits for a body looks whether it still should."""
STEP_BYTES: Final = 1024 * 1024
"""What a body of unknown length takes from the budget at a time."""
PACE_BYTES_S: Final = 64 * 1024
PACE_S: Final = 2.0
"""A body that came slower than this for so long gives way to others that wait for room, if it holds more than
`SLOW_HELD_BYTES`."""
SLOW_HELD_BYTES: Final = 64 * 1024


class ClientGone(Exception):
    """The client closed its connection, or was cut, before its request was read."""


class ReceiveTimeout(ClientGone):
    """The client sent nothing for too long."""


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """Of one who waits for a share."""

    size_bytes: int
    come: "asyncio.Future[None]"


class BodyBudget:
    """Bytes of bodies that may be in memory at once. One event loop.

    Those who wait are served in order, but bodies that have begun come before those that have not: only these can end.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.held_bytes = 0
        self._beginning: deque[_Turn] = deque()
        self._growing: deque[_Turn] = deque()
        self._stuck_bytes = 0
        """Held by those who wait for more."""

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits for room."""
        return bool(self._beginning or self._growing)

    async def acquire(self, size_bytes: int, wait_s: float, held_bytes: int = 0) -> None:
        """Take a share, or more of one by who holds `held_bytes`.

        Raises:
            Busy: there is none within `wait_s`; or all that is held is held by those who wait for more.
        """
        waiting = self._growing if held_bytes else self._beginning
        if not waiting and self._has_room(size_bytes) and (held_bytes or not self.is_wanted):
            self._take(size_bytes)
            return
        if held_bytes and self._stuck_bytes + held_bytes >= self.held_bytes:
            raise Busy(
                f"request bodies that have begun hold all of {self.capacity_bytes} bytes (ingest_memory); try again"
            )
        turn = _Turn(size_bytes, asyncio.get_running_loop().create_future())
        waiting.append(turn)
        self._stuck_bytes += held_bytes
        try:
            await asyncio.wait_for(turn.come, wait_s)
        except TimeoutError:
            self._forget(turn)
            raise Busy(
                f"request bodies of {self.capacity_bytes} bytes are being taken (ingest_memory); try again"
            ) from None
        except asyncio.CancelledError:
            self._forget(turn)
            raise
        finally:
            self._stuck_bytes -= held_bytes

    def acquire_now(self, size_bytes: int) -> bool:
        """Take a share if there is room and nobody waits; whether it was taken."""
        if self.is_wanted or not self._has_room(size_bytes):
            return False
        self._take(size_bytes)
        return True

    def release(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        self._serve()

    def _has_room(self, size_bytes: int) -> bool:
        return self.held_bytes + size_bytes <= self.capacity_bytes

    def _take(self, size_bytes: int) -> None:
        self.held_bytes += size_bytes

    def _serve(self) -> None:
        while waiting := self._growing or self._beginning:
            if not self._has_room(waiting[0].size_bytes):
                return
            turn = waiting.popleft()
            if not turn.come.done():
                self._take(turn.size_bytes)
                turn.come.set_result(None)

    def _forget(self, turn: _Turn) -> None:
        if turn.come.done() and not turn.come.cancelled():
            self.release(turn.size_bytes)
            return
        for waiting in (self._growing, self._beginning):
            if turn in waiting:
                waiting.remove(turn)
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
        self._has_come: Callable[[], bool] = scope["extensions"][CONNECTION]["has_come"]
        self._budget = budget
        self._limits = limits
        self._length = _content_length(scope)
        self._taken_bytes = 0
        self._came_bytes = 0
        self._pace_since_s, self._pace_from_bytes = 0.0, 0
        self.is_begun = False
        self.is_complete = False

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            TooLarge: while it is read.
            Busy: no room for it, or others wait for the room that it holds, and it hardly comes.
            ClientGone: the client went, or was silent for too long.
        """
        if self._length is not None:
            self._check(self._length)
            await self._reserve(self._length)
        chunks: list[bytes] = []
        self._begin_pace()
        while not self.is_complete:
            chunk = await self._next(self._give_way)
            self._came_bytes += len(chunk)
            self._check(self._came_bytes)
            if self._came_bytes > self._taken_bytes:
                await self._reserve(max(STEP_BYTES, self._came_bytes - self._taken_bytes))
                self._begin_pace()
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
                max_bytes -= max(1, len(await self._next(lambda: None)))
        except ClientGone:
            return

    def release(self) -> None:
        self._budget.release(self._taken_bytes)
        self._taken_bytes = 0

    async def _reserve(self, size_bytes: int) -> None:
        await self._budget.acquire(size_bytes, self._limits.wait_s, self._taken_bytes)
        self._taken_bytes += size_bytes

    def _begin_pace(self) -> None:
        self._pace_since_s, self._pace_from_bytes = asyncio.get_running_loop().time(), self._came_bytes

    def _give_way(self) -> None:
        passed_s = asyncio.get_running_loop().time() - self._pace_since_s
        if passed_s < PACE_S:
            return
        is_slow = self._came_bytes - self._pace_from_bytes < PACE_BYTES_S * passed_s
        if is_slow and self._taken_bytes > SLOW_HELD_BYTES and self._budget.is_wanted:
            raise Busy(
                f"others wait for the room that this body holds (ingest_memory), and it comes at less than"
                f" {PACE_BYTES_S // 1024} KiB/s; try again, or send smaller bodies"
            )
        self._begin_pace()

    async def _next(self, look: Callable[[], None]) -> bytes:
        """What comes; `look` is called now and then until it does."""
        clock = asyncio.get_running_loop().time
        silent_at_s = clock() + self._limits.receive_timeout_s
        while True:
            look()
            try:
                return await self._within(min(LOOK_UP_S, max(0.0, silent_at_s - clock())))
            except TimeoutError:
                if clock() >= silent_at_s:
                    raise ReceiveTimeout(f"no byte of the body for {self._limits.receive_timeout_s:g} s") from None

    async def _within(self, seconds: float) -> bytes:
        self.is_begun = True
        if self._has_come():
            message = await self._receive()
        else:
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
