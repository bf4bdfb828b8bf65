"""Words of a text: runs of letters, digits (Unicode's categories L and N) and `_`."""

import ctypes
from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logstore.native import kernel

_is_word_character = kernel("kernel_is_word_character", ctypes.c_uint32)
_stands_free = kernel(
    "kernel_stands_free",
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_char_p,
    ctypes.c_int64,
    ctypes.c_int32,
    ctypes.c_int32,
    ctypes.c_void_p,
)

_LOWER_OF_OTHERS = frozenset("ik")
"""What a letter beyond ASCII may be in lower case: those of a dotted capital I, and of the sign for kelvin."""


def is_word_character(character: str) -> bool:
    return bool(_is_word_character(ord(character)))


def stands_free(texts: pa.StringArray, needle: str, *, is_prefix: bool = False) -> pa.BooleanArray:
    """For each text, whether `needle` (not empty) is in it and neither begins nor, unless it is a prefix, ends inside
    a word. Case counts. Null texts count as empty."""
    found = np.zeros(len(texts), dtype=np.uint8)
    _, offsets, content = texts.buffers()
    if len(texts) and content is not None:
        wanted = needle.encode()
        _stands_free(
            content.address,
            offsets.address + 4 * texts.offset,
            len(texts),
            wanted,
            len(wanted),
            is_word_character(needle[0]),
            is_word_character(needle[-1]) and not is_prefix,
            found.ctypes.data,
        )
    return pa.array(found.view(np.bool_))


def may_hold(texts: pa.StringArray, alternatives: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which texts may have one of these words, given in lower case, whatever the case of their letters; a text that has
    one is never missed. Null texts count as empty."""
    found = np.zeros(len(texts), np.bool_)
    if not all(word.isascii() for word in alternatives):
        return ~found
    folded = pc.ascii_lower(texts)
    for word in alternatives:
        found |= stands_free(folded, word).to_numpy(zero_copy_only=False)
    if any(not _LOWER_OF_OTHERS.isdisjoint(word) for word in alternatives):
        found |= pc.fill_null(pc.invert(pc.string_is_ascii(texts)), False).to_numpy(zero_copy_only=False)
    return found
