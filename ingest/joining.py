"""Small bodies that wait at the same time, decoded as one: what a body costs by itself is then paid once for all.

Nothing waits for others to come. What is sent for each is what it would have been sent alone; where that is not sure,
as where a line is rejected, each body is decoded by itself.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final, TypeVar

from ingest.protocol import Take
from ingest.request import Decoded, Request

JOINED_MAX: Final = 256
JOINED_MAX_BYTES: Final = 4 << 20
"""Bodies that are decoded at once, each of which is small as it was sent, and what they may be inflated."""

Item = TypeVar("Item")


def take_alike(waiting: deque[Item], kind: Callable[[Item], Hashable]) -> list[Item]:
    """Takes the first, and those that follow it and are of its kind; it alone where that is None; none of nothing."""
    if not waiting:
        return []
    taken = [waiting.popleft()]
    first = kind(taken[0])
    while first is not None and waiting and len(taken) < JOINED_MAX and kind(waiting[0]) == first:
        taken.append(waiting.popleft())
    return taken


def small_enough(requests: Iterable[Request]) -> list[Request]:
    """The requests; none of them where their bodies, inflated, are too large for that."""
    found: list[Request] = []
    size_bytes = 0
    for request in requests:
        size_bytes += len(request.body)
        if size_bytes > JOINED_MAX_BYTES:
            return []
        found.append(request)
    return found


def decode_together(take: Take, requests: Sequence[Request]) -> tuple[Decoded, list[int]] | None:
    """The records of several requests as those of one, and how many of them are whose; None where that is not sure."""
    joined = take.join.body([request.body for request in requests]) if take.join and requests else None
    if joined is None:
        return None
    body, counts = joined
    decoded = take.decode(replace(requests[0], body=body))
    if decoded.rejects or decoded.unread or decoded.batch.num_rows != sum(counts):
        return None
    return decoded, counts


def parts(decoded: Decoded, counts: Sequence[int]) -> Iterator[Decoded]:
    """What was decoded together, each with as many of the records as are its own."""
    at = 0
    for count in counts:
        yield replace(decoded, batch=decoded.batch.slice(at, count))
        at += count


def shares(left: int, counts: Sequence[int]) -> list[int]:
    """About how many each has of the records that rules left of all."""
    ends = [end * left // max(sum(counts), 1) for end in accumulate(counts)]
    return [end - begin for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
