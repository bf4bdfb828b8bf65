"""The order of records in segments.

A run (the records of one partition and window) is cut by time into slices of about equally many records, and each
slice is sorted by (pod, container, labels, time, `_seq`). So a slice holds each stream as one range of rows, and what
is newest lies in the last slices alone.
"""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.native import KERNEL_OK, address_of, kernel
from logstore.native.arrays import int64s
from logstore.record import DAY_NS, IDENTITY
from logstore.word_column import WordColumn

HOUR_NS: Final = 3_600 * 1_000_000_000
WIDE_WINDOW: Final = -1
ORDER: Final = ("slice", "pod", "container", "labels", "time", "_seq")
STREAM: Final = (*IDENTITY, "labels")

Ints = npt.NDArray[np.int64]

_sort: Final = kernel("kernel_sort", ctypes.POINTER(ctypes.c_void_p), ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)


def sorted_rows(*keys: Ints) -> Ints:
    """The rows in the order of their keys, of which the first counts most; equal rows keep their order."""
    keys = tuple(np.ascontiguousarray(key, np.int64) for key in keys)
    rows = np.empty(len(keys[0]), np.int64)
    addresses = (ctypes.c_void_p * len(keys))(*(address_of(key) for key in keys))
    if _sort(addresses, len(keys), len(rows), address_of(rows)) != KERNEL_OK:
        raise MemoryError("sort")
    return rows


def hour_of(times_ns: Ints) -> Ints:
    """The start of the hour that each time lies in."""
    return times_ns // HOUR_NS * HOUR_NS


def refined(ranks: Ints, finer: Ints) -> Ints:
    """Ranks by the first, and where that is equal by the second."""
    width = int(finer.max(initial=0)) + 1
    if int(ranks.max(initial=0)) >= np.iinfo(np.int64).max // (width + 1):
        ranks = np.unique(ranks, return_inverse=True)[1].astype(np.int64)
    return ranks * width + finer


@dataclass(frozen=True, slots=True)
class Run:
    """Records that go to one partition and window: their rows in a table, in the order of the segment."""

    rows: Ints
    window_ns: int


def runs(
    table: pa.Table, words: Mapping[str, WordColumn], max_windows: int, slice_rows: int, max_rows: int | None = None
) -> list[Run]:
    """How records are sorted into partition-windows; `words` are the table's columns of words. A partition-window of
    more than `max_rows` is several runs, one after the other in time.

    A window is a day. Past `max_windows` runs it is everything: such runs have `WIDE_WINDOW`.
    Slices are of about `slice_rows` records: `even_rows`.
    """
    if table.num_rows == 0:
        return []
    partitions = refined(words["cluster"].ranks(), words["namespace"].ranks())
    times = int64s(table["time"])
    places = _places(partitions, times)
    is_wide = _count_distinct(places) > max_windows
    if is_wide:
        places = partitions
    by_time = sorted_rows(places, times, table["_seq"].to_numpy())
    starts = run_starts(places[by_time])
    if max_rows is not None:
        starts = _cut(starts, table.num_rows, max_rows)
    lengths = np.diff(np.append(starts, table.num_rows))
    streams = partitions
    for column in STREAM[2:]:
        streams = refined(streams, words[column].ranks())
    order = by_time[sorted_rows(_slices(lengths, slice_rows), streams[by_time])]
    return [
        Run(rows, WIDE_WINDOW if is_wide else int(times[rows[0]]) // DAY_NS * DAY_NS)
        for rows in np.split(order, starts[1:])
    ]


def _places(partitions: Ints, times_ns: Ints) -> Ints:
    """A number for each record's partition and day."""
    days = times_ns // DAY_NS
    return refined(partitions, days - days.min())


def _cut(starts: Ints, rows: int, max_rows: int) -> Ints:
    """With more starts, so that no run has more than so many rows, and those of one that is cut are alike."""
    ends = np.append(starts[1:], rows)
    steps = -(-(ends - starts) // -(-(ends - starts) // max_rows))
    return np.concatenate([np.arange(*each) for each in zip(starts, ends, steps, strict=True)])


def even_rows(rows: int, about: int) -> int:
    """Records of each part but the last of so many rows, where all parts shall be alike, and near `about`."""
    return -(-rows // max(1, round(rows / about)))


def _slices(lengths: Ints, slice_rows: int) -> Ints:
    """A number for each row that rises from slice to slice and from run to run."""
    sizes = np.array([even_rows(int(rows), slice_rows) for rows in lengths])
    before = np.cumsum(lengths) - lengths
    counts = -(-lengths // sizes)
    firsts = np.cumsum(counts) - counts
    within = np.arange(int(lengths.sum())) - np.repeat(before, lengths)
    slices: Ints = np.repeat(firsts, lengths) + within // np.repeat(sizes, lengths)
    return slices


def _count_distinct(numbers: Ints) -> int:
    """How many different numbers there are, none of them negative."""
    if int(numbers.max(initial=0)) <= len(numbers):
        return int(np.count_nonzero(np.bincount(numbers)))
    return len(np.unique(numbers))


def run_starts(*columns: npt.NDArray[np.signedinteger[Any]]) -> Ints:
    """The rows at which some column differs from the row before; the first row is one."""
    changes = np.zeros(len(columns[0]), dtype=bool)
    changes[0] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)
