"""Counts of a segment's records by the values of some of their columns, for questions that only count: so many records
of a minute, or of a container, that have the same stream and severity are one row, a *cell*.

A cell is like a record that stands for `WEIGHT` of them. Of its time only the minute counts; that of a cell lies
within those of the segment's records, so that what is so of all their times is so of the cell's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from math import prod
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.native.arrays import int64s
from logstore.order import Ints
from logstore.record import STORED

WEIGHT: Final = "weight"
MINUTE_NS: Final = 60 * 1_000_000_000
CELLS_FEW: Final = 256
ROWS_PER_CELL: Final = 8
"""Past the former, a segment has at most one cell for so many records, or none: more would save too little."""
_SIZE_MAX: Final = 1 << 62
_DENSE: Final = 16
"""Numbers are counted in an array of all there might be, if these are not more than so many times the rows."""


class By(StrEnum):
    """The columns that cells are told apart by."""

    TIME = "cells_by_time"
    CONTAINER = "cells_by_container"

    @property
    def columns(self) -> tuple[str, ...]:
        return ("time", *_SHARED) if self is By.TIME else ("pod", "container", *_SHARED)


_SHARED: Final = ("stream", "severity")


def schema(by: By) -> pa.Schema:
    return pa.schema([*(STORED.field(name) for name in by.columns), pa.field(WEIGHT, pa.int64(), nullable=False)])


def count(table: pa.Table) -> dict[By, pa.RecordBatch]:
    """The cells of records, whose columns have one chunk each; without those that are too many."""
    shared = _Keys.of(table, _SHARED)
    at_most = max(CELLS_FEW, table.num_rows // ROWS_PER_CELL)
    keys = {by: _Keys.of(table, by.columns[: -len(_SHARED)]).then(shared) for by in By}
    found = {by: of.cells(by, None) for by, of in keys.items() if of.size <= _SIZE_MAX}
    return {by: cells for by, cells in found.items() if cells.num_rows <= at_most}


def merge(each: Sequence[Mapping[By, pa.RecordBatch]]) -> dict[By, pa.RecordBatch]:
    """The cells of all these records together; without those that are not known of all."""
    found = {}
    for by in By:
        known = [one[by] for one in each if by in one]
        if len(known) == len(each):
            table = pa.Table.from_batches(known).unify_dictionaries().combine_chunks()
            keys = _Keys.of(table, by.columns)
            if keys.size <= _SIZE_MAX:
                found[by] = keys.cells(by, table[WEIGHT].to_numpy())
    return found


@dataclass(frozen=True, slots=True)
class _Column:
    """What the numbers of one column mean."""

    size: int
    values: Callable[[Ints], pa.Array]


@dataclass(frozen=True, slots=True)
class _Keys:
    """A number for each row; rows of one cell have the same. It is made of one for each column, of a `size`."""

    numbers: Ints
    columns: tuple[_Column, ...]

    @staticmethod
    def of(table: pa.Table, names: Sequence[str]) -> "_Keys":
        first, *others = (_minutes(table) if name == "time" else _words(table, name) for name in names)
        return reduce(_Keys.then, others, first)

    def then(self, finer: "_Keys") -> "_Keys":
        """By these columns, and then by others."""
        return _Keys(self.numbers * finer.size + finer.numbers, (*self.columns, *finer.columns))

    @property
    def size(self) -> int:
        """How many different numbers there could be; past `_SIZE_MAX` they may be wrong."""
        return prod(column.size for column in self.columns)

    def cells(self, by: By, weights: Ints | None) -> pa.RecordBatch:
        """The cells of rows, each of which stands for so many records, or for one."""
        present, sums = _sums(self.numbers, weights)
        found = []
        for column in reversed(self.columns):
            present, codes = np.divmod(present, column.size)
            found.append(column.values(codes))
        return pa.RecordBatch.from_arrays([*reversed(found), pa.array(sums)], schema=schema(by))


def _words(table: pa.Table, name: str) -> _Keys:
    column = table[name].chunk(0)
    words = column.dictionary

    def values(codes: Ints) -> pa.Array:
        return pa.DictionaryArray.from_arrays(codes.astype(np.int32), words)

    return _Keys(column.indices.to_numpy().astype(np.int64), (_Column(max(len(words), 1), values),))


def _minutes(table: pa.Table) -> _Keys:
    times = int64s(table["time"])
    minutes = times // MINUTE_NS
    first = minutes.min()
    minutes -= first

    def values(codes: Ints) -> pa.Array:
        """Where the minutes begin, but none before the first record."""
        return pa.array(np.maximum((codes + first) * MINUTE_NS, times.min())).cast(STORED.field("time").type)

    return _Keys(minutes, (_Column(int(minutes.max()) + 1, values),))


def _sums(keys: Ints, weights: Ints | None) -> tuple[Ints, Ints]:
    """The keys that there are, in order, and the weight of all rows of each (without weights, their number)."""
    if int(keys.max()) >= _DENSE * len(keys):
        present, keys = np.unique(keys, return_inverse=True)
        return present, _weights(keys, weights)
    sums = _weights(keys, weights)
    present = np.flatnonzero(sums)
    return present, sums[present]


def _weights(keys: Ints, weights: Ints | None) -> Ints:
    # Sums of weights are exact in float64: they are numbers of records.
    return np.bincount(keys, weights).astype(np.int64)
