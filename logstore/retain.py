"""Retention: whole segments go by age and by total size, oldest first. Nothing goes unless a limit is set."""

import numpy as np

from logstore.catalog import Segment
from logstore.listing import Listing


def expired(segments: Listing, now_ns: int, age_s: float | None, total_bytes: int | None) -> tuple[Segment, ...]:
    """The segments to remove: those whose youngest record is older than `age_s`, and the oldest past `total_bytes`.

    Age counts from the later of the record's and the receiver's time, so that a backfill of old records stays.
    """
    age_time_ns = np.maximum(segments.max_time_ns, segments.received_ns)
    order = np.argsort(age_time_ns, kind="stable")
    oldest_first = segments.bytes[order]
    stays = np.ones(len(segments), np.bool_)
    if total_bytes is not None:
        stays &= oldest_first.sum() - np.cumsum(oldest_first) + oldest_first <= total_bytes
    if age_s is not None:
        stays &= age_time_ns[order] >= now_ns - int(age_s * 1e9)
    first_to_stay = int(np.argmax(stays)) if stays.any() else len(segments)
    return tuple(segments.take(order[:first_to_stay]))
