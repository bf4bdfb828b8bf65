"""The JSON column `attributes` as typed columns of its frequent keys, and a rest; and back without a loss.

Only keys at the top level of the object count, and a dot in one is a letter like any other. A value moves into the
column of its key if it fits the column's kind:

- **boolean**: `true` or `false`;
- **integer**: a number written without fraction and exponent, within int64 (and not `-0`);
- **number**: a number written with fraction or exponent that is zero or of a size from 1e-4 to below 1e15, and whose
  double prints as the same number: `45.120` fits and comes back as `45.12`, a number with 20 digits does not;
- **text**: a string without lone surrogates and without U+0000.

Whatever else (null, arrays, objects, misfits) stays in the rest. A row that is no JSON object, or has a key twice,
stays there as it is.

Keys of texts, objects and arrays may be *omitted* altogether: in a row where nothing but such values would be left,
and the message has the very same of all omitted keys, they are not stored, for `join` and `line_text` can read them
in the message. The sign of it is that the row's rest is null. (So a row of which nothing is left, but whose message
would tell something, has the rest `{}`.)
"""

import ctypes
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from logstore.errors import TooLarge
from logstore.native import KERNEL_OK, KERNEL_REFUSED, TextColumn, WordBuffers, address_of, kernel
from logstore.native.arrays import ArrayInput


class Kind(StrEnum):
    """What a typed column holds; every value fits at most one."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"


ARROW: Final[Mapping[Kind, pa.DataType]] = MappingProxyType(
    {Kind.BOOLEAN: pa.bool_(), Kind.INTEGER: pa.int64(), Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string()}
)

KINDS: Final = tuple(Kind)
_NO_KIND: Final = len(KINDS)
Path: TypeAlias = tuple[str, ...]
"""Where a value stands in an object: a key, and what is inside it."""
PATH_SEPARATOR: Final = "\x1f"
"""Between the keys of a path."""


@dataclass(frozen=True, slots=True)
class Split:
    """For each key that was asked for: its column, null where the row has no value that fits, and whether some row
    keeps a value of it in `rest`; a column of few different texts is a dictionary. `rest` are the texts of JSON
    objects, null where nothing is left."""

    columns: tuple[pa.Array, ...]
    rest: pa.StringArray
    in_rest: tuple[bool, ...]


class AskedKey(ctypes.Structure):
    _fields_ = (("text", ctypes.c_void_p), ("length", ctypes.c_int64), ("kind", ctypes.c_int64))


class TypedColumn(ctypes.Structure):
    _fields_ = (("content", WordBuffers), ("is_words", ctypes.c_int64), ("in_rest", ctypes.c_int64))

    def to_array(self, kind: Kind, rows: int) -> pa.Array:
        """The column, which owns its memory; call it once."""
        content = self.content
        if self.is_words:
            return content.to_array(rows)
        validity, values, text = content.validity.take(), content.codes.take(), content.text.take()
        buffers = [validity if content.nulls else None, values, *([text] if kind is Kind.TEXT else [])]
        return pa.Array.from_buffers(ARROW[kind], rows, buffers, null_count=content.nulls)


class _SplitRequest(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("attributes", ArrayInput),
        ("messages", ArrayInput),
        ("keys", ctypes.POINTER(AskedKey)),
        ("key_count", ctypes.c_int64),
        ("column_count", ctypes.c_int64),
    )


class _JoinColumn(ctypes.Structure):
    _fields_ = (
        ("key", ctypes.c_void_p),
        ("key_length", ctypes.c_int64),
        ("kind", ctypes.c_int64),
        ("values", ArrayInput),
    )


class _JoinRequest(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("rest", ArrayInput),
        ("messages", ArrayInput),
        ("columns", ctypes.POINTER(_JoinColumn)),
        ("column_count", ctypes.c_int64),
        ("omitted", ctypes.POINTER(AskedKey)),
        ("omitted_count", ctypes.c_int64),
    )


class _LineRequest(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("messages", ArrayInput),
        ("paths", ctypes.POINTER(AskedKey)),
        ("path_count", ctypes.c_int64),
    )


_split: Final = kernel(
    "kernel_attributes_split", ctypes.POINTER(_SplitRequest), ctypes.POINTER(TextColumn), ctypes.POINTER(TypedColumn)
)
_join: Final = kernel("kernel_attributes_join", ctypes.POINTER(_JoinRequest), ctypes.POINTER(TextColumn))
_line: Final = kernel("kernel_attributes_line", ctypes.c_int64, ctypes.POINTER(ArrayInput), ctypes.POINTER(TextColumn))
_line_text: Final = kernel("kernel_line_text", ctypes.POINTER(_LineRequest), ctypes.POINTER(TextColumn))
_line_json: Final = kernel("kernel_line_json", ctypes.POINTER(_LineRequest), ctypes.POINTER(TextColumn))
_prepend: Final = kernel(
    "kernel_attributes_prepend",
    ctypes.c_int64,
    ctypes.POINTER(ArrayInput),
    ctypes.c_void_p,
    ctypes.POINTER(ArrayInput),
    ctypes.POINTER(TextColumn),
)


def prepend(members: pa.StringArray, codes: pa.Int32Array, attributes: pa.StringArray) -> pa.StringArray:
    """The objects with more members before their own: `codes` says of each row which of `members`, JSON text without
    its braces. Either may be null.

    Raises:
        TooLarge: over 2 GiB in all.
    """
    joined, rows = TextColumn(), len(attributes)
    codes_at = codes.buffers()[1].address + codes.offset * codes.type.byte_width
    status = _prepend(rows, ArrayInput.of(members), codes_at, ArrayInput.of(attributes), ctypes.byref(joined))
    if status == KERNEL_REFUSED:
        raise TooLarge("the attributes have over 2 GiB in all; send smaller batches")
    check(status)
    return joined.to_array(rows)


def split(
    attributes: pa.StringArray, keys: Sequence[tuple[str, Kind]], omit: Sequence[str], messages: pa.StringArray
) -> Split:
    """The keys as typed columns, and what is left; `omit` are keys that need not be stored where the row's message
    has them. No key may be named twice. Empty attributes are the message's text."""
    rows = len(attributes)
    named = [*(key for key, _ in keys), *omit]
    if len(set(named)) < len(named) or len(messages) != rows:
        raise ValueError("a key named twice, or not as many messages as attributes")
    texts = KeyTexts()
    asked = [*(texts.key(key, kind) for key, kind in keys), *(texts.key(key, None) for key in omit)]
    request = _SplitRequest(
        rows, ArrayInput.of(attributes), ArrayInput.of(messages), c_array(AskedKey, asked), len(asked), len(keys)
    )
    rest, columns = TextColumn(), (TypedColumn * len(keys))()
    check(_split(ctypes.byref(request), ctypes.byref(rest), columns))
    return Split(
        tuple(column.to_array(kind, rows) for column, (_, kind) in zip(columns, keys, strict=True)),
        rest.to_array(rows),
        tuple(bool(column.in_rest) for column in columns),
    )


def join(
    rest: pa.StringArray, columns: Sequence[tuple[str, pa.Array]], omitted: Sequence[str], messages: pa.StringArray
) -> pa.StringArray:
    """The attributes that `split` took apart: texts of JSON objects with the same members, null where there are none.

    Of a row without rest, the omitted keys are read in its message; one that also has a column (of texts), where that
    is null.
    """
    rows = len(rest)
    both = dict(columns).keys() & set(omitted)
    columns = [(key, _or_in_line(column, rest, messages, key) if key in both else column) for key, column in columns]
    omitted = [key for key in omitted if key not in both]
    if any(len(column) != rows for _, column in columns) or len(messages) != rows:
        raise ValueError("columns of different lengths")
    texts = KeyTexts()
    joined = [
        _JoinColumn(
            *texts.place(f"{json.dumps(key, ensure_ascii=False)}:"), _kind_number(column), ArrayInput.of(column)
        )
        for key, column in columns
    ]
    asked = [texts.key(key, None) for key in omitted]
    request = _JoinRequest(
        rows,
        ArrayInput.of(rest),
        ArrayInput.of(messages),
        c_array(_JoinColumn, joined),
        len(joined),
        c_array(AskedKey, asked),
        len(asked),
    )
    attributes = TextColumn()
    check(_join(ctypes.byref(request), ctypes.byref(attributes)))
    return attributes.to_array(rows)


def _or_in_line(column: pa.Array, rest: pa.StringArray, messages: pa.StringArray, key: str) -> pa.Array:
    in_line = pc.if_else(pc.is_null(rest), line_text(messages, [(key,)]), None)
    return pc.coalesce(column, in_line)


def of_line(messages: pa.StringArray) -> pa.StringArray:
    """The attributes of records that have none but those of their message: its text without the blanks around it, where
    it is one JSON object with members, as `line_text` reads it; null elsewhere."""
    lines = TextColumn()
    check(_line(len(messages), ArrayInput.of(messages), ctypes.byref(lines)))
    return lines.to_array(len(messages))


def line_text(messages: pa.StringArray, paths: Sequence[Path]) -> pa.StringArray:
    """The text form of the first value, other than JSON null, at one of the paths in those messages that are one JSON
    object (blanks around it allowed) with unique keys and without lone surrogates; null elsewhere.

    The text form of a string are its characters; numbers, arrays and objects are written as DuckDB writes them.
    """
    return _in_lines(_line_text, messages, paths)


def line_json(messages: pa.StringArray, paths: Sequence[Path]) -> pa.StringArray:
    """The JSON text of the same, as DuckDB writes it."""
    return _in_lines(_line_json, messages, paths)


def _in_lines(read: Callable[..., int], messages: pa.StringArray, paths: Sequence[Path]) -> pa.StringArray:
    texts = KeyTexts()
    asked = [texts.key(PATH_SEPARATOR.join(path), None) for path in paths]
    request = _LineRequest(len(messages), ArrayInput.of(messages), c_array(AskedKey, asked), len(asked))
    column = TextColumn()
    check(read(ctypes.byref(request), ctypes.byref(column)))
    return column.to_array(len(messages))


class KeyTexts:
    """Keeps the texts alive whose places a kernel is told."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def place(self, text: str) -> tuple[int, int]:
        content = text.encode()
        self._kept.append(content)
        return address_of(content), len(content)

    def key(self, text: str, kind: Kind | None) -> AskedKey:
        return AskedKey(*self.place(text), _NO_KIND if kind is None else KINDS.index(kind))


def _kind_number(column: pa.Array) -> int:
    return [ARROW[kind] for kind in KINDS].index(column.type)


def c_array(of: type[ctypes.Structure], items: Sequence[ctypes.Structure]) -> Any:
    return (of * len(items))(*items)


def check(status: int) -> None:
    if status == KERNEL_REFUSED:
        raise OverflowError("the texts are more than one array can hold")
    if status != KERNEL_OK:
        raise MemoryError("attributes")
