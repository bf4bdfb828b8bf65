"""Loki pushes as bytes, written without the library that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Entry:
    time_ns: int
    line: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    labels: str
    entries: tuple[Entry, ...]


def push(*streams: Stream) -> bytes:
    """A PushRequest, not compressed."""
    return b"".join(_field(1, _stream(stream)) for stream in streams)


def snappy(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="snappy", asbytes=True))


def _stream(stream: Stream) -> bytes:
    entries = b"".join(_field(2, _entry(entry)) for entry in stream.entries)
    return _field(1, stream.labels.encode()) + entries + b"\x18" + _varint(2**63)


def _entry(entry: Entry) -> bytes:
    seconds, nanos = divmod(entry.time_ns, 1_000_000_000)
    time = b"\x08" + _varint(seconds % 2**64) + (b"\x10" + _varint(nanos) if nanos else b"")
    pairs = (_field(1, name.encode()) + _field(2, value.encode()) for name, value in entry.metadata.items())
    return _field(1, time) + _field(2, entry.line) + b"".join(_field(3, pair) for pair in pairs)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
