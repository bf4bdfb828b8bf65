"""One connection of Fluent forward, and its heartbeats over UDP."""

from collections.abc import Callable, Iterator

from ingest.conversation import Conversation, Frame, Unwelcome
from ingest.protocols.forward.handshake import NONCE_BYTES, PING_MAX_BYTES, Handshake, Keys
from ingest.protocols.forward.json_mode import BEGINNING, JsonMessages, json_ack
from ingest.protocols.forward.messages import Message, Messages
from ingest.protocols.forward.options import LOGS, Options, mode_of, options_of, tag_of


def begin(
    max_bytes: int, keys: Keys | None, hostname: str, random: Callable[[int], bytes]
) -> Callable[[str], Conversation]:
    """What begins a conversation with a peer. A message has at most `max_bytes`; without `keys` nothing is asked."""

    def begun(_peer: str) -> Conversation:
        if keys is None:
            return Forward(max_bytes, None)
        salt = random(NONCE_BYTES) if any(True for _ in keys.passwords()) else b""
        return Forward(max_bytes, Handshake(keys, hostname, random(NONCE_BYTES), salt))

    return begun


class Forward:
    """Each message is a frame; one with a chunk's name is answered when it is durable."""

    def __init__(self, max_bytes: int, handshake: Handshake | None) -> None:
        self._max_bytes = max_bytes
        self._messages = Messages(PING_MAX_BYTES if handshake else max_bytes)
        self._handshake = handshake
        self._greeting = handshake.helo() if handshake else b""
        self._json: JsonMessages | None = None
        self._has_begun = handshake is not None

    @property
    def held_bytes(self) -> int:
        return self._messages.held_bytes + (self._json.held_bytes if self._json else 0)

    @property
    def is_midway(self) -> bool:
        return self._handshake is not None or self.held_bytes > 0

    def greeting(self) -> bytes:
        return self._greeting

    def feed(self, data: bytes | bytearray) -> Iterator[Frame | bytes]:
        if not self._has_begun and data:
            self._has_begun = True
            self._json = JsonMessages(self._max_bytes) if data[0] in BEGINNING else None
        for message in self._messages.feed(self._json.feed(data) if self._json else data):
            yield from self._enter(message) if self._handshake else self._take(message)

    def end(self) -> Iterator[Frame]:
        return iter(())

    def _enter(self, message: Message) -> Iterator[bytes]:
        assert self._handshake is not None
        pong, reason = self._handshake.pong(message)
        yield pong
        if reason:
            raise Unwelcome(reason)
        self._handshake = None
        self._messages.max_bytes = self._max_bytes

    def _take(self, message: Message) -> Iterator[Frame | bytes]:
        mode = mode_of(message)
        tag_of(message)
        options = options_of(message, mode)
        if options.signal == LOGS:
            yield Frame(message.body, self._ack(options), is_alone=bool(options.ack or options.compressed))
        elif options.ack:
            yield self._ack(options)

    def _ack(self, options: Options) -> bytes:
        return json_ack(options.chunk) if self._json and options.chunk else options.ack


class Heartbeats:
    """Fluentd's over UDP: a byte for whatever comes."""

    dropped = 0

    def feed(self, datagram: bytes, peer: str) -> Frame | None:
        return Frame(b"", b"\0")
