"""Conversations in which only the sender speaks, and whose end of a message is told by a framer."""

from collections.abc import Iterator
from typing import Final, Protocol

from ingest.conversation import Frame
from ingest.messages import of_sender

_PATIENCE_BYTES: Final = 8 << 10
"""Of an incomplete message. Who sends the end of a message with the next one is not to be cut."""


class Framer(Protocol):
    """Cuts what one connection sends into messages, which are packed (`ingest.messages`)."""

    def feed(self, received: bytes | bytearray) -> bytes:
        """The messages that are complete with these bytes."""

    def finish(self) -> bytes:
        """What is left when the sender has closed the connection."""

    @property
    def held_bytes(self) -> int:
        """Bytes in memory of a message that is not complete."""


class OneWay:
    """A conversation with `peer`: its messages."""

    def __init__(self, framer: Framer, peer: str) -> None:
        self._framer = framer
        self._peer = peer

    def greeting(self) -> bytes:
        return b""

    def feed(self, data: bytes | bytearray) -> Iterator[Frame | bytes]:
        yield from self._frames(self._framer.feed(data))

    def end(self) -> Iterator[Frame]:
        yield from self._frames(self._framer.finish())

    @property
    def held_bytes(self) -> int:
        return self._framer.held_bytes

    @property
    def is_midway(self) -> bool:
        return self._framer.held_bytes > _PATIENCE_BYTES

    def _frames(self, messages: bytes) -> Iterator[Frame]:
        if messages:
            yield Frame(of_sender(messages, self._peer))
