"""Arrow batches → bytes in each of the formats. The texts (ndjson, json, csv, text) are written by a native kernel.

Records leave out what they do not have: nulls, and empty trace_id, span_id, labels and attributes. Rows of `stats` and
`top` keep their nulls, so that every row has every column. In CSV a null is nothing and an empty text is `""`.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from query.answer import End
from query.rows import CHUNK_BYTES, RowEncoder, Style
from query.sql import Column

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
    encoder = RowEncoder(answer.columns, Style.JSON, b"\n", keeps_nulls=answer.is_grouped)
    for batch in answer.batches():
        yield from encoder.encode(batch)
    if answer.end.truncated:
        yield end_line(answer.end)


def end_line(end: End) -> bytes:
    return json.dumps({"@end": {"truncated": True, "cursor": end.cursor or None}}).encode() + b"\n"


def _json(answer: Rows) -> Iterator[bytes]:
    encoder = RowEncoder(answer.columns, Style.JSON, b",\n", keeps_nulls=answer.is_grouped)
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
    encoder = RowEncoder(answer.columns, Style.CSV, b"\r\n", keeps_nulls=True)
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
    encoder = RowEncoder(columns, Style.LINES, b"\n", keeps_nulls=True)
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
