"""Thrift's compact protocol, as far as Parquet's footers need it: structs as plain values, and back to the same bytes.

Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any, Final, TypeAlias

TRUE: Final = 1
FALSE: Final = 2
BYTE: Final = 3
I16: Final = 4
I32: Final = 5
I64: Final = 6
DOUBLE: Final = 7
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12

Struct: TypeAlias = dict[int, tuple[int, Any]]
"""The type and the value of each field, by its number. A boolean is its type, and its value None; a number is an int, a
DOUBLE its eight bytes, a BINARY bytes, a STRUCT one of these, a LIST its elements' type and they."""


def parse(content: bytes) -> Struct:
    """Raises ValueError if it is no struct of these types."""
    try:
        found, end = _struct(content, 0)
    except (IndexError, RecursionError):
        end = -1
    if end != len(content):
        raise ValueError("no struct of Thrift's compact protocol")
    return found


def serialize(struct: Struct) -> bytes:
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


def _struct(content: bytes, at: int) -> tuple[Struct, int]:
    found: Struct = {}
    number = 0
    while head := content[at]:
        at += 1
        kind = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _signed(content, at)
        value, at = _value(content, at, kind)
        found[number] = kind, value
    return found, at + 1


def _value(content: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (I16, I32, I64):
        return _signed(content, at)
    if kind == BINARY:
        size, at = _unsigned(content, at)
        return content[at : at + size], at + size
    if kind == STRUCT:
        return _struct(content, at)
    if kind == LIST:
        return _list(content, at)
    if kind in (TRUE, FALSE):
        return None, at
    if kind == BYTE:
        return content[at], at + 1
    if kind == DOUBLE:
        return content[at : at + 8], at + 8
    raise ValueError(f"type {kind} of Thrift's compact protocol has no place in a footer")


def _list(content: bytes, at: int) -> tuple[tuple[int, list[Any]], int]:
    kind, size = content[at] & 15, content[at] >> 4
    at += 1
    if size == 15:
        size, at = _unsigned(content, at)
    items = []
    for _ in range(size):
        item, at = (content[at], at + 1) if kind in (TRUE, FALSE) else _value(content, at, kind)
        items.append(item)
    return (kind, items), at


def _unsigned(content: bytes, at: int) -> tuple[int, int]:
    byte = content[at]
    if byte < 128:
        return byte, at + 1
    found, shift = byte & 127, 7
    while byte >= 128:
        at += 1
        byte = content[at]
        found |= (byte & 127) << shift
        shift += 7
    return found, at + 1


def _signed(content: bytes, at: int) -> tuple[int, int]:
    found, at = _unsigned(content, at)
    return (found >> 1) ^ -(found & 1), at


def _write_struct(out: bytearray, struct: Struct) -> None:
    before = 0
    for number in sorted(struct):
        kind, value = struct[number]
        if 0 < number - before <= 15:
            out.append((number - before) << 4 | kind)
        else:
            out.append(kind)
            _write_signed(out, number)
        _write_value(out, kind, value)
        before = number
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in (I16, I32, I64):
        _write_signed(out, value)
    elif kind == BINARY:
        _write_unsigned(out, len(value))
        out += value
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind == LIST:
        _write_list(out, *value)
    elif kind == BYTE:
        out.append(value)
    elif kind == DOUBLE:
        out += value


def _write_list(out: bytearray, kind: int, items: list[Any]) -> None:
    if len(items) < 15:
        out.append(len(items) << 4 | kind)
    else:
        out.append(15 << 4 | kind)
        _write_unsigned(out, len(items))
    for item in items:
        if kind in (TRUE, FALSE):
            out.append(item)
        else:
            _write_value(out, kind, item)


def _write_unsigned(out: bytearray, value: int) -> None:
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _write_signed(out: bytearray, value: int) -> None:
    _write_unsigned(out, value << 1 if value >= 0 else (-value << 1) - 1)
