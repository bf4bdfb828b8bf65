"""Arrow arrays as kernels are given them. Mirrors `struct array_input` of logstore/native/attributes.h."""

import ctypes
from typing import Self

import pyarrow as pa


class ArrayInput(ctypes.Structure):
    """Where the column's first row stands in memory; valid while the column lives."""

    _fields_ = (
        ("validity", ctypes.c_void_p),
        ("at", ctypes.c_int64),
        ("values", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
    )

    @classmethod
    def of(cls, column: pa.Array) -> Self:
        """Of texts, booleans, or numbers of 64 bits."""
        validity, values, *text = (buffer.address if buffer else 0 for buffer in column.buffers())
        width = {pa.string(): 4, pa.bool_(): 0}.get(column.type, 8)
        return cls(validity, column.offset, values + width * column.offset, *text)
