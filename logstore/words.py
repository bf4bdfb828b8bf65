"""Words of a text: runs of letters, digits (Unicode's categories L and N) and `_`."""

import ctypes
from collections.abc import Collection, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.native import address_of, kernel, text_addresses

_is_word_character = kernel("kernel_is_word_character", ctypes.c_uint32, is_short=True)
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


class _Texts(ctypes.Structure):
    """`struct texts`."""

    _fields_ = (("content", ctypes.c_void_p), ("offsets", ctypes.c_void_p), ("rows", ctypes.c_int64))


_may_stand = kernel(
    "kernel_words_may_stand",
    ctypes.POINTER(_Texts),
    ctypes.c_int64,
    ctypes.c_char_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
)


def is_word_character(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character == "_"
    return bool(_is_word_character(ord(character)))


def stands_free(texts: pa.StringArray, needle: str, *, is_prefix: bool = False) -> npt.NDArray[np.bool_]:
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
            address_of(found),
        )
    return found.view(np.bool_)


def may_hold(texts: pa.ChunkedArray, alternatives: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which texts may have one of these words, given in lower case, whatever the case of their letters; a text that has
    one is never missed. Null texts count as empty."""
    if not all(word.isascii() for word in alternatives):
        return np.ones(len(texts), np.bool_)
    chunks = [chunk for chunk in texts.chunks if len(chunk)]
    ends = np.array([0, *accumulate(map(len, alternatives))], np.int32)
    words = "".join(alternatives).encode()
    found = np.zeros(len(texts), np.bool_)
    _may_stand(_described(chunks), len(chunks), words, address_of(ends), len(alternatives), address_of(found))
    return found


def _described(chunks: Sequence[pa.StringArray]) -> "ctypes.Array[_Texts]":
    addresses = map(text_addresses, chunks)
    described = (_Texts(text, offsets, len(chunk)) for (offsets, text), chunk in zip(addresses, chunks, strict=True))
    return (_Texts * len(chunks))(*described)
