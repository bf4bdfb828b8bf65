"""Counts of a segment's records by the values of some of their columns, for questions that only count: so many records
of a minute, or of a container, that have the same stream and severity are one row, a *cell*.

A cell is like a record that stands for `WEIGHT` of them. Of its time only the minute counts; that of a cell lies
within those of the segment's records, so that what is so of all their times is so of the cell's.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.gather import codes_or
from logstore.order import Ints, refined
from logstore.record import STORED

WEIGHT: Final = "weight"
MINUTE_NS: Final = 60 * 1_000_000_000
CELLS_FEW: Final = 256
ROWS_PER_CELL: Final = 8
"""Past the former, a segment has at most one cell for so many records, or none: more would save too little."""
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


def count(table: pa.Table, by: By) -> pa.RecordBatch | None:
    """The cells of records, whose columns have one chunk each; None where they are too many."""
    rows, weights = _runs(_keys(table, by), None)
    if len(rows) > max(CELLS_FEW, table.num_rows // ROWS_PER_CELL):
        return None
    return _cells(table, by, rows, weights)


def merge(each: Sequence[pa.RecordBatch | None], by: By) -> pa.RecordBatch | None:
    """The cells of all these records together; None where those of some are not known."""
    known = [one for one in each if one is not None]
    if len(known) < len(each):
        return None
    table = pa.Table.from_batches(known).unify_dictionaries().combine_chunks()
    return _cells(table, by, *_runs(_keys(table, by), table[WEIGHT].to_numpy()))


def _keys(table: pa.Table, by: By) -> Ints:
    """A number for each row; rows of one cell have the same."""
    keys = np.zeros(table.num_rows, np.int64)
    for name in by.columns:
        keys = refined(keys, _minutes(table) if name == "time" else _codes(table, name))
    return keys


def _minutes(table: pa.Table) -> Ints:
    minutes: Ints = table["time"].cast(pa.int64()).to_numpy() // MINUTE_NS
    minutes -= minutes.min()
    return minutes


def _codes(table: pa.Table, name: str) -> Ints:
    column = table[name].chunk(0)
    return codes_or(column, len(column.dictionary)).astype(np.int64)


def _runs(keys: Ints, weights: Ints | None) -> tuple[Ints, Ints]:
    """A row of each key, in the keys' order, and the weight of all its rows (without weights, their number)."""
    size = int(keys.max(initial=0)) + 1
    if size > _DENSE * len(keys):
        _, keys = np.unique(keys, return_inverse=True)
        size = int(keys.max(initial=0)) + 1
    counts = np.bincount(keys, minlength=size)
    some = np.zeros(size, np.int64)
    some[keys] = np.arange(len(keys))
    present = np.flatnonzero(counts)
    # Sums of weights are exact in float64: they are numbers of records.
    sums = counts if weights is None else np.bincount(keys, weights, size).astype(np.int64)
    return some[present], sums[present]


def _cells(table: pa.Table, by: By, rows: Ints, weights: Ints) -> pa.RecordBatch:
    places = pa.array(rows)
    columns = [_times(table, rows) if name == "time" else table[name].chunk(0).take(places) for name in by.columns]
    return pa.RecordBatch.from_arrays([*columns, pa.array(weights)], schema=schema(by))


def _times(table: pa.Table, rows: Ints) -> pa.Array:
    """The minutes' starts, none before the first record."""
    times = table["time"].cast(pa.int64()).to_numpy()
    return pa.array(np.maximum(times[rows] // MINUTE_NS * MINUTE_NS, times.min())).cast(STORED.field("time").type)
