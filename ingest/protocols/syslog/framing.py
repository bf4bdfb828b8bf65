"""Syslog over a stream: where one message ends and the next begins (RFC 6587 §3.4, RFC 5425 §4.3).

Which framing a sender uses is told anew for each message, since relays mix them:

- Octet counting: `LEN SP MSG`. A message that begins with a number and a space is counted if `<` follows, as in all
  that have a PRI, or if the message before it was counted.
- Else it ends at LF; or at NUL where the sender ends what it sends with one, as Python's SysLogHandler does, and LFs
  belong to the message unless the next one begins after them. Of a sender that ends with LF a NUL belongs to the
  message, unless the next one begins after it.

Trailers, CR LF and NUL in any number, belong to no message; neither do spaces and trailers before one.
"""

import re
from typing import Final

from ingest.frames import take_syslog
from ingest.messages import Message, packed

_TRAILERS: Final = b"\r\n\0"
_TRAILERS_AND_SPACE: Final = _TRAILERS + b" "
_BETWEEN: Final = re.compile(rb"[\r\n\0 ]*+")
_COUNT: Final = re.compile(rb"([1-9]\d{0,7}) ")
_PERHAPS_COUNT: Final = re.compile(rb"[1-9]\d{0,7} ?\Z")
_LF_BEFORE_MESSAGE: Final = re.compile(rb"\n(?=(?:[1-9]\d{0,7} )?<\d)")
_NUL_BEFORE_MESSAGE: Final = re.compile(rb"\0(?=[\r\n\0 ]{0,8}+(?:(?:[1-9]\d{0,7} )?<\d|\Z))")


class Framer:
    """Cuts what one connection sends into messages; of a longer one `max_bytes` are kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._undecided = b""
        """The first bytes of a message, too few to tell how it is framed."""
        self._open = bytearray()
        self._open_bytes = 0
        """What has come of the open message, kept or not."""
        self._due_bytes = 0
        """How long the open message is, if it is counted."""
        self._was_counted = False
        self._has_nul = False
        self._ends_with_nul = False

    @property
    def held_bytes(self) -> int:
        """Bytes in memory of a message that is not complete."""
        return len(self._undecided) + len(self._open)

    def feed(self, received: bytes | bytearray) -> bytes:
        """The messages that are complete with these bytes, packed."""
        chunk = self._undecided + received
        self._undecided = b""
        if chunk.endswith((b"\n", b"\0")):
            self._ends_with_nul = chunk.endswith(b"\0")
        self._has_nul = b"\0" in chunk
        messages: list[bytes] = []
        at = self._go_on(chunk, 0, messages) if self._open_bytes or self._due_bytes else 0
        at = self._take_usual(chunk, at, messages)
        while at < len(chunk):
            at = self._begin(chunk, at, messages)
        return b"".join(messages)

    def finish(self) -> bytes:
        """What is left when the sender has closed the connection: a message without its end."""
        messages: list[bytes] = []
        self._open += self._undecided
        self._open_bytes += len(self._undecided)
        self._undecided = b""
        self._close(messages)
        return b"".join(messages)

    def _take_usual(self, chunk: bytes, at: int, messages: list[bytes]) -> int:
        """Takes all at once that are whole, and either counted or lines that begin with `<`, as most senders send."""
        if self._has_nul or self._ends_with_nul:
            return at
        taken = take_syslog(chunk, at, self._max_bytes, was_counted=self._was_counted)
        self._was_counted = taken.was_counted
        messages.append(taken.packed)
        return taken.end

    def _begin(self, chunk: bytes, at: int, messages: list[bytes]) -> int:
        """Takes what there is of the message at `at`; returns where the next one begins."""
        if chunk[at] in _TRAILERS_AND_SPACE:
            at = _BETWEEN.match(chunk, at).end()  # type: ignore[union-attr]
            if at == len(chunk):
                return at
        if not chunk.startswith(b"<", at):
            count = _COUNT.match(chunk, at)
            if count and (self._was_counted or chunk.startswith(b"<", count.end())):
                return self._begin_counted(chunk, count.end(), int(count[1]), messages)
            if _PERHAPS_COUNT.match(chunk, at):
                self._undecided = chunk[at:]
                return len(chunk)
        self._was_counted = False
        end = self._find_end(chunk, at)
        if end < 0 or end - at > self._max_bytes:
            return self._go_on(chunk, at, messages)
        _add(messages, chunk[at:end], 0)
        return end + 1

    def _begin_counted(self, chunk: bytes, at: int, size_bytes: int, messages: list[bytes]) -> int:
        self._was_counted = True
        end = at + size_bytes
        if end <= len(chunk) and size_bytes <= self._max_bytes:
            _add(messages, chunk[at:end], size_bytes)
            return end
        self._due_bytes = size_bytes
        return self._go_on(chunk, at, messages)

    def _go_on(self, chunk: bytes, at: int, messages: list[bytes]) -> int:
        """Adds to the open message what belongs to it, and closes it if it is complete."""
        if self._due_bytes:
            end = at + self._due_bytes - self._open_bytes
            after = end
        else:
            end = self._find_end(chunk, at)
            after = end + 1
        is_complete = 0 <= end <= len(chunk)
        if not is_complete:
            end = after = len(chunk)
        self._open += chunk[at : min(end, at + self._max_bytes - len(self._open))]
        self._open_bytes += end - at
        if is_complete:
            self._close(messages)
        return after

    def _close(self, messages: list[bytes]) -> None:
        _add(messages, bytes(self._open), self._due_bytes or self._open_bytes)
        self._open.clear()
        self._open_bytes = self._due_bytes = 0

    def _find_end(self, chunk: bytes, at: int) -> int:
        nul = self._find_nul(chunk, at)
        if nul < 0:
            return -1 if self._ends_with_nul else chunk.find(b"\n", at)
        line = _LF_BEFORE_MESSAGE.search(chunk, at, nul)
        return line.start() if line else nul

    def _find_nul(self, chunk: bytes, at: int) -> int:
        """Where a NUL ends the message."""
        if not self._has_nul or self._ends_with_nul:
            return chunk.find(b"\0", at) if self._has_nul else -1
        found = _NUL_BEFORE_MESSAGE.search(chunk, at)
        return found.start() if found else -1


def of_datagram(datagram: bytes) -> bytes:
    """The message of one datagram (RFC 5426 §3.1), packed, if it is not empty."""
    messages: list[bytes] = []
    _add(messages, datagram, 0)
    return b"".join(messages)


def _add(messages: list[bytes], content: bytes, size_bytes: int) -> None:
    """`size_bytes`: how long the message was, if that is more than its content."""
    stripped = content.rstrip(_TRAILERS)
    if stripped:
        whole_bytes = size_bytes if size_bytes > len(content) else len(stripped)
        messages.append(packed(Message(stripped, whole_bytes)))
