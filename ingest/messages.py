"""Messages that came over bare connections or in datagrams as one body, for protocols that have no requests.

A body is the messages of any number of senders, one after the other:

    @PEER LF               whose the messages after it are; the address as the listener tells it
    SIZE SP MESSAGE        a message of SIZE bytes
    SIZE/ALL SP MESSAGE    the first SIZE bytes of a message that was, or said that it was, ALL bytes long
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from logstore.errors import InvalidInput

_MARK: Final = re.compile(rb"@([^\n]*)\n|(\d{1,12})(?:/(\d{1,12}))? ")


class Message(NamedTuple):
    """The bytes of one message without what framed it. `whole_bytes` is more than their number if the rest was cut
    off."""

    content: bytes
    whole_bytes: int

    @property
    def missing(self) -> str:
        """What is missing, in words; '' if nothing is."""
        if self.whole_bytes == len(self.content):
            return ""
        return f"cut off after {len(self.content):,} of {self.whole_bytes:,} bytes"


def whole(content: bytes) -> Message:
    """A message of which nothing is missing."""
    return Message(content, len(content))


def pack(messages: Iterable[Message], peer: str) -> bytes:
    """A body of these messages of one sender. Bodies that are put one after the other are one body."""
    return of_sender(b"".join(map(packed, messages)), peer)


def packed(message: Message) -> bytes:
    """A message as it stands in a body."""
    size_bytes = len(message.content)
    if message.whole_bytes == size_bytes:
        return b"%d %s" % (size_bytes, message.content)
    return b"%d/%d %s" % (size_bytes, message.whole_bytes, message.content)


def of_sender(messages: bytes, peer: str) -> bytes:
    """A body of packed messages of one sender."""
    return b"@%s\n%s" % (peer.encode("utf-8", "replace").replace(b"\n", b" "), messages)


def unpack(body: bytes) -> Iterator[tuple[str, Message]]:
    """The messages of a packed body, each with its sender.

    Raises:
        InvalidInput: the body was not made by `pack`.
    """
    peer, at = "", 0
    match_mark = _MARK.match
    while at < len(body):
        mark = match_mark(body, at)
        if mark is None:
            raise InvalidInput(f"no message begins at byte {at}")
        told, size, whole_size = mark.groups()
        begin = mark.end()
        if told is not None:
            peer, at = told.decode("utf-8", "replace"), begin
            continue
        size_bytes = int(size)
        at = begin + size_bytes
        yield peer, Message(body[begin:at], int(whole_size) if whole_size else size_bytes)
