"""What records have to have that are wanted, as far as their columns tell it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.native.arrays import has_one_of
from logstore.words import may_hold


@dataclass(frozen=True, slots=True)
class Wanted:
    """What all records have that are wanted: one of these values in each of these columns of identity, and of each of
    these sets of words (logstore/words.py) one in the message."""

    identity: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: tuple[frozenset[str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.identity or self.words)

    def mask(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """The records that may be wanted, by those of the columns that the table has."""
        mask = self.has_identity(table)
        if self.words and "message" in table.column_names:
            mask &= self.has_words(table["message"])
        return mask

    def has_identity(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """By those of the columns of identity that the table has."""
        mask = np.ones(table.num_rows, np.bool_)
        for name in self.identity.keys() & set(table.column_names):
            mask &= has_one_of(table[name], self.identity[name])
        return mask

    def has_words(self, messages: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        mask: npt.NDArray[np.bool_] = np.logical_and.reduce([may_hold(messages, words) for words in self.words])
        return mask


EVERYTHING: Final = Wanted()
