"""Words of a text: runs of letters, digits (Unicode's categories L and N) and `_`."""

import ctypes
from collections.abc import Collection, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.native import address_of, kernel, text_addresses

_is_word_character = kernel("kernel_is_word_character", ctypes.c_uint32, is_short=True)


class _Texts(ctypes.Structure):
    """`struct texts`."""

    _fields_ = (("content", ctypes.c_void_p), ("offsets", ctypes.c_void_p), ("rows", ctypes.c_int64))


_phrase_stands = kernel(
    "kernel_phrase_stands",
    ctypes.POINTER(_Texts),
    ctypes.c_char_p,
    ctypes.c_int64,
    ctypes.c_int32,
    ctypes.c_int32,
    ctypes.c_void_p,
    is_short=True,
)
_words_stand = kernel(
    "kernel_words_stand",
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


def stands_free(texts: pa.StringArray, phrase: str, *, is_prefix: bool = False) -> npt.NDArray[np.bool_]:
    """For each text, whether `phrase`, in lower case and not empty, is in it, whatever the case of its letters there,
    and neither begins nor, unless it is a prefix, ends inside a word. For a phrase that is not all of ASCII the texts
    have to be in lower case. Null texts count as empty."""
    found = np.zeros(len(texts), np.bool_)
    if len(texts):
        wanted = phrase.encode()
        begins, ends = is_word_character(phrase[0]), is_word_character(phrase[-1]) and not is_prefix
        _phrase_stands(_described([texts]), wanted, len(wanted), begins, ends, address_of(found))
    return found


def may_hold(texts: pa.ChunkedArray, alternatives: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which texts may have one of these words, given in lower case, whatever the case of their letters; a text that has
    one is never missed. Null texts count as empty."""
    if not all(word.isascii() for word in alternatives):
        return np.ones(len(texts), np.bool_)
    chunks = [chunk for chunk in texts.chunks if len(chunk)]
    ends = np.array([0, *accumulate(map(len, alternatives))], np.int32)
    words = "".join(alternatives).encode()
    found = np.zeros(len(texts), np.bool_)
    _words_stand(_described(chunks), len(chunks), words, address_of(ends), len(alternatives), address_of(found))
    return found


def _described(chunks: Sequence[pa.StringArray]) -> "ctypes.Array[_Texts]":
    addresses = map(text_addresses, chunks)
    described = (_Texts(text, offsets, len(chunk)) for (offsets, text), chunk in zip(addresses, chunks, strict=True))
    return (_Texts * len(chunks))(*described)
