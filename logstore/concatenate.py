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

from logstore import thrift
from logstore.errors import Damaged
from logstore.thrift import BINARY, I32, I64, LIST, STRUCT, Struct

_MAGIC: Final = b"PAR1"
_TAIL: Final = struct.Struct("<I4s")

_FILE_SCHEMA, _FILE_ROWS, _FILE_GROUPS, _FILE_METADATA, _FILE_ORDERS = 2, 3, 4, 5, 7
_ELEMENT_REPETITION, _ELEMENT_NAME, _ELEMENT_CHILDREN = 3, 4, 5
_OPTIONAL: Final = 1
_GROUP_COLUMNS, _GROUP_ROWS, _GROUP_OFFSET, _GROUP_ORDINAL = 1, 3, 5, 7
_CHUNK_OFFSET, _CHUNK_COLUMN = 2, 3
_COLUMN_SIZE, _COLUMN_OFFSET, _COLUMN_DICTIONARY = 7, 9, 11
_COLUMN_UNKNOWN: Final = frozenset((10, 14))
"""Offsets of what we never write: an index page, a Bloom filter."""


class NotAlike(Exception):
    """Columns of one name differ in type, or one that may not be null is not in every file."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A file, its footer, and its columns' schema elements by name."""

    content: memoryview
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
        groups: list[Struct] = []
        for source in opened:
            for group in source.footer[_FILE_GROUPS][1][1]:
                groups.append(_append(out, source, group, elements, types, len(groups)))
        footer = thrift.serialize(_footer(opened[0].footer, list(elements.values()), groups, metadata))
        out.write(footer)
        out.write(_TAIL.pack(len(footer), _MAGIC))


def _open(path: Path, stack: contextlib.ExitStack) -> _Source:
    with path.open("rb") as file:
        content = memoryview(stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    return _source(stack.enter_context(content), str(path))


def _source(content: memoryview, name: str) -> _Source:
    length, magic = _TAIL.unpack(content[-_TAIL.size :])
    if magic != _MAGIC:
        raise Damaged(f"{name} is no Parquet file")
    try:
        footer = thrift.parse(bytes(content[-_TAIL.size - length : -_TAIL.size]))
    except ValueError as error:
        raise Damaged(f"the footer of {name} cannot be read: {error}") from error
    leaves = footer[_FILE_SCHEMA][1][1][1:]
    return _Source(content, footer, {element[_ELEMENT_NAME][1]: element for element in leaves})


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
    out: BinaryIO,
    source: _Source,
    group: Struct,
    elements: Mapping[bytes, Struct],
    types: Mapping[str, pa.DataType],
    ordinal: int,
) -> Struct:
    """Copies one row group's pages; returns what the footer says of it."""
    chunks = dict(zip(source.elements, group[_GROUP_COLUMNS][1][1], strict=True))
    rows = group[_GROUP_ROWS][1]
    begin = out.tell()
    copied: list[Struct] = []
    ranges: list[tuple[memoryview, int, int]] = []
    at = begin
    for name, element in elements.items():
        content, chunk = source.content, chunks.get(name)
        if chunk is None:
            content, chunk = _nulls(name, element, types[name.decode()], rows)
        start, size = _place(chunk)
        copied.append(_moved(chunk, at - start))
        ranges.append((content, start, start + size))
        at += size
    for content, start, end in _joined(ranges):
        out.write(content[start:end])
    return {
        **group,
        _GROUP_COLUMNS: (LIST, (STRUCT, copied)),
        _GROUP_OFFSET: (I64, begin),
        _GROUP_ORDINAL: (thrift.I16, ordinal),
    }


def _place(chunk: Struct) -> tuple[int, int]:
    """Where the chunk's pages begin, and how many bytes they have."""
    column = chunk[_CHUNK_COLUMN][1]
    starts = [column[field][1] for field in (_COLUMN_DICTIONARY, _COLUMN_OFFSET) if field in column]
    return min(starts), column[_COLUMN_SIZE][1]


def _moved(chunk: Struct, by: int) -> Struct:
    column: Struct = {
        number: field for number, field in chunk[_CHUNK_COLUMN][1].items() if number not in _COLUMN_UNKNOWN
    }
    for number in (_COLUMN_DICTIONARY, _COLUMN_OFFSET):
        if number in column:
            column[number] = (I64, column[number][1] + by)
    # The place of a second copy of the chunk's metadata, which there is none of.
    return {_CHUNK_OFFSET: (I64, 0), _CHUNK_COLUMN: (STRUCT, column)}


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


def _nulls(name: bytes, element: Struct, kind: pa.DataType, rows: int) -> tuple[memoryview, Struct]:
    """A column chunk of nulls, and the content that it lies in."""
    sink = pa.BufferOutputStream()
    table = pa.table({name.decode(): pa.nulls(rows, kind)})
    pq.write_table(
        table, sink, row_group_size=max(rows, 1), compression="none", use_dictionary=False, store_schema=False
    )
    source = _source(memoryview(sink.getvalue()), name.decode())
    if source.elements[name] != element:
        raise NotAlike(f"the column {name.decode()} has more than one type")
    return source.content, source.footer[_FILE_GROUPS][1][1][0][_GROUP_COLUMNS][1][1][0]


def _footer(like: Struct, elements: list[Struct], groups: list[Struct], metadata: Mapping[str, str]) -> Struct:
    root = {**like[_FILE_SCHEMA][1][1][0], _ELEMENT_CHILDREN: (I32, len(elements))}
    pairs = [{1: (BINARY, key.encode()), 2: (BINARY, value.encode())} for key, value in metadata.items()]
    by_type: list[Struct] = [{1: (STRUCT, {})} for _ in elements]
    return {
        **like,
        _FILE_SCHEMA: (LIST, (STRUCT, [root, *elements])),
        _FILE_ROWS: (I64, sum(group[_GROUP_ROWS][1] for group in groups)),
        _FILE_GROUPS: (LIST, (STRUCT, groups)),
        _FILE_METADATA: (LIST, (STRUCT, pairs)),
        _FILE_ORDERS: (LIST, (STRUCT, by_type)),
    }
