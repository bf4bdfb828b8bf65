"""Parquet files put one after the other in one file: their pages are copied as they are, and only the footer is new.

Row groups stay what they are, so that nothing is decoded, sorted or compressed again. A column that some of the files
lack is null there. Format: https://github.com/apache/parquet-format (parquet.thrift, whose field numbers these are).
"""

import contextlib
import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from logstore import footer, thrift
from logstore.errors import Damaged
from logstore.footer import Chunk, Group
from logstore.thrift import BINARY, I32, I64, LIST, STRUCT, Struct

_MAGIC: Final = b"PAR1"
_TAIL: Final = struct.Struct("<I4s")

_FILE_SCHEMA, _FILE_ROWS, _FILE_METADATA, _FILE_ORDERS = 2, 3, 5, 7
_ELEMENT_REPETITION, _ELEMENT_NAME, _ELEMENT_CHILDREN = 3, 4, 5
_OPTIONAL: Final = 1


class NotAlike(Exception):
    """Columns of one name differ in type, or one that may not be null is not in every file."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A file, its row groups, the rest of its footer, and its columns' schema elements by name."""

    content: memoryview
    groups: tuple[Group, ...]
    footer: Struct
    elements: Mapping[bytes, Struct]


def concatenate(
    sources: Sequence[Path], target: Path, types: Mapping[str, pa.DataType], metadata: Mapping[str, str]
) -> None:
    """Writes the target with all row groups of the sources, in their order, and this key-value metadata.

    `types` are those of the columns that some source may lack.

    Raises:
        NotAlike: the sources cannot be one file.
        Damaged: one of them is no Parquet file.
    """
    with contextlib.ExitStack() as stack, target.open("wb") as out:
        opened = [_open(path, stack) for path in sources]
        elements = _elements(opened)
        out.write(_MAGIC)
        nulls = _Nulls(types)
        groups: list[bytes] = []
        for source in opened:
            for group in source.groups:
                groups.append(_append(out, source, group, elements, nulls, len(groups)))
        rows = sum(group.rows for source in opened for group in source.groups)
        written = thrift.serialize(_footer(opened[0].footer, list(elements.values()), rows, metadata))
        written = footer.with_groups(written, groups)
        out.write(written)
        out.write(_TAIL.pack(len(written), _MAGIC))


def _open(path: Path, stack: contextlib.ExitStack) -> _Source:
    with path.open("rb") as file:
        content = memoryview(stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    return _source(stack.enter_context(content), str(path))


def _source(content: memoryview, name: str) -> _Source:
    length, magic = _TAIL.unpack(content[-_TAIL.size :])
    if magic != _MAGIC:
        raise Damaged(f"{name} is no Parquet file")
    try:
        found = footer.read(bytes(content[-_TAIL.size - length : -_TAIL.size]))
        rest = thrift.parse(found.rest)
    except ValueError as error:
        raise Damaged(f"the footer of {name} cannot be read: {error}") from error
    leaves = rest[_FILE_SCHEMA][1][1][1:]
    return _Source(content, found.groups, rest, {element[_ELEMENT_NAME][1]: element for element in leaves})


def _elements(sources: Sequence[_Source]) -> dict[bytes, Struct]:
    """The columns of all files."""
    found: dict[bytes, Struct] = {}
    for source in sources:
        for name, element in source.elements.items():
            if found.setdefault(name, element) != element:
                raise NotAlike(f"the column {name.decode()} has more than one type")
    for name, element in found.items():
        if element[_ELEMENT_REPETITION][1] != _OPTIONAL and any(name not in source.elements for source in sources):
            raise NotAlike(f"the column {name.decode()} is not in every file")
    return found


def _append(
    out: BinaryIO, source: _Source, group: Group, elements: Mapping[bytes, Struct], nulls: "_Nulls", ordinal: int
) -> bytes:
    """Copies one row group's pages; returns what the footer says of it."""
    chunks = dict(zip(source.elements, group.chunks, strict=True))
    begin = at = out.tell()
    copied: list[bytes] = []
    ranges: list[tuple[memoryview, int, int]] = []
    for name, element in elements.items():
        content, chunk = source.content, chunks.get(name)
        if chunk is None:
            content, chunk = nulls.find(name, element, group.rows)
        copied.append(chunk.moved(at - chunk.start))
        ranges.append((content, chunk.start, chunk.start + chunk.size_bytes))
        at += chunk.size_bytes
    for content, start, end in _joined(ranges):
        out.write(content[start:end])
    return group.moved(copied, begin, ordinal)


def _joined(ranges: Sequence[tuple[memoryview, int, int]]) -> Iterator[tuple[memoryview, int, int]]:
    """The same ranges, those together that follow each other."""
    content, start, end = ranges[0]
    for following, next_start, next_end in ranges[1:]:
        if following is content and next_start == end:
            end = next_end
            continue
        yield content, start, end
        content, start, end = following, next_start, next_end
    yield content, start, end


class _Nulls:
    """Column chunks of nulls, and the content that they lie in."""

    def __init__(self, types: Mapping[str, pa.DataType]) -> None:
        self._types = types
        self._made: dict[tuple[bytes, int], tuple[memoryview, Chunk]] = {}

    def find(self, name: bytes, element: Struct, rows: int) -> tuple[memoryview, Chunk]:
        if (name, rows) not in self._made:
            self._made[name, rows] = _nulls(name, element, self._types[name.decode()], rows)
        return self._made[name, rows]


def _nulls(name: bytes, element: Struct, kind: pa.DataType, rows: int) -> tuple[memoryview, Chunk]:
    sink = pa.BufferOutputStream()
    table = pa.table({name.decode(): pa.nulls(rows, kind)})
    pq.write_table(
        table,
        sink,
        row_group_size=max(rows, 1),
        compression="none",
        use_dictionary=False,
        store_schema=False,
        write_page_checksum=True,
    )
    source = _source(memoryview(sink.getvalue()), name.decode())
    if source.elements[name] != element:
        raise NotAlike(f"the column {name.decode()} has more than one type")
    return source.content, source.groups[0].chunks[0]


def _footer(like: Struct, elements: list[Struct], rows: int, metadata: Mapping[str, str]) -> Struct:
    root = {**like[_FILE_SCHEMA][1][1][0], _ELEMENT_CHILDREN: (I32, len(elements))}
    pairs = [{1: (BINARY, key.encode()), 2: (BINARY, value.encode())} for key, value in metadata.items()]
    by_type: list[Struct] = [{1: (STRUCT, {})} for _ in elements]
    return {
        **like,
        _FILE_SCHEMA: (LIST, (STRUCT, [root, *elements])),
        _FILE_ROWS: (I64, rows),
        _FILE_METADATA: (LIST, (STRUCT, pairs)),
        _FILE_ORDERS: (LIST, (STRUCT, by_type)),
    }
