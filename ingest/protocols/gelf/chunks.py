"""Documents of GELF that come in several datagrams (GELF 1.1, "GELF via UDP", "Chunking").

A chunk is `1e 0f`, eight bytes that name the document, its place from 0, how many there are (at most 128), and bytes.
A document of which not all chunks have come 5 s after the first is dropped, as the specification has it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

DOCUMENTS_MAX: Final = 1000
HELD_MAX_BYTES: Final = 16 << 20
WITHIN_S: Final = 5.0
CHUNKS_MAX: Final = 128
_MAGIC: Final = b"\x1e\x0f"
_HEADER_BYTES: Final = 12
_OVERHEAD_BYTES: Final = 128
"""What a chunk counts for besides its bytes, so that very many empty ones are bounded too."""

_Key = tuple[str, bytes]


@dataclass(slots=True)
class _Parts:
    """What has come of a document."""

    count: int
    since_s: float
    pieces: dict[int, bytes] = field(default_factory=dict)
    held_bytes: int = 0


class Chunks:
    """Puts documents together; the oldest incomplete ones give way when there is no more room."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic, held_max_bytes: int = HELD_MAX_BYTES) -> None:
        self._clock_s = clock_s
        self._held_max_bytes = held_max_bytes
        self._waiting: dict[_Key, _Parts] = {}
        """In the order in which they began."""
        self.held_bytes = 0
        self.dropped = 0
        """Documents that were given up, and chunks that belong to none."""

    def feed(self, datagram: bytes, peer: str) -> bytes | None:
        """The document that is complete with this datagram."""
        if not datagram.startswith(_MAGIC):
            return datagram
        self._give_up_until(self._clock_s() - WITHIN_S)
        place, count = (*datagram[10:_HEADER_BYTES], 0, 0)[:2]
        if not place < count <= CHUNKS_MAX:
            self.dropped += 1
            return None
        key = (peer, bytes(datagram[2:10]))
        parts = self._waiting.get(key)
        if parts is None or parts.count != count:
            self._give_up(key)
            parts = self._waiting[key] = _Parts(count, self._clock_s())
        if place not in parts.pieces:
            self._add(parts, place, datagram[_HEADER_BYTES:])
        if len(parts.pieces) == count:
            del self._waiting[key]
            self.held_bytes -= parts.held_bytes
            return b"".join(parts.pieces[place] for place in range(count))
        self._make_room()
        return None

    def _add(self, parts: _Parts, place: int, piece: bytes) -> None:
        parts.pieces[place] = piece
        parts.held_bytes += len(piece) + _OVERHEAD_BYTES
        self.held_bytes += len(piece) + _OVERHEAD_BYTES

    def _make_room(self) -> None:
        while len(self._waiting) > DOCUMENTS_MAX or self.held_bytes > self._held_max_bytes:
            self._give_up(next(iter(self._waiting)))

    def _give_up_until(self, time_s: float) -> None:
        while self._waiting:
            oldest = next(iter(self._waiting))
            if self._waiting[oldest].since_s > time_s:
                return
            self._give_up(oldest)

    def _give_up(self, key: _Key) -> None:
        if parts := self._waiting.pop(key, None):
            self.held_bytes -= parts.held_bytes
            self.dropped += 1
