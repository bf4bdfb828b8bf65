"""Arrow arrays in memory, as kernels are given them and as numpy sees them.

For what a short question does with each piece that it reads: a call of pyarrow takes a microsecond or some hundred, and
lets go of the GIL two to eight times.
"""

import ctypes
from collections.abc import Collection
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logstore.native import KERNEL_OK, address_of, kernel

_WANTED_MAX: Final = 16
"""More words are looked for by pyarrow."""

_is_one_of: Final = kernel(
    "kernel_is_one_of", ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
)


class ArrayInput(ctypes.Structure):
    """`struct array_input` of logstore/native/attributes.h: where the column's first row stands in memory; valid while
    the column lives."""

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


_has_one: Final = kernel(
    "kernel_has_one_of",
    ctypes.c_void_p,
    ctypes.c_int64,
    *(ctypes.POINTER(ArrayInput), ctypes.c_int64),
    *(ctypes.POINTER(ArrayInput), ctypes.c_int64),
    ctypes.c_void_p,
    is_short=True,
)


def int64s(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int64]:
    """The values of a column of 64-bit integers or times without nulls; where it is one piece, without a copy."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    values = [np.frombuffer(one.buffers()[1], np.int64, len(one), 8 * one.offset) for one in chunks if len(one)]
    return values[0] if len(values) == 1 else np.concatenate([np.zeros(0, np.int64), *values])


def is_one_of(values: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the values are among those wanted."""
    values, wanted = np.ascontiguousarray(values), np.ascontiguousarray(wanted)
    found = np.zeros(len(values), np.bool_)
    if _is_one_of(address_of(values), len(values), address_of(wanted), len(wanted), address_of(found)) != KERNEL_OK:
        raise MemoryError("is_one_of")
    return found


def has_one_of(column: pa.ChunkedArray, words: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which texts of a column, with or without a dictionary, are among the words; null is not."""
    wanted = pa.array(list(words), pa.string())
    found = [_has_one_of(chunk, wanted) for chunk in column.chunks]
    return np.concatenate([np.zeros(0, np.bool_), *found])


def _has_one_of(chunk: pa.Array, wanted: pa.StringArray) -> npt.NDArray[np.bool_]:
    is_encoded = chunk.type == pa.dictionary(pa.int32(), pa.string())
    if not is_encoded or chunk.null_count or len(wanted) > _WANTED_MAX:
        among: npt.NDArray[np.bool_] = pc.is_in(chunk, value_set=wanted).to_numpy(False)
        return among
    indices, dictionary = chunk.indices, chunk.dictionary
    codes = indices.buffers()[1].address + 4 * indices.offset
    texts = (ctypes.byref(ArrayInput.of(dictionary)), len(dictionary), ctypes.byref(ArrayInput.of(wanted)), len(wanted))
    found = np.zeros(len(chunk), np.bool_)
    if _has_one(codes, len(chunk), *texts, address_of(found)) != KERNEL_OK:
        raise MemoryError("has_one_of")
    return found


def repeated(word: str, rows: int) -> pa.StringArray:
    """A column of the same text."""
    text = word.encode()
    offsets = np.arange(rows + 1, dtype=np.int32) * len(text)
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(text * rows)])
