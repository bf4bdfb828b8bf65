"""One reader of a tail: a bounded queue of what it has to be sent, and what it has been told."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from query.events import Event, Failed, Heartbeat, Mark, Records

QUEUE_BYTES: Final = 4 << 20
"""What waits for one reader at most; a slower one misses records and is told how many."""
MARK_S: Final = 5.0
"""A cursor comes so often, and a heartbeat with it where nothing else came. (The promise is 10 s.)"""


class Held:
    """Bytes that wait for all readers together, each piece counted once; thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return self._bytes >= self.limit_bytes

    def add(self, amount: int) -> None:
        with self._lock:
            self._bytes += amount


class Piece:
    """Records that wait for some readers, up to the number `last_seq`."""

    def __init__(self, records: Records, held: Held) -> None:
        self.records = records
        self.bytes = len(records.lines)
        self.last_seq = records.seqs[-1]
        self._held = held
        self._readers = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """One more reader waits for it."""
        with self._lock:
            self._readers += 1
            if self._readers == 1:
                self._held.add(self.bytes)

    def drop(self) -> None:
        """One reader fewer."""
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._held.add(-self.bytes)


class Outbox:
    """What waits for one reader. The hub puts, the reader takes; thread-safe."""

    def __init__(self, held: Held, notify: Callable[[], None]) -> None:
        self._held = held
        self._notify = notify
        self._lock = threading.Lock()
        self._pieces: deque[Piece] = deque()
        self._bytes = 0
        self._covered_seq = -1
        self._sent_seq = -1
        self._missed = 0
        self._error: Failed | None = None
        self._mark_due_s = time.monotonic() + MARK_S
        self._is_silent = True

    def start(self, seq: int) -> None:
        """Everything up to this number counts as sent."""
        with self._lock:
            self._covered_seq = self._sent_seq = seq

    def put(self, piece: Piece) -> None:
        """Records that follow those put before; dropped and counted where the reader is too slow."""
        with self._lock:
            is_full = self._bytes + piece.bytes > QUEUE_BYTES or self._held.is_full
            # After a gap everything else is missed too, until the reader has been told where it is.
            if self._missed or (self._pieces and is_full):
                self._missed += piece.records.rows
                return
            piece.take()
            self._pieces.append(piece)
            self._bytes += piece.bytes
        self._notify()

    def miss(self, count: int) -> None:
        """So many records are gone before they could be put."""
        with self._lock:
            self._missed += count
        self._notify()

    def cover(self, seq: int) -> None:
        """Everything up to this number has been put or missed."""
        with self._lock:
            self._covered_seq = seq

    def fail(self, error: Failed) -> None:
        with self._lock:
            self._error = error
        self._notify()

    def take(self) -> list[Event]:
        """What is to be sent now, never waiting; call it when notified, and every second at least."""
        with self._lock:
            events: list[Event] = [*self._drain()]
            if self._missed:
                events.append(Mark(str(self._sent_seq), self._missed))
                self._missed = 0
            self._sent_seq = max(self._sent_seq, self._covered_seq)
            self._is_silent = self._is_silent and not events
            if time.monotonic() >= self._mark_due_s:
                if self._is_silent:
                    events.append(Heartbeat())
                events.append(self._mark())
            if self._error is not None:
                events.append(self._error)
            return events

    def finish(self) -> list[Event]:
        """What is left to be sent when the tail ends, and the last cursor."""
        events = self.take()
        with self._lock:
            return [*events, self._mark()]

    def clear(self) -> None:
        with self._lock:
            for _ in self._drain():
                pass

    def _drain(self) -> list[Records]:
        drained = []
        while self._pieces:
            piece = self._pieces.popleft()
            piece.drop()
            self._bytes -= piece.bytes
            self._sent_seq = piece.last_seq
            drained.append(piece.records)
        return drained

    def _mark(self) -> Mark:
        self._mark_due_s = time.monotonic() + MARK_S
        self._is_silent = True
        return Mark(str(self._sent_seq))
