"""The C kernels behind ingest/lines.py, as typed functions. Mirrors logstore/native/unwrap.h and traces.c."""

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from logstore.native import KERNEL_OK, ColumnBuffer, TextColumn, address_of, kernel, text_addresses
from logstore.record import IDENTITY

STREAMS: Final = ("stdout", "stderr")
"""What the numbers of `Unwrapped.streams` mean; -1: the stream is as it was."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""One truth value a record."""
Codes = np.ndarray[Any, np.dtype[np.int32]]


class TextInput(ctypes.Structure):
    """`struct array_input` of a column of strings."""

    _fields_ = (
        ("validity", ctypes.c_void_p),
        ("at", ctypes.c_int64),
        ("values", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
    )


class _UnwrapRequest(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("messages", TextInput),
        ("attributes", TextInput),
        ("times", ctypes.c_void_p),
        ("sources", ctypes.c_void_p),
        ("formats", ctypes.c_int64),
        ("is_told", ctypes.c_int64),
        ("now_ns", ctypes.c_int64),
        ("max_line_bytes", ctypes.c_int64),
    )


class _UnwrapResult(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("firsts", ColumnBuffer),
        ("times", ColumnBuffer),
        ("streams", ColumnBuffer),
        ("messages", TextColumn),
        ("attributes", TextColumn),
    )


class _TracesRequest(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("messages", TextInput),
        ("attributes", TextInput),
        ("sources", ctypes.c_void_p),
        ("languages", ctypes.c_int64),
        ("max_bytes", ctypes.c_int64),
    )


class _TracesResult(ctypes.Structure):
    _fields_ = (("rows", ctypes.c_int64), ("firsts", ColumnBuffer), ("messages", TextColumn))


_wrapped_count: Final = kernel(
    "kernel_wrapped_count",
    ctypes.c_int64,
    ctypes.POINTER(TextInput),
    ctypes.c_int64,
    ctypes.POINTER(ctypes.c_int64),
)
_rows_holding: Final = kernel(
    "kernel_rows_holding",
    ctypes.c_int64,
    ctypes.POINTER(TextInput),
    ctypes.c_char_p,
    ctypes.c_int64,
    ctypes.c_void_p,
)
_unwrap: Final = kernel("kernel_unwrap", ctypes.POINTER(_UnwrapRequest), ctypes.POINTER(_UnwrapResult))
_join_traces: Final = kernel("kernel_join_traces", ctypes.POINTER(_TracesRequest), ctypes.POINTER(_TracesResult))


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """Lines; each begins in the row of the batch that `firsts` tells."""

    firsts: pa.Int64Array
    times: pa.TimestampArray
    streams: Codes
    messages: pa.StringArray
    attributes: pa.StringArray


@dataclass(frozen=True, slots=True)
class Joined:
    """Records; each begins in the row of the batch that `firsts` tells."""

    firsts: pa.Int64Array
    messages: pa.StringArray


def text_input(column: pa.StringArray) -> TextInput:
    """Where the column stands in memory; valid while it lives."""
    validity = column.buffers()[0]
    return TextInput(validity.address if validity else 0, column.offset, *text_addresses(column))


def wrapped_count(messages: pa.StringArray, formats: int) -> int:
    """How many messages begin as one in these formats does."""
    count = ctypes.c_int64()
    _check(_wrapped_count(len(messages), ctypes.byref(text_input(messages)), formats, ctypes.byref(count)))
    return count.value


def rows_holding(texts: pa.StringArray, literals: Iterable[str]) -> Mask:
    """Which texts hold one of the literals, of which none is empty."""
    found = np.zeros(len(texts), np.uint8)
    source = text_input(texts)
    for literal in literals:
        wanted = literal.encode()
        _check(_rows_holding(len(texts), ctypes.byref(source), wanted, len(wanted), address_of(found)))
    return found.view(np.bool_)


def unwrap(batch: pa.RecordBatch, formats: int, now_ns: int, max_line_bytes: int, *, is_told: bool) -> Unwrapped:
    """The lines of a batch without what runtimes wrap them in, pieces of a line joined; `is_told`: also those that
    attributes tell of."""
    sources = _sources(batch)
    times = batch.column("time").view(pa.int64())
    request = _UnwrapRequest(
        batch.num_rows,
        text_input(batch.column("message")),
        text_input(batch.column("attributes")),
        times.buffers()[1].address + 8 * times.offset,
        address_of(sources),
        formats,
        int(is_told),
        now_ns,
        max_line_bytes,
    )
    result = _UnwrapResult()
    _check(_unwrap(ctypes.byref(request), ctypes.byref(result)))
    rows = result.rows
    return Unwrapped(
        result.firsts.to_array(rows, pa.int64()),
        result.times.to_array(rows, pa.timestamp("ns")),
        np.frombuffer(result.streams.take(), np.int32),
        result.messages.to_array(rows),
        result.attributes.to_array(rows),
    )


def join_traces(batch: pa.RecordBatch, languages: int, max_bytes: int) -> Joined | None:
    """The lines of stack traces as one message each; None where there are none."""
    sources = _sources(batch)
    request = _TracesRequest(
        batch.num_rows,
        text_input(batch.column("message")),
        text_input(batch.column("attributes")),
        address_of(sources),
        languages,
        max_bytes,
    )
    result = _TracesResult()
    _check(_join_traces(ctypes.byref(request), ctypes.byref(result)))
    if result.rows == batch.num_rows:
        return None
    return Joined(result.firsts.to_array(result.rows, pa.int64()), result.messages.to_array(result.rows))


def _sources(batch: pa.RecordBatch) -> Codes:
    """For each row the numbers of where it comes from: identity, stream and labels."""
    columns = [batch.column(name).indices.fill_null(-1).to_numpy() for name in (*IDENTITY, "stream", "labels")]
    return np.ascontiguousarray(np.column_stack(columns), np.int32)


def _check(status: int) -> None:
    if status != KERNEL_OK:
        raise MemoryError("lines")
