"""Words of a text: runs of letters, digits (Unicode's categories L and N) and `_`."""

import ctypes
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.native import KERNEL_OK, address_of, kernel, text_addresses

_is_word_character = kernel("kernel_is_word_character", ctypes.c_uint32, is_short=True)


class _Texts(ctypes.Structure):
    """`struct texts`."""

    _fields_ = (("content", ctypes.c_void_p), ("offsets", ctypes.c_void_p), ("rows", ctypes.c_int64))


_PHRASE_STANDS: Final = (
    "kernel_phrase_stands",
    ctypes.POINTER(_Texts),
    ctypes.c_char_p,
    ctypes.c_int64,
    ctypes.c_int32,
    ctypes.c_int32,
    ctypes.c_void_p,
)
_phrase_stands = kernel(*_PHRASE_STANDS)
_phrase_stands_soon = kernel(*_PHRASE_STANDS, is_short=True)
_SOON_MAX_BYTES: Final = 2 << 20
_OF_WORDS: Final = (
    ctypes.POINTER(_Texts),
    ctypes.c_int64,
    ctypes.c_char_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
)
_words_stand = kernel("kernel_words_stand", *_OF_WORDS)
_word_of_set = kernel("kernel_word_of_set", *_OF_WORDS)
FEW: Final = 8
"""So many passes over texts take less than one over each of their words."""


def is_word_character(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character == "_"
    return bool(_is_word_character(ord(character)))


def stands_free(texts: pa.StringArray, phrase: str, *, is_prefix: bool = False) -> npt.NDArray[np.bool_]:
    """For each text, whether `phrase`, in lower case and not empty, is in it, whatever the case of its letters there,
    and neither begins nor, unless it is a prefix, ends inside a word. For a phrase that is not all of ASCII the texts
    have to be in lower case. None of the texts is null."""
    found = np.zeros(len(texts), np.bool_)
    if len(texts):
        wanted = phrase.encode()
        begins, ends = is_word_character(phrase[0]), is_word_character(phrase[-1]) and not is_prefix
        find = _phrase_stands_soon if texts.nbytes <= _SOON_MAX_BYTES else _phrase_stands
        if find(_described([texts]), wanted, len(wanted), begins, ends, address_of(found)) != KERNEL_OK:
            raise MemoryError("words")
    return found


def may_hold(texts: pa.ChunkedArray, alternatives: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which texts may have one of these words, given in lower case, whatever the case of their letters; a text that has
    one is never missed. None of the texts is null."""
    if not all(word.isascii() for word in alternatives):
        return np.ones(len(texts), np.bool_)
    return has_word([chunk for chunk in texts.chunks if len(chunk)], alternatives)


def has_word(chunks: Sequence[pa.StringArray], words: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which of the texts, none of these chunks without any, have one of the words, of ASCII in lower case, whatever the
    case of their letters. None of the texts is null."""
    ends = np.array([0, *accumulate(map(len, words))], np.int32)
    found = np.zeros(sum(map(len, chunks)), np.bool_)
    find = _words_stand if len(words) <= FEW else _word_of_set
    joined = "".join(words).encode()
    if find(_described(chunks), len(chunks), joined, address_of(ends), len(words), address_of(found)) != KERNEL_OK:
        raise MemoryError("words")
    return found


def _described(chunks: Sequence[pa.StringArray]) -> "ctypes.Array[_Texts]":
    addresses = map(text_addresses, chunks)
    described = (_Texts(text, offsets, len(chunk)) for (offsets, text), chunk in zip(addresses, chunks, strict=True))
    return (_Texts * len(chunks))(*described)
