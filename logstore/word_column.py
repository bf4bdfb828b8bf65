"""A column of words that come again and again, as their codes in one dictionary."""

import ctypes
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logstore.native import KERNEL_OK, address_of, kernel
from logstore.record import WORD

_take: Final = kernel(
    "kernel_take_codes",
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
)


@dataclass(frozen=True, slots=True)
class WordColumn:
    """`codes` are the rows' positions in `words`; of a null, the number of words."""

    words: pa.StringArray
    codes: npt.NDArray[np.int32]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """Of a dictionary column, in any number of chunks with a dictionary each."""
        if column.null_count == len(column):
            return cls(pa.array([], column.type.value_type), np.zeros(len(column), np.int32))
        unified = column.unify_dictionaries()
        words = unified.chunk(0).dictionary
        return cls(words, np.concatenate([codes_or(chunk, len(words)) for chunk in unified.chunks]))

    def ranks(self) -> npt.NDArray[np.int64]:
        """A number for each row that sorts as its word does (by code point); null sorts first, as the empty text."""
        order = pc.array_sort_indices(self.words).to_numpy()
        ranks = np.empty(len(self.words) + 1, np.int64)
        ranks[order] = np.arange(1, len(self.words) + 1)
        ranks[-1] = 0
        empty = pc.index(self.words, "").as_py()
        if empty >= 0:
            ranks[empty] = 0
        of_rows: npt.NDArray[np.int64] = ranks[self.codes]
        return of_rows

    def take(self, rows: npt.NDArray[np.int64]) -> pa.DictionaryArray:
        """These rows, in this order, and the words that they have."""
        if not len(self.words):
            return pa.nulls(len(rows), WORD)
        rows = np.ascontiguousarray(rows, np.int64)
        missing = len(self.words)
        taken = np.empty(len(rows), np.int32)
        is_used = np.zeros(missing + 1, np.bool_)
        status = _take(
            address_of(self.codes), address_of(rows), len(rows), address_of(is_used), missing + 1, address_of(taken)
        )
        if status != KERNEL_OK:
            raise MemoryError("take")
        has_all = is_used[:missing].all()
        words = self.words if has_all else self.words.filter(pa.array(is_used[:missing]))
        nulls = taken == len(words) if is_used[missing] else None
        return pa.DictionaryArray.from_arrays(pa.array(taken, mask=nulls), words, safe=False)


def codes_or(column: pa.DictionaryArray, missing: int) -> npt.NDArray[np.int32]:
    """The dictionary's codes of the column, and `missing` for a null: equal values are equal codes."""
    indices = column.indices.fill_null(missing) if column.null_count else column.indices
    codes: npt.NDArray[np.int32] = indices.to_numpy()
    return codes
