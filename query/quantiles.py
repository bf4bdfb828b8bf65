"""Quantiles of numbers of which it is known how often each is there."""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from logstore.order import Ints

Floats: TypeAlias = npt.NDArray[np.float64]

_NONE: Final = np.zeros(0, np.float64)


def quantiles(numbers: Floats, counts: Ints, offsets: Ints, share: float) -> Floats:
    """Of each list of numbers, none of them empty, the one below which this share of them lies, linearly interpolated
    as SQL's `quantile_cont` does: as if each number stood there as often as its count says, in whatever order. The
    lists lie one after the other, list `i` from `offsets[i]` to `offsets[i + 1]`."""
    if len(offsets) < 2:
        return _NONE
    starts = offsets[:-1]
    order = np.lexsort((numbers, np.repeat(np.arange(len(starts)), np.diff(offsets))))
    ordered = numbers[order]
    ends = np.cumsum(counts[order])
    last = ends[offsets[1:] - 1] - 1
    first = np.concatenate(([0], last[:-1] + 1))
    at = share * (last - first)
    lower = ordered[np.searchsorted(ends, first + np.floor(at).astype(np.int64), side="right")]
    upper = ordered[np.searchsorted(ends, first + np.ceil(at).astype(np.int64), side="right")]
    past = at - np.floor(at)
    # DuckDB multiplies and adds without rounding in between, which doubles cannot. Two infinite numbers cancel out.
    with np.errstate(invalid="ignore", over="ignore"):
        between: Floats = (lower.astype(np.longdouble) * (1 - past) + upper * past).astype(np.float64)
    between[past == 0] = lower[past == 0]
    return between
