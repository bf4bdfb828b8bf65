"""The C kernel that turns a body into columns, as one typed function. Mirrors logstore/native/decode.h."""

import ctypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Self

import pyarrow as pa

from ingest.request import Limits
from logstore.errors import TooLarge
from logstore.native import (
    KERNEL_OK,
    KERNEL_OUT_OF_MEMORY,
    KERNEL_REFUSED,
    KERNEL_TOO_MANY_RECORDS,
    ArrowArray,
    ColumnBuffer,
    TextColumn,
    WordBuffers,
    address_of,
    kernel,
)
from logstore.record import SCHEMA, WORD

DECODE_MAX_BYTES: Final = 256 << 20
"""No body may be larger, whatever the settings say: offsets into a column's text are 32 bits wide."""

REJECTS_MAX: Final = 10_000
"""How many lines are told of that are no records; all, where `names` are given."""

WORD_COLUMNS: Final = ("cluster", "namespace", "pod", "container", "stream")
_WORDS: Final = len(WORD_COLUMNS)
_ATTRIBUTES: Final = SCHEMA.field("attributes")
_TOLD: Final = pa.schema([field for field in SCHEMA if field != _ATTRIBUTES])


@dataclass(frozen=True, slots=True)
class RawReject:
    """A reject as the kernel tells it; `detail` is the slice of the body that it concerns."""

    line: int
    cause: int
    column: int
    detail: slice


@dataclass(frozen=True, slots=True)
class Columns:
    """What the kernel made of a body: all records, how many lines were rejected, and the first of those."""

    batch: pa.RecordBatch
    rejected: int
    rejects: list[RawReject]
    metadata: pa.DictionaryArray
    """Of each record the members that `names` calls metadata, as the text of one JSON object; null if it has none."""


class Form(IntEnum):
    """How a body holds records; `enum decode_form`."""

    JSON = 0
    """An array if its first byte that is not space is `[`, else objects, one a line."""
    TEXT = 1
    """One record a line, whatever it holds."""
    LINES = 2
    """Objects, one a line."""
    ROW = 3
    """An array, or objects one after the other with white space, commas or nothing between them."""


class Role(IntEnum):
    """What a name beyond those of the contract means; `enum decode_role`."""

    METADATA = 0
    OBJECT = 1
    TEXT = 2
    WEAK = 3
    PREFIX = 4
    WALK = 5
    TIME = 6
    MESSAGE = 7
    SEVERITY = 8
    TRACE_ID = 9
    SPAN_ID = 10
    LATE_TIME = 11
    """After the names of the contract, and if it is a time of these years; else it stays an attribute."""
    BODY = 12
    """An object that is walked, or a string that is the message."""
    EVENT = 13
    """Likewise, but a string only if the record has a severity: structlog's."""


class Part(IntEnum):
    """What a member of an envelope is; `enum envelope_role`."""

    RECORD = 0
    """The record: its members if it is an object, else its message."""
    MEMBERS = 1
    """An object whose members are the record's too, where it has none of their names."""
    TIME = 2
    """The record's time, before all that it says itself."""
    MEMBER = 3
    """A member of the record, where it has none of that name."""
    FOREIGN = 4
    """A member that the record itself must not have: it is rejected."""
    FOREIGN_OBJECT = 5
    """Likewise, if it is an object."""


class _Name(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("length", ctypes.c_int64), ("role", ctypes.c_int64))


class _Needle(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("length", ctypes.c_int64))


@dataclass(frozen=True, slots=True)
class Names:
    """Names that documents have besides, as the kernel wants them. Those with the role `PREFIX`, of which there may be
    64, begin a key; those with the role `WALK` are objects, whose members' names follow after a dot."""

    names: Any
    needles: Any

    @classmethod
    def of(cls, roles: Mapping[str, Role], needles: Iterable[str] = ()) -> Self:
        entries = [(name.encode(), role) for name, role in roles.items()]
        texts = [needle.encode() for needle in needles if needle]
        return cls(
            (_Name * len(entries))(*(_Name(name, len(name), role) for name, role in entries)),
            (_Needle * len(texts))(*(_Needle(text, len(text)) for text in texts)),
        )


NO_NAMES: Final = Names.of({})


class _EnvelopeName(ctypes.Structure):
    _fields_ = (
        ("text", ctypes.c_char_p),
        ("length", ctypes.c_int64),
        ("role", ctypes.c_int64),
        ("becomes", ctypes.c_char_p),
        ("becomes_length", ctypes.c_int64),
    )


@dataclass(frozen=True, slots=True)
class Envelope:
    """In what a record comes, as the kernel wants it: one part is the record. What has no name here is dropped."""

    array: Any

    @classmethod
    def of(cls, parts: Mapping[str, Part], renamed: Mapping[str, str] | None = None) -> Self:
        """Members named in `renamed` have another name in the record."""
        entries = [(name.encode(), part, (renamed or {}).get(name, name).encode()) for name, part in parts.items()]
        array = _EnvelopeName * len(entries)
        return cls(array(*(_EnvelopeName(name, len(name), part, as_, len(as_)) for name, part, as_ in entries)))


NO_ENVELOPE: Final = Envelope.of({})


class _Request(ctypes.Structure):
    _fields_ = (
        ("body", ctypes.c_void_p),
        ("length", ctypes.c_int64),
        ("now_ns", ctypes.c_int64),
        ("max_line_bytes", ctypes.c_int64),
        ("max_records", ctypes.c_int64),
        ("max_rejects", ctypes.c_int64),
        ("form", ctypes.c_int64),
        ("defaults", ctypes.c_char_p * _WORDS),
        ("default_lengths", ctypes.c_int64 * _WORDS),
        ("names", ctypes.c_void_p),
        ("name_count", ctypes.c_int64),
        ("needles", ctypes.c_void_p),
        ("needle_count", ctypes.c_int64),
        ("envelope", ctypes.c_void_p),
        ("envelope_count", ctypes.c_int64),
    )


class _Reject(ctypes.Structure):
    _fields_ = (
        ("line", ctypes.c_int64),
        ("cause", ctypes.c_int64),
        ("column", ctypes.c_int64),
        ("detail_at", ctypes.c_int64),
        ("detail_length", ctypes.c_int64),
    )


class _Result(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("rejected", ctypes.c_int64),
        ("rejects", ColumnBuffer),
        ("time", ColumnBuffer),
        ("severity", ColumnBuffer),
        ("words", WordBuffers * _WORDS),
        ("labels", WordBuffers),
        ("metadata", WordBuffers),
        ("message", TextColumn),
        ("trace_id", TextColumn),
        ("span_id", TextColumn),
        ("attributes", TextColumn),
    )


_decode: Final = kernel("kernel_decode", ctypes.POINTER(_Request), ctypes.POINTER(_Result))
_as_arrow: Final = kernel(
    "kernel_arrow_decoded", ctypes.POINTER(_Result), *[ctypes.POINTER(ArrowArray)] * 3, is_short=True
)


def decode_columns(
    body: bytes | pa.Buffer,
    *,
    form: Form,
    now_ns: int,
    limits: Limits,
    defaults: tuple[str, ...],
    names: Names = NO_NAMES,
    envelope: Envelope = NO_ENVELOPE,
) -> Columns:
    """The records of a body of POST /api/v1/logs, in one pass without the GIL.

    `defaults` are the words of `WORD_COLUMNS` where a record has none.

    Raises:
        TooLarge: more than `limits.max_records` records, or a body over `DECODE_MAX_BYTES`.
    """
    words = [word.encode() for word in defaults]
    request = _Request(
        address_of(body),
        len(body),
        now_ns,
        limits.max_line_bytes,
        limits.max_records,
        REJECTS_MAX if names is NO_NAMES else limits.max_read_singly,
        form,
        (ctypes.c_char_p * _WORDS)(*words),
        (ctypes.c_int64 * _WORDS)(*map(len, words)),
        ctypes.addressof(names.names),
        len(names.names),
        ctypes.addressof(names.needles),
        len(names.needles),
        ctypes.addressof(envelope.array),
        len(envelope.array),
    )
    result = _Result()
    status = _decode(ctypes.byref(request), ctypes.byref(result))
    if status == KERNEL_TOO_MANY_RECORDS:
        raise TooLarge(f"the body has more than {limits.max_records:,} records (max_records); send smaller batches")
    if status == KERNEL_REFUSED:
        raise TooLarge(f"the body has {len(body):,} bytes; {DECODE_MAX_BYTES:,} is the most that can be read")
    if status == KERNEL_OUT_OF_MEMORY:
        raise MemoryError("decode")
    return _take(result)


def _take(result: Any) -> Columns:
    told, attributes, metadata = ArrowArray(), ArrowArray(), ArrowArray()
    if _as_arrow(*map(ctypes.byref, (result, told, attributes, metadata))) != KERNEL_OK:
        raise MemoryError("decode")
    batch = told.to_batch(_TOLD).append_column(_ATTRIBUTES, attributes.to_array(_ATTRIBUTES.type))
    raw = result.rejects.take_bytes()
    count = len(raw) // ctypes.sizeof(_Reject)
    rejects = [_reject(entry) for entry in (_Reject * count).from_buffer_copy(raw)]
    return Columns(batch, result.rejected, rejects, metadata.to_array(WORD))


def _reject(entry: Any) -> RawReject:
    detail = slice(entry.detail_at, entry.detail_at + entry.detail_length)
    return RawReject(entry.line, entry.cause, entry.column, detail)
