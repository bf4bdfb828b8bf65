"""A stream of msgpack cut into messages, and each of those into its elements, without building what they hold.

Only the outer array is read here; what stands in it is stepped over, so that the size of everything is known before
anything is made of it. Source: the MessagePack specification, "formats".
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgpack

from ingest.conversation import Malformed
from ingest.protocols.forward.kernel import join_messages

ELEMENTS_MAX: Final = 6
"""A PING has six, a message with records at most four."""
NIL: Final = 0xC0
_WALKER_BYTES: Final = 4096
_STEP_MAX_BYTES: Final = 1 << 16
_CUT_BYTES: Final = 1 << 20

_FIXED: Final = {
    **dict.fromkeys((NIL, 0xC2, 0xC3), 1),
    **dict(
        zip((0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3), (5, 9, 2, 3, 5, 9, 2, 3, 5, 9), strict=True)
    ),
    **{0xD4 + power: 2 + (1 << power) for power in range(5)},
}
"""Bytes of a value that always has as many: nil, booleans, numbers, fixext."""
_SIZED: Final = {
    0xC4: (1, 0),
    0xC5: (2, 0),
    0xC6: (4, 0),
    0xC7: (1, 1),
    0xC8: (2, 1),
    0xC9: (4, 1),
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
}
"""Bytes of the length, and of a type after it: bin, ext, str."""
_NESTED: Final = frozenset((*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF))


@dataclass(frozen=True, slots=True)
class Message:
    """One message and where its elements stand in it."""

    body: bytes
    elements: tuple[slice, ...]

    def __len__(self) -> int:
        return len(self.elements)

    def element(self, number: int) -> memoryview:
        return memoryview(self.body)[self.elements[number]]

    def first_byte(self, number: int) -> int:
        """Tells the kind of an element."""
        return int(self.body[self.elements[number].start])


def packed_message(tag: bytes, entries: bytes, options: bytes = b"") -> Message:
    """`[tag, entries]`, or with options; these and the tag as msgpack."""
    head = b"\xc6" + struct.pack(">I", len(entries))
    parts = [b"\x93" if options else b"\x92", tag, head, entries, options]
    ends = list(itertools.accumulate(map(len, parts)))
    elements = (slice(1, ends[1]), slice(ends[1], ends[3]), slice(ends[3], ends[4]))
    return Message(b"".join(parts), elements if options else elements[:2])


class Messages:
    """Cuts what is fed; a message that is not complete is kept."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._bytes = bytearray()
        self._message_at = 0
        self._reset(0)

    @property
    def held_bytes(self) -> int:
        return len(self._bytes) - self._message_at

    def feed(self, data: bytes | bytearray) -> Iterator[Message]:
        """The messages that these bytes complete.

        Raises:
            Malformed: something that is no message, or one over `max_bytes`.
        """
        self._bytes += data
        while True:
            if self._left < 0 and (joined := self._join()):
                yield joined
            if not self._advance():
                break
            if self._elements:
                yield self._message()
            self._message_at = self._at
            self._reset(self._at)
            if self._message_at > _CUT_BYTES:
                self._cut()
        self._cut()

    def _join(self) -> Message | None:
        """Messages of one record each, from here on, as one message."""
        joined = join_messages(self._bytes, self._at) if len(self._bytes) > self._at else None
        if joined is None:
            return None
        self._message_at += joined.size_bytes
        self._reset(self._message_at)
        return packed_message(joined.tag, joined.entries)

    def _reset(self, at: int) -> None:
        self._at = at
        """Where the next element begins."""
        self._left = -1
        """Elements to come; -1: the message has not begun."""
        self._elements: list[tuple[int, int]] = []
        self._walker: msgpack.Unpacker | None = None
        self._walked_to = at
        self._step = 0

    def _advance(self) -> bool:
        """Whether the message, or a heartbeat, is complete."""
        if self._left < 0 and not self._begin():
            return False
        while self._left:
            end = self._end_of(self._at)
            if (end or len(self._bytes)) - self._message_at > self.max_bytes:
                raise Malformed(f"a message has more than {self.max_bytes:,} bytes (max_body)")
            if end is None or end > len(self._bytes):
                return False
            self._elements.append((self._at, end))
            self._at = end
            self._left -= 1
            self._walker = None
        return True

    def _begin(self) -> bool:
        if self._at >= len(self._bytes):
            return False
        first = self._bytes[self._at]
        if first == NIL:
            self._left, self._at = 0, self._at + 1
            return True
        head = self._bytes[self._at : self._at + 5]
        width = {0xDC: 2, 0xDD: 4}.get(first, 0)
        if not width and first & 0xF0 != 0x90:
            raise Malformed(f"a message is a msgpack array, this begins with the byte 0x{first:02x}")
        if len(head) < 1 + width:
            return False
        count = int.from_bytes(head[1 : 1 + width], "big") if width else first & 0x0F
        if not 2 <= count <= ELEMENTS_MAX:
            raise Malformed(f"a message has 2 to 4 elements, not {count:,}")
        self._left, self._at = count, self._at + 1 + width
        return True

    def _end_of(self, at: int) -> int | None:
        """Where the element at `at` ends, perhaps beyond what is here; None: that is not known yet."""
        if at >= len(self._bytes):
            return None
        first = self._bytes[at]
        if first in _NESTED:
            return self._walk(at)
        if 0xA0 <= first <= 0xBF:
            return at + 1 + (first & 0x1F)
        if first in _SIZED:
            width, type_bytes = _SIZED[first]
            head = self._bytes[at + 1 : at + 1 + width]
            return at + 1 + width + type_bytes + int.from_bytes(head, "big") if len(head) == width else None
        if first <= 0x7F or first >= 0xE0:
            return at + 1
        if first in _FIXED:
            return at + _FIXED[first]
        raise Malformed(f"0x{first:02x} begins no msgpack value")

    def _walk(self, at: int) -> int | None:
        if self._walker is None:
            self._walker = msgpack.Unpacker(read_size=_WALKER_BYTES, max_buffer_size=self.max_bytes + _CUT_BYTES)
            self._walked_to = at
            self._step = _WALKER_BYTES
        while self._walked_to < len(self._bytes):
            begin, self._walked_to = self._walked_to, min(self._walked_to + self._step, len(self._bytes))
            self._step = min(2 * self._step, _STEP_MAX_BYTES)
            self._walker.feed(memoryview(self._bytes)[begin : self._walked_to])
            try:
                self._walker.skip()
            except msgpack.OutOfData:
                continue
            except (msgpack.UnpackException, ValueError) as error:
                raise Malformed(f"no msgpack: {error or type(error).__name__}") from None
            return at + int(self._walker.tell())
        return None

    def _message(self) -> Message:
        body = bytes(memoryview(self._bytes)[self._message_at : self._at])
        return Message(
            body, tuple(slice(begin - self._message_at, end - self._message_at) for begin, end in self._elements)
        )

    def _cut(self) -> None:
        """Drops what is done."""
        cut = self._message_at
        if not cut:
            return
        del self._bytes[:cut]
        self._message_at = 0
        self._at -= cut
        self._walked_to -= cut
        self._elements = [(begin - cut, end - cut) for begin, end in self._elements]
