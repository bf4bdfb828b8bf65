"""What a message is: its mode, its tag and its options."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgpack

from ingest.conversation import Malformed
from ingest.json_text import clean
from ingest.protocols.forward.messages import NIL, Message

OPTION_MAX_BYTES: Final = 64 << 10
TAG_MAX_BYTES: Final = 1024
CHUNK_MAX_BYTES: Final = 512
LOGS: Final = 0
"""The `fluent_signal` of Fluent Bit's logs; others are metrics and traces."""


class Mode(Enum):
    """How a message carries its records."""

    MESSAGE = "one, as elements of the message"
    FORWARD = "an array"
    PACKED = "a string of msgpack, perhaps compressed"


@dataclass(frozen=True, slots=True)
class Options:
    """The last element of a message, as far as it concerns us."""

    chunk: str | bytes = ""
    compressed: str = ""
    signal: int = LOGS

    @property
    def ack(self) -> bytes:
        """What a sender that asked for it hears."""
        return msgpack.packb({"ack": self.chunk}, unicode_errors="surrogateescape") if self.chunk else b""

    @property
    def key(self) -> str:
        """The sender's name for these records."""
        return self.chunk if isinstance(self.chunk, str) else self.chunk.hex()


def mode_of(message: Message) -> Mode:
    """Raises Malformed."""
    first = message.first_byte(1)
    if _is_text(first):
        return Mode.PACKED
    if not _is_array(first):
        if len(message) < 3:
            raise Malformed("a message is [tag, time, record], [tag, entries] or [tag, packed entries]")
        return Mode.MESSAGE
    # [[time, record], …] has arrays in it; a time with metadata, [time, {…}], has not.
    entries = message.element(1)
    inner = entries[{0xDC: 3, 0xDD: 5}.get(first, 1) :]
    return Mode.FORWARD if not inner or _is_array(inner[0]) or len(message) < 3 else Mode.MESSAGE


def tag_of(message: Message) -> str:
    """Raises Malformed."""
    if not _is_text(message.first_byte(0)) or len(message.element(0)) > TAG_MAX_BYTES:
        raise Malformed(f"the first element of a message is a tag of at most {TAG_MAX_BYTES:,} bytes")
    return clean(text_of(unpack(message.element(0))))


def options_of(message: Message, mode: Mode) -> Options:
    """Raises Malformed."""
    place = 3 if mode is Mode.MESSAGE else 2
    if len(message) <= place or message.first_byte(place) == NIL:
        return Options()
    element = message.element(place)
    if len(element) > OPTION_MAX_BYTES:
        raise Malformed(f"the options of a message have {len(element):,} bytes; {OPTION_MAX_BYTES:,} is the most")
    given = unpack(element)
    if not isinstance(given, dict):
        return Options()
    chunk, compressed, signal = (given.get(name) for name in ("chunk", "compressed", "fluent_signal"))
    if not isinstance(chunk, str | bytes) or len(chunk) > CHUNK_MAX_BYTES:
        chunk = ""
    return Options(chunk, text_of(compressed) if compressed else "", signal if isinstance(signal, int) else LOGS)


def unpack(element: memoryview | bytes) -> Any:
    """A value that is known to be complete. Raises Malformed for one that msgpack's library does not take."""
    try:
        return msgpack.unpackb(element, unicode_errors="surrogateescape", strict_map_key=False)
    except (msgpack.UnpackException, ValueError, TypeError) as error:
        raise Malformed(f"no msgpack: {error or type(error).__name__}") from None


def text_of(value: object) -> str:
    """A string, whichever of msgpack's two kinds it came as."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _is_text(first: int) -> bool:
    return 0xA0 <= first <= 0xBF or 0xC4 <= first <= 0xC6 or 0xD9 <= first <= 0xDB


def _is_array(first: int) -> bool:
    return first & 0xF0 == 0x90 or first in (0xDC, 0xDD)
