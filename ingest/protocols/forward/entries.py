"""Entries, one msgpack `[time, record]` after the other, read within bounds.

Made of hostile bytes, objects can take a hundred times the memory of the bytes. Where so many arrays and maps may be in
entries, the size of each is looked at before anything is made of it; so too after one that cannot be read, so that it
does not take those after it along.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgpack

OBJECT_BYTES_MAX: Final = 1 << 20
"""Bytes of an entry that may begin an array or a map; one with more is not read."""

_MAY_BE_NESTED: Final = bytes((*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF))
_EVENT_TIME: Final = struct.Struct(">II").unpack
_UNREADABLE: Final = (msgpack.UnpackException, ValueError, TypeError)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no entry, and why."""

    content: bytes
    error: str


def entries_of(content: bytes) -> Iterator[Any]:
    """What msgpack says, in order, with an `Unreadable` for what it does not take.

    An EventTime is a tuple of seconds and nanoseconds, and nothing else is a tuple.
    """
    done = 0
    if _nested_bytes(content) <= OBJECT_BYTES_MAX:
        try:
            unpacker = _fed(content)
            for entry in unpacker:
                yield entry
                done += 1
            if unpacker.tell() == len(content):
                return
        except _UNREADABLE:
            pass
    yield from _one_by_one(content, done)


def _one_by_one(content: bytes, done: int) -> Iterator[Any]:
    walker, at = _fed(content), 0
    while at < len(content):
        try:
            walker.skip()
        except _UNREADABLE as error:
            yield Unreadable(content[at:], f"entries break off: {_said(error)}")
            return
        begin, at = at, walker.tell()
        if done:
            done -= 1
            continue
        yield _read(content[begin:at])


def _read(entry: bytes) -> Any:
    if _nested_bytes(entry) > OBJECT_BYTES_MAX:
        return Unreadable(entry, f"an entry of {len(entry):,} bytes with perhaps as many members")
    try:
        return _fed(entry).unpack()
    except _UNREADABLE as error:
        return Unreadable(entry, f"an entry that cannot be read: {_said(error)}")


def _nested_bytes(content: bytes) -> int:
    return len(content) - len(content.translate(None, _MAY_BE_NESTED))


def _fed(content: bytes) -> msgpack.Unpacker:
    unpacker = msgpack.Unpacker(
        read_size=1,
        max_buffer_size=max(len(content), 1),
        unicode_errors="surrogateescape",
        strict_map_key=False,
        timestamp=2,
        ext_hook=_extension,
    )
    unpacker.feed(content)
    return unpacker


def _extension(code: int, content: bytes) -> Any:
    """An EventTime as two numbers, the content of any other extension."""
    return _EVENT_TIME(content) if code == 0 and len(content) == 8 else content


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
