"""Which segments may hold records that a query asks for. Never a wrong answer: what is skipped cannot match."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from logstore.catalog import Segment


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


@dataclass(frozen=True, slots=True)
class Pruned:
    """The segments to read, and how many were skipped by reason."""

    segments: tuple[Segment, ...]
    skipped: Mapping[str, int]


def prune(segments: Sequence[Segment], bounds: Bounds) -> Pruned:
    """Leaves out the segments that cannot hold a matching record."""
    kept: list[Segment] = []
    skipped: Counter[str] = Counter()
    for segment in segments:
        reason = _reason_to_skip(segment, bounds)
        if reason:
            skipped[reason] += 1
        else:
            kept.append(segment)
    return Pruned(tuple(kept), dict(skipped))


def _reason_to_skip(segment: Segment, bounds: Bounds) -> str:
    if bounds.start_ns is not None and segment.max_time_ns < bounds.start_ns:
        return "time"
    if bounds.end_ns is not None and segment.min_time_ns >= bounds.end_ns:
        return "time"
    if bounds.after_seq is not None and segment.max_seq <= bounds.after_seq:
        return "seq"
    if bounds.up_to_seq is not None and segment.min_seq > bounds.up_to_seq:
        return "seq"
    for column, value in (("cluster", segment.cluster), ("namespace", segment.namespace)):
        allowed = bounds.identity.get(column)
        if allowed is not None and value not in allowed:
            return column
    return ""
