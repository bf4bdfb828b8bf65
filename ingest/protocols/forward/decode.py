"""Frames of Fluent forward as records: messages of all modes become JSON documents, decoded by the kernel at once."""

from dataclasses import replace
from typing import Final

from ingest import body as bodies
from ingest import documents as json_documents
from ingest.conversation import taking
from ingest.protocol import Take
from ingest.protocols.forward.documents import Documents
from ingest.protocols.forward.messages import Message, Messages, packed_message
from ingest.protocols.forward.options import Mode, mode_of, options_of, tag_of, unpack
from ingest.request import Decoded, Head, Limits, Request

NAME: Final = "forward"
TEXT_PER_BYTE: Final = 32
TEXT_LEAST_BYTES: Final = 64 << 10
"""What a message may become as JSON: that much, and so many bytes for each of its own, but at most twice `max_body`."""
_OUTER_MAX_BYTES: Final = 8192
"""A tag and options, besides the entries."""


def decode(request: Request) -> Decoded:
    """The records of messages, one after the other.

    What is no record is stored as text, with the attribute `_ingest_error`.

    Raises:
        TooLarge: more than `max_records`.
    """
    documents = Documents(request.limits.max_records, request.identity)
    key, messages = "", 0
    for message in Messages(len(request.body)).feed(request.body):
        mode = mode_of(message)
        entries = _entries(message, mode)
        documents.add(entries, tag_of(message), text_max_bytes(len(entries), request.limits))
        messages += 1
        key = options_of(message, mode).key
    decoded = json_documents.decode(documents.text(), request, documents.groups())
    return replace(decoded, key=key if messages == 1 else "", unread=decoded.unread + documents.unread)


def text_max_bytes(size_bytes: int, limits: Limits) -> int:
    """What entries of so many bytes may become as JSON."""
    return min(2 * limits.max_body_bytes, TEXT_LEAST_BYTES + TEXT_PER_BYTE * size_bytes)


def inflate(body: bytes, _head: Head, max_bytes: int) -> bytes:
    """The message with its entries inflated; others are as they came. A chunk sent again is known by what is in it,
    however it was compressed.

    Raises:
        InvalidInput: entries that are damaged or end too early.
        TooLarge: more than `max_bytes`.
    """
    message = next(Messages(len(body)).feed(body))
    mode = mode_of(message)
    if mode is not Mode.PACKED or not options_of(message, mode).compressed:
        return body
    entries = bodies.inflate(_packed(message), "", max_bytes)
    return packed_message(bytes(message.element(0)), entries, bytes(message.element(2))).body


def _entries(message: Message, mode: Mode) -> bytes:
    """All entries of a message, one after the other."""
    if mode is Mode.PACKED:
        return _packed(message)
    if mode is Mode.FORWARD:
        width = {0xDC: 3, 0xDD: 5}.get(message.first_byte(1), 1)
        return bytes(message.element(1)[width:])
    return b"".join((b"\x92", message.element(1), message.element(2)))


def _packed(message: Message) -> bytes:
    """The packed entries, whichever of msgpack's two kinds of strings they came as."""
    entries = unpack(message.element(1))
    return entries if isinstance(entries, bytes) else entries.encode("utf-8", "surrogateescape")


TAKE: Final[Take] = taking(decode, inflate)
