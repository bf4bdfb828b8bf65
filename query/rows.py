"""Rows of Arrow batches as JSON objects, CSV lines or plain lines, written by a native kernel."""

import ctypes
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logstore.native import KERNEL_OK, kernel
from query.sql import Column, Kind

CHUNK_BYTES: Final = 256 << 10
_OMITTED_WHEN_EMPTY: Final = frozenset({"trace_id", "span_id", "labels", "attributes"})


class Style(StrEnum):
    """How a row is written."""

    JSON = "json"
    CSV = "csv"
    LINES = "lines"


_STYLES: Final = {Style.JSON: 0, Style.CSV: 1, Style.LINES: 2}
_OMIT_NULL: Final = 1
_OMIT_EMPTY: Final = 2
_KINDS: Final = {
    Kind.TIME: (0, pa.timestamp("ns")),
    Kind.TEXT: (1, pa.string()),
    Kind.INTEGER: (2, pa.int64()),
    Kind.FLOAT: (3, pa.float64()),
    Kind.BOOLEAN: (4, pa.bool_()),
    Kind.JSON: (5, pa.string()),
}


class _Column(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int32),
        ("flags", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("validity", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("key", ctypes.c_char_p),
        ("key_bytes", ctypes.c_int64),
    )


_encode_rows = kernel(
    "kernel_encode_rows",
    ctypes.POINTER(_Column),
    ctypes.c_int32,
    ctypes.c_int32,
    ctypes.c_char_p,
    ctypes.c_int32,
    ctypes.POINTER(ctypes.c_int64),
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_int64),
)


@dataclass(frozen=True, slots=True)
class _Encoded:
    name: str
    kind: int
    type: pa.DataType
    flags: int
    key: bytes


class RowEncoder:
    """Writes the rows of batches whose columns are these, by position. Not for two threads at once."""

    def __init__(self, columns: Iterable[Column], style: str, separator: bytes, *, keeps_nulls: bool) -> None:
        self._columns = [_encoded(column, keeps_nulls=keeps_nulls) for column in columns]
        self._style = _STYLES[Style(style)]
        self._separator = separator
        self._buffer = ctypes.create_string_buffer(CHUNK_BYTES)

    def encode(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        """The rows in chunks, each of whole rows that end in the separator."""
        arrays = [
            array if array.type == column.type else pc.cast(array, column.type)
            for array, column in zip(batch.columns, self._columns, strict=True)
        ]
        described = (_Column * len(arrays))(
            *(_describe(array, column) for array, column in zip(arrays, self._columns, strict=True))
        )
        row = ctypes.c_int64(0)
        while row.value < batch.num_rows:
            written = self._encode_some(described, row, batch.num_rows)
            yield ctypes.string_at(self._buffer, written)
            if len(self._buffer) > CHUNK_BYTES:
                self._buffer = ctypes.create_string_buffer(CHUNK_BYTES)

    def _encode_some(self, described: "ctypes.Array[_Column]", row: ctypes.c_int64, rows: int) -> int:
        while True:
            size = ctypes.c_int64(len(self._buffer))
            status = _encode_rows(
                described,
                len(described),
                self._style,
                self._separator,
                len(self._separator),
                ctypes.byref(row),
                rows,
                ctypes.addressof(self._buffer),
                ctypes.byref(size),
            )
            if status == KERNEL_OK:
                return size.value
            # One row is larger than a chunk.
            self._buffer = ctypes.create_string_buffer(size.value)


def json_rows(columns: Iterable[Column], *, keeps_nulls: bool) -> RowEncoder:
    """An encoder of NDJSON lines."""
    return RowEncoder(columns, Style.JSON, b"\n", keeps_nulls=keeps_nulls)


def _encoded(column: Column, *, keeps_nulls: bool) -> _Encoded:
    kind, arrow_type = _KINDS[column.kind]
    flags = 0
    if not keeps_nulls:
        flags = _OMIT_NULL | (_OMIT_EMPTY if column.name in _OMITTED_WHEN_EMPTY else 0)
    key = json.dumps(column.name, ensure_ascii=False).encode() + b":"
    return _Encoded(column.name, kind, arrow_type, flags, key)


def _describe(array: pa.Array, column: _Encoded) -> _Column:
    buffers = array.buffers()
    validity, values = buffers[0], buffers[-1]
    offsets = buffers[1] if len(buffers) == 3 else None
    return _Column(
        kind=column.kind,
        flags=column.flags,
        offset=array.offset,
        validity=validity.address if validity is not None else None,
        offsets=offsets.address if offsets is not None else None,
        values=values.address if values is not None else None,
        key=column.key,
        key_bytes=len(column.key),
    )
