"""Token filters: for each row group, which words may be in it. A word of a group is never missed.

A group's filter holds all words of its messages, of the keys and values of its attributes, and of further columns.
Letters of either case are one, and all characters beyond ASCII are one, so that a search that ignores case misses
nothing either. `NESTED` is held if some attribute may be an object or a list, whose text, when it is searched, has
other words: keys, and what stands next to an escape. Of attributes that equal an integer and are not written as its
digits (`4.711e3`, "04711"), the digits are held as well; `LARGE` is held in their place if one with a fraction or an
exponent may equal integers of more than 15 digits. Four numbers in a row as in "10.0.0.7" are held as one, too,
wherever words are (logstore/native/addresses.h). Of the words that a filter does not hold 0.03 % are taken for held.
It is a binary fuse filter (logstore/native/fuse.h) of the hashes of logstore/native/word_hash.h; segments of before
have split-block Bloom filters as in Parquet's specification, which are told by their size, a multiple of 32 bytes.
Building needs about 90 bytes a distinct word of one group.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.native import KERNEL_OK, ColumnBuffer, address_of, kernel
from logstore.order import Ints
from logstore.templates import NO_ENTRIES, Entries, FindResult, check_secret

WITH_NUMBERS: Final = 1
WITH_ADDRESSES: Final = 2
WITH_ALL_WORDS: Final = 3
VERSION: Final = 3
"""What filters hold: those of version 0 have numbers as they are written alone, no addresses, and of messages only the
words that have an ASCII digit."""
NESTED: Final = "{"
LARGE: Final = "+"


@dataclass(frozen=True, slots=True)
class Filters:
    """One filter after the other; `offsets` tells in bytes where each begins, and the end."""

    offsets: Ints
    content: bytes


class _Column(ctypes.Structure):
    _fields_ = (
        ("offsets", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("validity_at", ctypes.c_int64),
    )


class _Request(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("columns", ctypes.POINTER(_Column)),
        ("columns_count", ctypes.c_int64),
        ("ends", ctypes.c_void_p),
        ("groups", ctypes.c_int64),
        ("secret", ctypes.c_char_p),
    )


class _Result(ctypes.Structure):
    _fields_ = (("offsets", ColumnBuffer), ("content", ColumnBuffer), ("templates", FindResult))


_build: Final = kernel("kernel_tokens_build", ctypes.POINTER(_Request), ctypes.POINTER(_Result))
_hash: Final = kernel(
    "kernel_token_hash", ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64), is_short=True
)
_may_hold: Final = kernel(
    "kernel_tokens_may_hold",
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
)


def build(
    messages: pa.StringArray,
    attributes: pa.StringArray,
    others: Sequence[pa.StringArray],
    ends: Ints,
    secret: bytes,
) -> tuple[Filters, Entries]:
    """The filters of the groups of rows that end before the rows `ends`, which ascend to the number of rows; and the
    messages' templates, found by the same pass over their words (see `templates.find`).

    `attributes` are JSON objects, empty where that is the message; they and `others`, which are values, may be null.
    """
    check_secret(secret)
    rows = len(messages)
    texts = (messages, attributes, *others)
    ends = np.ascontiguousarray(ends, np.int64)
    if any(len(column) != rows for column in texts) or np.any(np.diff(ends, prepend=0, append=rows) < 0):
        raise ValueError(f"groups that end at {ends} of columns of {[len(column) for column in texts]} rows")
    if not rows:
        return Filters(np.zeros(len(ends) + 1, np.int64), b""), NO_ENTRIES
    columns = (_Column * len(texts))(*map(_column, texts))
    request = _Request(rows, columns, len(texts), address_of(ends), len(ends), secret)
    result = _Result()
    if _build(ctypes.byref(request), ctypes.byref(result)) != KERNEL_OK:
        raise MemoryError("token filters")
    filters = Filters(np.frombuffer(result.offsets.take_bytes(), np.int64), result.content.take_bytes())
    return filters, result.templates.take()


def may_hold(content: bytes | memoryview | int, offsets: Ints, words: Sequence[str]) -> npt.NDArray[np.bool_]:
    """For each group, whether all the words, each taken whole, may be in it.

    `content` is what the offsets count from: a buffer, or its address in memory.
    """
    if not isinstance(content, int):
        content = memoryview(content)
        if len(offsets) > 1 and offsets[-1] > content.nbytes:
            raise ValueError(f"filters to byte {offsets[-1]} of {content.nbytes}")
    address = content if isinstance(content, int) else _address(content)
    return may_hold_at(address + offsets[:-1], np.diff(offsets), words)


def may_hold_at(addresses: Ints, sizes: Ints, words: Sequence[str]) -> npt.NDArray[np.bool_]:
    """`may_hold` of filters anywhere in memory, of `sizes` bytes."""
    addresses, sizes = np.ascontiguousarray(addresses, np.int64), np.ascontiguousarray(sizes, np.int64)
    held = np.ones(len(sizes), np.bool_)
    hashes = np.array([_hash_of(word) for word in words], np.uint64)
    _may_hold(address_of(addresses), address_of(sizes), len(sizes), address_of(hashes), len(hashes), address_of(held))
    return held


def _hash_of(word: str) -> int:
    content = word.encode()
    number = ctypes.c_uint64()
    if _hash(content, len(content), ctypes.byref(number)) != KERNEL_OK:
        raise MemoryError("token hash")
    return number.value


def _column(texts: pa.StringArray) -> _Column:
    validity, offsets, text = texts.buffers()
    return _Column(
        offsets.address + 4 * texts.offset,
        text.address if text else 0,
        validity.address if validity else 0,
        texts.offset,
    )


def _address(content: memoryview) -> int:
    """Where the buffer stands in memory."""
    return address_of(np.frombuffer(content, np.uint8)) if content.nbytes else 0
