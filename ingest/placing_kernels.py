"""The C kernels that find rows that are alike, and make columns of what is known of them. Mirrors
logstore/native/placing.c."""

import ctypes
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from logstore.native import KERNEL_OK, kernel

Codes = np.ndarray[Any, np.dtype[np.int32]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


class _CodeColumn(ctypes.Structure):
    _fields_ = (("codes", ctypes.c_void_p), ("validity", ctypes.c_void_p), ("at", ctypes.c_int64))


_rows_alike: Final = kernel(
    "kernel_rows_alike",
    ctypes.POINTER(_CodeColumn),
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_int64),
)
_take_words: Final = kernel(
    "kernel_take_words",
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


def rows_alike(columns: Sequence[pa.Int32Array], rows: int) -> tuple[Rows, Codes]:
    """The first row of each group of rows that have the same codes, and the group of each row."""
    structs = (_CodeColumn * len(columns))(*map(_code_column, columns))
    which, first, count = np.empty(rows, np.int32), np.empty(rows, np.int64), ctypes.c_int64()
    _check(
        _rows_alike(structs, len(columns), rows, which.ctypes.data, first.ctypes.data, ctypes.byref(count)),
    )
    return first[: count.value], which


def take_words(columns: Rows, places: Codes, which: Codes) -> tuple[bytes, pa.Buffer]:
    """Of some columns of words those of rows, of each of which `which` tells the place among `places`. `columns` has
    for each the address of all places' codes, and how many words there are.

    Returns for each column, one after the other, a byte for each word that tells whether it is used; and the rows'
    codes among those that are.
    """
    is_used = ctypes.create_string_buffer(int(columns[:, 1].sum()))
    taken = pa.allocate_buffer(4 * len(which) * len(columns))
    _check(
        _take_words(
            columns.ctypes.data,
            len(columns),
            places.ctypes.data,
            len(places),
            which.ctypes.data,
            len(which),
            is_used,
            taken.address,
        )
    )
    return is_used.raw, taken


def _code_column(codes: pa.Int32Array) -> _CodeColumn:
    validity, values = codes.buffers()
    return _CodeColumn(values.address + 4 * codes.offset, validity.address if validity else None, codes.offset)


def _check(status: int) -> None:
    if status != KERNEL_OK:
        raise MemoryError("placing")
