"""From frames to durable records: gathered into bodies of some size, in order, and held back while there is no room."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from ingest.conversation import Frame
from ingest.pipeline import Accepted, Arrival
from ingest.protocol import Take
from ingest.request import Decoded, Request, Sender
from logstore.errors import Busy, CallerError, KeyConflict, TooLarge, Unavailable
from server.service import Service

BATCH_BYTES: Final = 1 << 20
"""Frames that wait are stored together once they have so many bytes …"""
LINGER_S: Final = 0.03
"""… or the first of them has waited so long."""
LANE_BYTES: Final = 4 << 20
"""What may wait in one lane; over it nothing more is read from its connections, and datagrams are dropped."""
RETRY_S: Final = 0.2
TOLD_MAX: Final = 256
"""Senders that one body may name; where it names more, nobody means it well."""

log = structlog.get_logger()

Senders = Mapping[str, int]
"""How many bytes of a body came from which address."""


class Intake:
    """The way of one protocol's frames into the pipeline. One event loop."""

    def __init__(self, name: str, take: Take, service: Service) -> None:
        self.name = name
        self._take = take
        self._service = service
        self._held = service.telemetry.streams.held.labels(name)
        self._lanes = [Lane(self.store, service.bodies.release) for _ in range(max(1, service.settings.ingest_threads))]
        self._turns = itertools.cycle(self._lanes)
        self._is_held = False
        self._is_stopping = False

    def lane(self) -> "Lane":
        """A lane for a new connection: what goes through one lane keeps its order."""
        return next(self._turns)

    async def store(self, body: bytes, senders: Senders) -> bool:
        """Whether what the body holds is durable, or never can be: else it may be sent again.

        While there is no room, or the disk is full, it waits.
        """
        arrival = Arrival(body, take=self._take, protocol=self.name)
        while True:
            try:
                accepted = await self._service.results.of(self._service.pipeline.accept(arrival))
            except (Busy, Unavailable) as error:
                if not await self._is_worth_waiting(error):
                    return False
            except KeyConflict:
                # The protocol's name for this batch was used for another one: no two are taken for the same.
                arrival = replace(arrival, take=_without_key(self._take))
            except CallerError as error:
                self._refuse(senders, "too_large" if isinstance(error, TooLarge) else "invalid", str(error))
                return True
            except Exception as error:
                self._refuse(senders, "fault", f"a fault of the server: {error}", error)
                return False
            else:
                self._count(accepted, senders)
                return True

    def begin_to_stop(self) -> None:
        """From now on nothing waits for a disk that is full."""
        self._is_stopping = True

    async def drain(self) -> None:
        """Returns when everything that waits is durable."""
        await asyncio.gather(*(lane.drain() for lane in self._lanes))

    async def _is_worth_waiting(self, error: Exception) -> bool:
        if self._is_stopping and isinstance(error, Unavailable):
            log.error("records not stored, the server is stopping", protocol=self.name, error=str(error))
            return False
        if not self._is_held:
            self._is_held = True
            log.warning("held back: senders wait", protocol=self.name, error=str(error))
        self._held.inc()
        await asyncio.sleep(RETRY_S)
        return True

    def _count(self, accepted: Accepted, senders: Senders) -> None:
        """What senders have in one body is told apart by what it says of them, unless these are very many, else by
        their bytes; what was wrong in it is told of the first."""
        self._is_held = False
        now_ns = time.time_ns()
        told = accepted.senders if len(accepted.senders) <= TOLD_MAX else {}
        shares = told or {Sender.at(address): size_bytes for address, size_bytes in senders.items()}
        left, left_records, left_bytes = sum(shares.values()), accepted.records, sum(senders.values())
        rejects, unread = accepted.rejects, accepted.unread
        for sender, share in shares.items():
            records, size_bytes = left_records * share // max(left, 1), left_bytes * share // max(left, 1)
            self._service.sources.record(self.name, sender, records, size_bytes, rejects, now_ns=now_ns, unread=unread)
            left, left_records, left_bytes = left - share, left_records - records, left_bytes - size_bytes
            rejects, unread = (), 0

    def _refuse(self, senders: Senders, reason: str, message: str, fault: Exception | None = None) -> None:
        sender = Sender.at(next(iter(senders), ""))
        self._service.sources.refuse(self.name, sender, reason, message, now_ns=time.time_ns())
        log.error(
            "a batch was not stored",
            protocol=self.name,
            peer=sender.address,
            reason=reason,
            error=message,
            exc_info=fault,
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    frame: Frame
    peer: str
    share_bytes: int

    @property
    def size_bytes(self) -> int:
        return len(self.frame.body)


class Lane:
    """Frames in the order in which they came, one body of them in the pipeline at a time."""

    def __init__(
        self, store: Callable[[bytes, Senders], Coroutine[Any, Any, bool]], release: Callable[[int], None]
    ) -> None:
        self._store = store
        self._release = release
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._work: asyncio.Task[None] | None = None
        self._is_draining = False

    async def put(self, frame: Frame, peer: str, share_bytes: int) -> None:
        """Waits for room. `share_bytes` of the budget are given back when the frame is durable."""
        while not self._room.is_set():
            await self._room.wait()
        self._add(_Waiting(frame, peer, share_bytes))

    def offer(self, frame: Frame, peer: str, share_bytes: int) -> bool:
        """Whether there was room."""
        if not self._room.is_set():
            return False
        self._add(_Waiting(frame, peer, share_bytes))
        return True

    async def drain(self) -> None:
        """Returns when nothing waits any more."""
        self._is_draining = True
        self._enough.set()
        if self._work is not None:
            await self._work

    def _add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._waiting_bytes += waiting.size_bytes
        self._signal()
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._empty())

    async def _empty(self) -> None:
        while self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._enough.wait()
            taken = self._take()
            senders: Counter[str] = Counter()
            for item in taken:
                senders[item.peer] += item.size_bytes
            try:
                await self._store(b"".join(item.frame.body for item in taken), senders)
            finally:
                self._release(sum(item.share_bytes for item in taken))

    def _take(self) -> list[_Waiting]:
        taken = [self._waiting.popleft()]
        size_bytes = taken[0].size_bytes
        while self._waiting and not taken[0].frame.is_alone:
            following = self._waiting[0]
            if following.frame.is_alone or size_bytes + following.size_bytes > BATCH_BYTES:
                break
            taken.append(self._waiting.popleft())
            size_bytes += following.size_bytes
        self._waiting_bytes -= size_bytes
        self._signal()
        return taken

    def _signal(self) -> None:
        _set(self._enough, self._waiting_bytes >= BATCH_BYTES or self._is_draining)
        _set(self._room, self._waiting_bytes < LANE_BYTES)


def _set(event: asyncio.Event, is_so: bool) -> None:
    (event.set if is_so else event.clear)()


def _without_key(take: Take) -> Take:
    def decode(request: Request) -> Decoded:
        return replace(take.decode(request), key="")

    return replace(take, decode=decode)
