"""Tests and changes of columns of texts, for rules: bounded by the bytes of the column."""

import ctypes
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ingest.lines_kernels import Mask, TextInput, text_input
from logstore.native import KERNEL_OK, ColumnBuffer, TextColumn, address_of, kernel

_mask_cards: Final = kernel(
    "kernel_mask_cards",
    ctypes.c_int64,
    ctypes.POINTER(TextInput),
    ctypes.c_char_p,
    ctypes.c_int64,
    ctypes.POINTER(TextColumn),
    ctypes.POINTER(ctypes.c_int64),
)
_parse_access: Final = kernel(
    "kernel_parse_access",
    ctypes.c_int64,
    ctypes.POINTER(TextInput),
    ctypes.POINTER(TextInput),
    ctypes.c_void_p,
    ctypes.POINTER(TextColumn),
    ctypes.POINTER(ColumnBuffer),
)
_lasting_hashes: Final = kernel("kernel_lasting_hashes", ctypes.c_int64, ctypes.POINTER(TextInput), ctypes.c_void_p)


def mask_cards(texts: pa.StringArray, mask: str) -> pa.StringArray:
    """The texts with `mask`, at most 13 bytes, for each payment card number; the same array where there is none."""
    result, count = TextColumn(), ctypes.c_int64()
    wanted = mask.encode()
    _check(
        _mask_cards(
            len(texts),
            ctypes.byref(text_input(texts)),
            wanted,
            len(wanted),
            ctypes.byref(result),
            ctypes.byref(count),
        )
    )
    return result.to_array(len(texts)) if count.value else texts


def parse_access(messages: pa.StringArray, attributes: pa.StringArray, chosen: Mask) -> tuple[pa.StringArray, Mask]:
    """The attributes with what the chosen messages say as access logs, and which of them are such.

    Common Log Format or `combined`: `client`, `user`, `method`, `path`, `protocol`, `status` and `bytes` (numbers),
    `referer`, `user_agent`; `vhost` if one stands before the client; `request` where it is none of HTTP. What is `-` is
    left out, and keys that are there already stay.
    """
    result, parsed = TextColumn(), ColumnBuffer()
    wanted = np.ascontiguousarray(chosen)
    _check(
        _parse_access(
            len(messages),
            ctypes.byref(text_input(messages)),
            ctypes.byref(text_input(attributes)),
            address_of(wanted),
            ctypes.byref(result),
            ctypes.byref(parsed),
        )
    )
    return result.to_array(len(messages)), np.frombuffer(parsed.take(), np.bool_)


def lasting_hashes(
    texts: pa.StringArray, starts: np.ndarray[Any, np.dtype[np.uint64]]
) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Of each text, starting from a number: the same in every process."""
    hashes = np.array(starts, np.uint64)
    _check(_lasting_hashes(len(texts), ctypes.byref(text_input(texts)), address_of(hashes)))
    return hashes


def _check(status: int) -> None:
    if status != KERNEL_OK:
        raise MemoryError("rules")
