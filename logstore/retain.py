"""Retention: whole segments go by age and by total size, oldest first. Nothing goes unless a limit is set."""

from collections.abc import Sequence

from logstore.catalog import Segment


def expired(
    segments: Sequence[Segment], now_ns: int, age_s: float | None, total_bytes: int | None
) -> tuple[Segment, ...]:
    """The segments to remove: those whose youngest record is older than `age_s`, and the oldest past `total_bytes`.

    Age counts from the later of the record's and the receiver's time, so that a backfill of old records stays.
    """
    by_age = sorted(segments, key=lambda segment: segment.age_time_ns)
    oldest_ns = None if age_s is None else now_ns - int(age_s * 1e9)
    excess = 0 if total_bytes is None else sum(segment.bytes for segment in by_age) - total_bytes
    gone: list[Segment] = []
    for segment in by_age:
        is_old = oldest_ns is not None and segment.age_time_ns < oldest_ns
        if not is_old and excess <= 0:
            break
        gone.append(segment)
        excess -= segment.bytes
    return tuple(gone)
