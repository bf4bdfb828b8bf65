"""Messages of Protocol Buffers read into plain values, by a table of their fields (protobuf.dev, "Encoding").

For protocols whose messages are few: what comes in great numbers is read by the kernels. Values have the form that
proto3's JSON has ("ProtoJSON Format"): names in camelCase, whole numbers of 64 bits as text. Fields that the table does
not know are left out, as are those that are not set. Bytes of a text that are not UTF-8 are lone surrogates in it
(PEP 383, `surrogateescape`).
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from logstore.errors import InvalidInput

Wire = int | memoryview
"""The value of a field: of a varint the number, of any other its bytes."""
Read = Callable[[Wire], Any]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_MAX_BYTES: Final = 10
_SIGN: Final = 1 << 63


class Many(Enum):
    """How often a field comes."""

    ONE = auto()
    """Of several the last counts."""
    LIST = auto()
    MAP = auto()
    """Each is a message with a key and a value."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: the name that it gets, and how its value is read."""

    name: str
    read: Read
    many: Many = Many.ONE


Message = Mapping[int, Field]
"""The fields of a message by their numbers."""


def read_message(content: memoryview, message: Message) -> dict[str, Any]:
    """The values of a message's fields by their names. Raises InvalidInput for what is no such message."""
    found: dict[str, Any] = {}
    for number, value in fields(content):
        field = message.get(number)
        if field is None:
            continue
        told = field.read(value)
        if field.many is Many.LIST:
            found.setdefault(field.name, []).append(told)
        elif field.many is Many.MAP:
            found.setdefault(field.name, {})[told.get("key", "")] = told.get("value")
        else:
            found[field.name] = told
    return found


def fields(content: memoryview) -> Iterator[tuple[int, Wire]]:
    """The fields of a message in their order, by number. Raises InvalidInput where it breaks off."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield tag >> 3, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if kind == _BYTES:
            size, at = _varint(content, at)
        if size is None:
            raise InvalidInput(f"no message of Protocol Buffers: a field of the kind {kind}")
        if size > len(content) - at:
            raise InvalidInput("a message of Protocol Buffers that breaks off")
        yield tag >> 3, content[at : at + size]
        at += size


def nested(message: Message) -> Read:
    """Reads a message within a message."""
    return lambda value: read_message(as_bytes(value), message)


def map_of(read: Read) -> Read:
    """Reads an entry of a map from text to what `read` makes of a value."""
    entry: Message = {1: Field("key", as_text), 2: Field("value", read)}
    return lambda value: {"value": read(memoryview(b"")), **read_message(as_bytes(value), entry)}


def as_bytes(value: Wire) -> memoryview:
    """Bytes as they came, of which a message may be."""
    if isinstance(value, int):
        raise InvalidInput("a message of Protocol Buffers that has a number where bytes should be")
    return value


def as_text(value: Wire) -> str:
    return bytes(as_bytes(value)).decode("utf-8", "surrogateescape")


def as_number(value: Wire) -> int:
    """A whole number of 32 or 64 bits, or that of an enumeration."""
    if not isinstance(value, int):
        raise InvalidInput("a message of Protocol Buffers that has bytes where a number should be")
    return value - 2 * _SIGN if value & _SIGN else value


def as_long(value: Wire) -> str:
    """A whole number of 64 bits as JSON has it."""
    return str(as_number(value))


def as_bool(value: Wire) -> bool:
    return as_number(value) != 0


def as_double(value: Wire) -> int | float | str:
    """Whole where it is, as JSON writes it; what JSON cannot say as a word."""
    content = as_bytes(value)
    if len(content) != 8:
        raise InvalidInput("a message of Protocol Buffers that has no double where one should be")
    number: float = struct.unpack("<d", content)[0]
    if number != number or number in (float("inf"), float("-inf")):
        return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
    return int(number) if number.is_integer() and abs(number) < 1 << 53 else number


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    number = 0
    for place, byte in enumerate(content[at : at + _VARINT_MAX_BYTES]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number & 2 * _SIGN - 1, at + place + 1
    raise InvalidInput("a message of Protocol Buffers that breaks off")
