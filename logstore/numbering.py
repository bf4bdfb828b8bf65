"""Small numbers for the templates of many indexes, so that what a condition says of one is worked out once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.order import Ints

TEXTS_MAX_BYTES: Final = 32 << 20
"""Texts of templates that are numbered at once; past it all are numbered anew."""
_NO_INTS: Final = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of numbered templates; a text's position is its number."""

    generation: int
    version: int
    """Rises whenever `letters` of texts that were there already change."""
    chunks: tuple[pa.StringArray, ...]
    ids: Ints
    letters: Ints
    """Of each, the letters that words have which are wildcards in it, in any segment."""


class Numbering:
    """Not safe in several threads at once."""

    def __init__(self) -> None:
        self._texts = Texts(0, 0, (), _NO_INTS, _NO_INTS)
        self._text_bytes = 0
        self._sorted = _NO_INTS
        """The ids that are numbered."""
        self._numbers = np.zeros(0, np.int32)
        """Their numbers."""

    @property
    def generation(self) -> int:
        """Rises when all are numbered anew; numbers of an earlier one mean nothing any more."""
        return self._texts.generation

    @property
    def texts(self) -> Texts:
        return self._texts

    @property
    def text_bytes(self) -> int:
        """What these texts take; at most `TEXTS_MAX_BYTES`, or one index's."""
        return self._text_bytes

    def number(self, ids: Ints, texts: pa.StringArray, letters: Ints) -> npt.NDArray[np.int32]:
        """The numbers of an index's templates; no two of their ids are the same."""
        if self._text_bytes + texts.nbytes > TEXTS_MAX_BYTES and len(self._sorted):
            self._start_anew()
        places = np.searchsorted(self._sorted, ids)
        is_known = places < len(self._sorted)
        is_known[is_known] = self._sorted[places[is_known]] == ids[is_known]
        numbers = np.empty(len(ids), np.int32)
        numbers[is_known] = self._numbers[places[is_known]]
        self._widen(numbers[is_known], letters[is_known])
        new = np.flatnonzero(~is_known)
        if len(new):
            numbers[new] = np.arange(len(self._sorted), len(self._sorted) + len(new))
            self._find_by_id(ids[new], numbers[new], places[new])
            self._keep(ids[new], texts.take(pa.array(new)), letters[new])
        return numbers

    def _widen(self, numbers: npt.NDArray[np.int32], letters: Ints) -> None:
        old = self._texts
        widened = old.letters[numbers] | letters
        if np.array_equal(widened, old.letters[numbers]):
            return
        all_letters = old.letters.copy()
        all_letters[numbers] = widened
        self._texts = Texts(old.generation, old.version + 1, old.chunks, old.ids, all_letters)

    def _find_by_id(self, ids: Ints, numbers: npt.NDArray[np.int32], places: Ints) -> None:
        order = np.argsort(ids)
        self._sorted = np.insert(self._sorted, places[order], ids[order])
        self._numbers = np.insert(self._numbers, places[order], numbers[order])

    def _keep(self, ids: Ints, texts: pa.StringArray, letters: Ints) -> None:
        old = self._texts
        all_ids, all_letters = np.concatenate((old.ids, ids)), np.concatenate((old.letters, letters))
        self._texts = Texts(old.generation, old.version, (*old.chunks, texts), all_ids, all_letters)
        self._text_bytes += texts.nbytes

    def _start_anew(self) -> None:
        self._texts = Texts(self._texts.generation + 1, self._texts.version, (), _NO_INTS, _NO_INTS)
        self._sorted, self._numbers, self._text_bytes = _NO_INTS, np.zeros(0, np.int32), 0
