"""Forward's JSON mode: messages are JSON arrays, one after the other, on a connection that begins with one.

Each becomes the message in msgpack that it stands for. fluent-logger for PHP and Monolog's formatter write so, and
others if told to. Source: Fluentd, `in_forward`, which tells the mode by the first byte.
"""

import json
import re
from typing import Any, Final

import msgpack

from ingest.conversation import Malformed

BEGINNING: Final = frozenset(b"[ \t\r\n")
"""No message in msgpack begins so."""
_MARKS: Final = re.compile(rb'["\\\[\]{}]')
_BETWEEN: Final = b" \t\r\n,"
_INT_MAX: Final = 2**64
_INT_MIN: Final = -(2**63)


class JsonMessages:
    """Cuts what is fed, in one pass; a message that is not complete is kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = bytearray()
        self._at = 0
        """What is before was looked at."""
        self._depth = 0
        self._is_string = False

    @property
    def held_bytes(self) -> int:
        return len(self._bytes)

    def feed(self, data: bytes | bytearray) -> bytes:
        """The messages that these bytes complete, in msgpack.

        Raises:
            Malformed: something that is no array, or one over `max_bytes`.
        """
        self._bytes += data
        packed = bytearray()
        begin = 0
        for mark in _MARKS.finditer(self._bytes, self._at):
            if mark.start() < self._at:
                continue  # escaped
            self._step(mark[0], mark.end())
            if not self._depth and not self._is_string:
                packed += _packed(bytes(self._bytes[begin : mark.end()]).strip(_BETWEEN))
                begin = mark.end()
        self._at = max(self._at, len(self._bytes)) - begin
        del self._bytes[:begin]
        if not self._depth:
            self._bytes[:] = self._bytes.lstrip(_BETWEEN)
            self._at = len(self._bytes)
        if len(self._bytes) > self._max_bytes:
            raise Malformed(f"a message has more than {self._max_bytes:,} bytes (max_body)")
        return bytes(packed)

    def _step(self, mark: bytes, end: int) -> None:
        self._at = end
        if mark == b"\\":
            self._at += 1
        elif mark == b'"':
            self._is_string = not self._is_string
        elif not self._is_string:
            self._depth += 1 if mark in b"[{" else -1
        if self._depth < 0:
            raise Malformed("a JSON message ends before it begins")


def json_ack(chunk: str | bytes) -> bytes:
    """What a sender in JSON hears."""
    return json.dumps({"ack": chunk if isinstance(chunk, str) else chunk.decode("utf-8", "replace")}).encode()


def _packed(text: bytes) -> bytes:
    if not text.startswith(b"["):
        raise Malformed(f"a message is a JSON array, this begins with {text[:8]!r}")
    try:
        message = json.loads(text.decode("utf-8", "surrogateescape"), strict=False, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from None
    return _as_msgpack(message)


def _integer(digits: str) -> int | float:
    number = int(digits) if len(digits) <= 20 else float(digits)
    return number if isinstance(number, float) or _INT_MIN <= number < _INT_MAX else float(number)


def _as_msgpack(message: Any) -> bytes:
    try:
        return bytes(msgpack.packb(message, unicode_errors="surrogateescape"))
    except UnicodeEncodeError:
        return bytes(msgpack.packb(message, unicode_errors="backslashreplace"))
    except ValueError as error:
        raise Malformed(f"a message cannot be read: {error}") from None
