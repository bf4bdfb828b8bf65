"""Values inside of the attributes' objects as typed columns: copies, for the objects stay whole where they are.

A value is in the column of its path if it fits the column's kind, as logstore/attributes.py says of kinds. Nothing is
read inside of arrays.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from logstore.attributes import PATH_SEPARATOR, AskedKey, KeyTexts, Kind, Path, TypedColumn, c_array, check
from logstore.native import kernel
from logstore.native.arrays import ArrayInput


@dataclass(frozen=True, slots=True)
class Copies:
    """The values at one path: `column` is null where the row has none that fits.

    `is_all`: all other rows have null there, or nothing. `has_dots`: some object on the way has a key with a dot, or
    cannot be read, so that the path's name with dots may mean another path in some row.
    """

    column: pa.Array
    is_all: bool
    has_dots: bool


class _Request(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("attributes", ArrayInput),
        ("messages", ArrayInput),
        ("paths", ctypes.POINTER(AskedKey)),
        ("path_count", ctypes.c_int64),
    )


_nested: Final = kernel(
    "kernel_attributes_nested", ctypes.POINTER(_Request), ctypes.POINTER(TypedColumn), ctypes.POINTER(ctypes.c_int64)
)


def copies(attributes: pa.StringArray, paths: Sequence[tuple[Path, Kind]], messages: pa.StringArray) -> list[Copies]:
    """The values at paths of two keys or more. Empty attributes are the message's text."""
    if not paths:
        return []
    rows, texts = len(attributes), KeyTexts()
    asked = [texts.key(PATH_SEPARATOR.join(path), kind) for path, kind in paths]
    request = _Request(rows, ArrayInput.of(attributes), ArrayInput.of(messages), c_array(AskedKey, asked), len(asked))
    columns, has_dots = (TypedColumn * len(paths))(), (ctypes.c_int64 * len(paths))()
    check(_nested(ctypes.byref(request), columns, has_dots))
    return [
        Copies(column.to_array(kind, rows), not column.in_rest, bool(dots))
        for column, dots, (_, kind) in zip(columns, has_dots, paths, strict=True)
    ]
