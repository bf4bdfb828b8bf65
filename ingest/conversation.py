"""What is said over a connection or in datagrams, as machines of values: bytes in, frames and answers out.

The server reads, keeps within bounds, makes durable and sends; nothing here does any of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from ingest.protocol import Answer, Take
from ingest.request import Decode, Head
from logstore.errors import InvalidInput

_DONE: Final = Answer(200)


class Malformed(InvalidInput):
    """What cannot be part of the protocol: its connection is closed, the message says why."""


class Unwelcome(Malformed):
    """A client that does not know what it should; its connection is closed too."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Records as they came. Bodies of frames, one after the other, are one body that the protocol's `Take` decodes."""

    body: bytes
    ack: bytes = b""
    """What the sender hears once these records are durable; such a frame has to be alone."""
    is_alone: bool = False
    """It is a body of its own: it has a name, or may become large."""


class Conversation(Protocol):
    """One connection of a protocol, from our side."""

    def greeting(self) -> bytes:
        """What is sent before anything was received."""

    def feed(self, data: bytes | bytearray) -> Iterator[Frame | bytes]:
        """The frames that are complete with these bytes, and answers that are sent at once, as they are asked for.

        The iterator is always run to its end, or the connection is closed.

        Raises:
            Malformed: the connection is to be closed, after what was given so far.
        """

    def end(self) -> Iterator[Frame]:
        """What is left when the sender says no more."""

    @property
    def held_bytes(self) -> int:
        """Bytes that were fed and are in no frame yet, bounded by the conversation itself."""

    @property
    def is_midway(self) -> bool:
        """More is due soon: a frame has begun, or a handshake is not done. One who then is silent is cut."""


class Datagrams(Protocol):
    """What comes in datagrams, from anybody."""

    def feed(self, datagram: bytes, peer: str) -> Frame | None:
        """The frame that is complete with this one; its `ack` is sent to the peer at once. Never raises."""

    @property
    def dropped(self) -> int:
        """What was given up so far, since its other datagrams did not come in time or there was no room for it."""


def taking(decode: Decode, inflate_body: Callable[[bytes, Head, int], bytes] | None = None) -> Take:
    """A `Take` for bodies that come over no HTTP: joined frames, which by themselves have no content coding."""
    return Take((), (), decode, lambda _request, _decoded: _DONE, inflate_body or _as_it_is)


def _as_it_is(body: bytes, _head: Head, _max_bytes: int) -> bytes:
    return body
