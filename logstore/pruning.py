"""Which segments may hold records that a query asks for. Never a wrong answer: what is skipped cannot match."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from logstore.listing import Listing
from logstore.record import TIME_MAX_NS, TIME_MIN_NS


@dataclass(frozen=True, slots=True)
class Bounds:
    """What every matching record satisfies. `None` and absent columns bound nothing.

    `start_ns` is inclusive, `end_ns` exclusive, `after_seq` exclusive, `up_to_seq` inclusive.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    identity: Mapping[str, frozenset[str]] = field(default_factory=dict)
    after_seq: int | None = None
    up_to_seq: int | None = None

    @property
    def has_times(self) -> bool:
        return self.start_ns is not None or self.end_ns is not None

    @property
    def between_ns(self) -> tuple[int, int]:
        """The first and the last time that a record may have."""
        first_ns = TIME_MIN_NS if self.start_ns is None else self.start_ns
        return first_ns, TIME_MAX_NS if self.end_ns is None else self.end_ns - 1


@dataclass(frozen=True, slots=True)
class Pruned:
    """The segments to read, and how many were skipped by reason."""

    segments: Listing
    skipped: Mapping[str, int]


def prune(segments: Listing, bounds: Bounds) -> Pruned:
    """Leaves out the segments that cannot hold a matching record; each is skipped for the first reason there is."""
    left = np.ones(len(segments), np.bool_)
    skipped: dict[str, int] = {}
    for reason, may_match in _conditions(segments, bounds):
        gone = int(np.count_nonzero(left & ~may_match))
        if gone:
            skipped[reason] = skipped.get(reason, 0) + gone
            left &= may_match
    return Pruned(segments.take(left) if skipped else segments, skipped)


def _conditions(segments: Listing, bounds: Bounds) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Why segments may be skipped, and which of them are not for that reason."""
    if bounds.start_ns is not None:
        yield "time", segments.max_time_ns >= bounds.start_ns
    if bounds.end_ns is not None:
        yield "time", segments.min_time_ns < bounds.end_ns
    if bounds.after_seq is not None:
        yield "seq", segments.max_seq > bounds.after_seq
    if bounds.up_to_seq is not None:
        yield "seq", segments.min_seq <= bounds.up_to_seq
    for place, column in enumerate(("cluster", "namespace")):
        allowed = bounds.identity.get(column)
        if allowed is not None:
            partitions = segments.partitions.values
            is_allowed = np.array([partition[place] in allowed for partition in partitions], np.bool_)
            yield column, is_allowed[segments.partition]
