"""Parquet footers whose row groups move with their pages to another file, as bytes: what does not change is not read.

Format: https://github.com/apache/parquet-format (parquet.thrift), in Thrift's compact protocol.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from logstore.native import KERNEL_OK, KERNEL_REFUSED, ColumnBuffer, kernel

_STRUCTS: Final = 12
"""In the head of a list: its elements are structs."""
_NUMBER: Final = [("begin", "<i8"), ("end", "<i8"), ("value", "<i8")]
_CHUNK: Final = np.dtype(
    [
        ("begin", "<i8"),
        ("end", "<i8"),
        *((name, _NUMBER) for name in ("offset", "size", "data", "dictionary")),
        ("has_others", "<i8"),
    ]
)
_GROUP: Final = np.dtype(
    [
        *((name, "<i8") for name in ("begin", "end", "columns_begin", "columns_end", "chunks")),
        *((name, _NUMBER) for name in ("rows", "offset", "ordinal")),
    ]
)

Place = tuple[int, int, int]
"""Of a number: where its bytes begin and end, and its value; all 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The metadata of a column's pages in one row group. `start` is where these begin in the file."""

    content: bytes
    start: int
    size_bytes: int
    places: tuple[Place, Place, Place]
    """In `content`: those of the metadata's own copy, of the dictionary's page, and of the first page of data."""

    def moved(self, by: int) -> bytes:
        """The same of pages that lie so many bytes further on."""
        copy, *pages = self.places
        return _with_numbers(self.content, [(*copy[:2], 0), *((*page[:2], page[2] + by) for page in pages)])


@dataclass(frozen=True, slots=True)
class Group:
    """The metadata of a row group: what stands before and after the list of its columns."""

    head: bytes
    tail: bytes
    rows: int
    chunks: tuple[Chunk, ...]
    places: tuple[Place, Place]
    """In `tail`: those of the row group's first page, and of its number in the file."""

    def moved(self, chunks: Sequence[bytes], offset: int, ordinal: int) -> bytes:
        """The same of these columns, at this place in a file."""
        values = zip(self.places, (offset, ordinal), strict=True)
        return self.head + list_of(chunks) + _with_numbers(self.tail, [(*place[:2], value) for place, value in values])


@dataclass(frozen=True, slots=True)
class Footer:
    """`rest` is the footer without row groups."""

    groups: tuple[Group, ...]
    rest: bytes


class _Result(ctypes.Structure):
    _fields_ = (
        ("groups", ColumnBuffer),
        ("chunks", ColumnBuffer),
        ("groups_begin", ctypes.c_int64),
        ("groups_end", ctypes.c_int64),
    )


_groups: Final = kernel("kernel_footer_groups", ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(_Result))


def read(content: bytes) -> Footer:
    """Raises ValueError if it is no footer, or one with places of what is not understood."""
    result = _Result()
    status = _groups(content, len(content), ctypes.byref(result))
    if status == KERNEL_REFUSED:
        raise ValueError("no metadata of a Parquet file")
    if status != KERNEL_OK:
        raise MemoryError("footer")
    told = iter(np.frombuffer(result.chunks.take_bytes(), _CHUNK).tolist())
    groups = tuple(
        _group(content, group, tuple(_chunk(content, next(told)) for _ in range(group[4])))
        for group in np.frombuffer(result.groups.take_bytes(), _GROUP).tolist()
    )
    return Footer(groups, content[: result.groups_begin] + list_of([]) + content[result.groups_end :])


def with_groups(content: bytes, groups: Sequence[bytes]) -> bytes:
    """A footer without row groups, with these. Raises ValueError if it is no footer."""
    result = _Result()
    if _groups(content, len(content), ctypes.byref(result)) != KERNEL_OK:
        raise ValueError("no metadata of a Parquet file")
    return content[: result.groups_begin] + list_of(groups) + content[result.groups_end :]


def list_of(structs: Sequence[bytes]) -> bytes:
    """A list of structs."""
    count = len(structs)
    head = bytes([count << 4 | _STRUCTS]) if count < 15 else bytes([15 << 4 | _STRUCTS]) + _unsigned(count)
    return head + b"".join(structs)


def _chunk(content: bytes, told: tuple[int, int, Place, Place, Place, Place, int]) -> Chunk:
    begin, end, copy, size, data, dictionary, has_others = told
    if has_others or not (size[1] and data[1]):
        raise ValueError("a column of a Parquet file with an index or a Bloom filter beside its pages")
    start = min(data[2], dictionary[2]) if dictionary[1] else data[2]
    return Chunk(content[begin:end], start, size[2], (_from(copy, begin), _from(dictionary, begin), _from(data, begin)))


def _group(
    content: bytes, told: tuple[int, int, int, int, int, Place, Place, Place], chunks: tuple[Chunk, ...]
) -> Group:
    begin, end, columns_begin, columns_end, _, rows, offset, ordinal = told
    if rows[0] < columns_end:
        raise ValueError("a row group of a Parquet file without columns before its rows")
    head, tail = content[begin:columns_begin], content[columns_end:end]
    return Group(head, tail, rows[2], chunks, (_from(offset, columns_end), _from(ordinal, columns_end)))


def _from(place: Place, begin: int) -> Place:
    return (place[0] - begin, place[1] - begin, place[2]) if place[1] else place


def _with_numbers(content: bytes, places: Sequence[Place]) -> bytes:
    """The content with other numbers at these places, as far as they are some."""
    parts: list[bytes] = []
    at = 0
    for begin, end, value in sorted(place for place in places if place[1]):
        parts += (content[at:begin], _unsigned(value << 1))
        at = end
    return b"".join((*parts, content[at:]))


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
