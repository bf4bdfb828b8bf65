"""The order of records in segments.

A run (the records of one partition and window) is cut by time into slices of about equally many records, and each
slice is sorted by (pod, container, labels, time, `_seq`). So a slice holds each stream as one range of rows, and what
is newest lies in the last slices alone.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logstore.record import DAY_NS, IDENTITY

HOUR_NS: Final = 3_600 * 1_000_000_000
WIDE_WINDOW: Final = -1
ORDER: Final = ("slice", "pod", "container", "labels", "time", "_seq")
STREAM: Final = (*IDENTITY, "labels")

Ints = npt.NDArray[np.int64]


def hour_of(times_ns: Ints) -> Ints:
    """The start of the hour that each time lies in."""
    return _floor(times_ns, HOUR_NS)


def _floor(times_ns: Ints, step_ns: int) -> Ints:
    floored: Ints = times_ns - np.mod(times_ns, step_ns)
    return floored


def dictionary_ranks(column: pa.ChunkedArray) -> Ints:
    """A number for each value that sorts as the values do (by code point); null sorts first, as the empty text does."""
    combined = column.unify_dictionaries().combine_chunks()
    array = combined if isinstance(combined, pa.DictionaryArray) else combined.chunk(0)
    words = array.dictionary
    order = pc.array_sort_indices(words).to_numpy()
    ranks = np.empty(len(words) + 1, dtype=np.int64)
    ranks[order] = np.arange(1, len(words) + 1)
    ranks[-1] = 0
    empty = pc.index(words, "").as_py()
    if empty >= 0:
        ranks[empty] = 0
    found: Ints = ranks[array.indices.fill_null(len(words)).to_numpy()]
    return found


def stream_ranks(table: pa.Table) -> Ints:
    """A number for each record's stream that sorts as (cluster, namespace, pod, container, labels) do."""
    combined = np.zeros(table.num_rows, dtype=np.int64)
    for column in STREAM:
        combined = refined(combined, dictionary_ranks(table[column]))
    return combined


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


def runs(table: pa.Table, max_windows: int, slice_rows: int) -> list[Run]:
    """How records are sorted into partition-windows.

    A window is a day. Past `max_windows` runs it is everything: such runs have `WIDE_WINDOW`.
    Slices are of about `slice_rows` records: `even_rows`.
    """
    if table.num_rows == 0:
        return []
    partitions = _partition_ranks(table)
    times = table["time"].cast(pa.int64()).to_numpy()
    windows = _floor(times, DAY_NS)
    is_wide = _count_pairs(partitions, windows) > max_windows
    if is_wide:
        windows = np.zeros_like(windows)
    by_time = np.lexsort((*_unless_sorted(table["_seq"].to_numpy()), times, refined(partitions, _dense(windows))))
    starts = run_starts(partitions[by_time], windows[by_time])
    lengths = np.diff(np.append(starts, table.num_rows))
    slices = _slices(lengths, slice_rows)
    streams = stream_ranks(table)[by_time]
    order = by_time[np.argsort(refined(slices, streams), kind="stable")]
    return [Run(rows, WIDE_WINDOW if is_wide else int(windows[rows[0]])) for rows in np.split(order, starts[1:])]


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


def _count_pairs(ranks: Ints, windows: Ints) -> int:
    """How many different pairs there are; `ranks` are dense, so that one number can stand for a pair."""
    return len(np.unique(refined(ranks, _dense(windows))))


def _dense(numbers: Ints) -> Ints:
    """For each number how many different ones are less."""
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _unless_sorted(numbers: Ints) -> tuple[Ints, ...]:
    """The key to sort by, if the rows do not lie in its order already; sorting by others keeps that."""
    return () if np.all(numbers[1:] > numbers[:-1]) else (numbers,)


def _partition_ranks(table: pa.Table) -> Ints:
    clusters, namespaces = dictionary_ranks(table["cluster"]), dictionary_ranks(table["namespace"])
    return clusters * (int(namespaces.max(initial=0)) + 1) + namespaces


def run_starts(*columns: npt.NDArray[np.signedinteger[Any]]) -> Ints:
    """The rows at which some column differs from the row before; the first row is one."""
    changes = np.zeros(len(columns[0]), dtype=bool)
    changes[0] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)
