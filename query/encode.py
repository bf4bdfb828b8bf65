"""Arrow batches → bytes in each of the formats. The texts (ndjson, json, csv, text) are written by a native kernel.

Records leave out what they do not have: nulls, and empty trace_id, span_id, labels and attributes. Rows of `stats` and
`top` keep their nulls, so that every row has every column. In CSV a null is nothing and an empty text is `""`.
"""

import ctypes
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logstore.native import KERNEL_OK, kernel
from query.execute import End
from query.sql import Column, Kind

CHUNK_BYTES: Final = 256 << 10
_OMITTED_WHEN_EMPTY: Final = frozenset({"trace_id", "span_id", "labels", "attributes"})
_PARQUET_ROWS: Final = 8_192


class Format(StrEnum):
    NDJSON = "ndjson"
    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"
    PARQUET = "parquet"
    TEXT = "text"


MEDIA_TYPES: Final = {
    Format.NDJSON: "application/x-ndjson",
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.TEXT: "text/plain; charset=utf-8",
}


class Rows(Protocol):
    """What is encoded: an answer, or anything that has its shape."""

    columns: tuple[Column, ...]
    is_grouped: bool
    schema: pa.Schema
    end: End

    def batches(self) -> Iterator[pa.RecordBatch]: ...


def encode(answer: Rows, form: Format) -> Iterator[bytes]:
    """The answer in pieces of about 256 KiB, or of one row where that is more.

    NDJSON of an answer that the default limit cut ends with `{"@end": {"truncated": true, "cursor": …}}`; the cursor
    is null where there is no next page.
    """
    match form:
        case Format.NDJSON:
            return _ndjson(answer)
        case Format.JSON:
            return _json(answer)
        case Format.CSV:
            return _csv(answer)
        case Format.TEXT:
            return _text(answer)
        case Format.ARROW:
            return _arrow(answer)
        case Format.PARQUET:
            return _parquet(answer)


def _ndjson(answer: Rows) -> Iterator[bytes]:
    encoder = RowEncoder(answer.columns, _Style.JSON, b"\n", keeps_nulls=answer.is_grouped)
    for batch in answer.batches():
        yield from encoder.encode(batch)
    if answer.end.truncated:
        yield end_line(answer.end)


def end_line(end: End) -> bytes:
    return json.dumps({"@end": {"truncated": True, "cursor": end.cursor or None}}).encode() + b"\n"


def _json(answer: Rows) -> Iterator[bytes]:
    encoder = RowEncoder(answer.columns, _Style.JSON, b",\n", keeps_nulls=answer.is_grouped)
    held = b"["
    for batch in answer.batches():
        for chunk in encoder.encode(batch):
            yield held
            # The last separator is held back: it becomes the closing bracket.
            yield chunk[:-2]
            held = b",\n"
    yield (held if held == b"[" else b"") + b"]\n"


def _csv(answer: Rows) -> Iterator[bytes]:
    yield _csv_header([column.name for column in answer.columns])
    encoder = RowEncoder(answer.columns, _Style.CSV, b"\r\n", keeps_nulls=True)
    for batch in answer.batches():
        yield from encoder.encode(batch)


def _csv_header(names: list[str]) -> bytes:
    cells = (
        f'"{name.replace(chr(34), chr(34) * 2)}"' if any(c in name for c in '",\r\n') or not name else name
        for name in names
    )
    return ",".join(cells).encode() + b"\r\n"


def _text(answer: Rows) -> Iterator[bytes]:
    """The messages, a line each; where there are none, the columns with tabs between them."""
    chosen = [i for i, column in enumerate(answer.columns) if column.name == "message"]
    chosen = chosen or list(range(len(answer.columns)))
    columns = tuple(answer.columns[i] for i in chosen)
    encoder = RowEncoder(columns, _Style.LINES, b"\n", keeps_nulls=True)
    for batch in answer.batches():
        arrays = [batch.column(i) for i in chosen]
        yield from encoder.encode(pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns]))


def _arrow(answer: Rows) -> Iterator[bytes]:
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), answer.schema) as writer:
        for batch in answer.batches():
            writer.write_batch(batch)
            yield from sink.take(CHUNK_BYTES)
    yield from sink.take(1)


def _parquet(answer: Rows) -> Iterator[bytes]:
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), answer.schema, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        for batch in answer.batches():
            group.append(batch)
            if sum(part.num_rows for part in group) >= _PARQUET_ROWS:
                writer.write_table(pa.Table.from_batches(group))
                group = []
                yield from sink.take(CHUNK_BYTES)
        if group:
            writer.write_table(pa.Table.from_batches(group))
    yield from sink.take(1)


class _Sink:
    """A file that hands on what is written to it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        self._bytes += len(part)
        return len(part)

    def take(self, at_least: int) -> Iterator[bytes]:
        if self._bytes >= at_least:
            parts, self._parts, self._bytes = self._parts, [], 0
            yield b"".join(parts)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True


# The kernel


class _Style(StrEnum):
    JSON = "json"
    CSV = "csv"
    LINES = "lines"


_STYLES: Final = {_Style.JSON: 0, _Style.CSV: 1, _Style.LINES: 2}
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
        self._style = _STYLES[_Style(style)]
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
    return RowEncoder(columns, _Style.JSON, b"\n", keeps_nulls=keeps_nulls)


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
