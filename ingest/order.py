"""Records that were read in several batches, in the order in which they came."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ingest.entries import Most
from ingest.messages import Message, unpack
from ingest.request import Decoded, Request

Exact = Callable[[Iterable[tuple[str, Message]], Request], Decoded]
"""Reads messages, each with its sender, one at a time."""


def in_order(batches: Sequence[pa.RecordBatch], places: Sequence[int]) -> pa.RecordBatch:
    """The records of the batches, one after the other, by their places."""
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    ordered = table.take(pa.array(np.argsort(places, kind="stable"))).combine_chunks()
    [batch] = ordered.to_batches() or [batches[0]]
    return batch


def complete(most: Most, request: Request, exact: Exact) -> Decoded:
    """The records of packed messages, of which `exact` reads those that are left; each is in its place."""
    decoded, left = most.decoded, most.left
    if not left:
        return decoded
    messages = list(unpack(request.body))
    rest = exact((messages[place] for place in left), request)
    if decoded.rejects or rest.batch.num_rows != len(left):
        return exact(messages, request)
    is_left = set(left)
    places = [place for place in range(len(messages)) if place not in is_left]
    batch = in_order((decoded.batch, rest.batch), [*places, *left])
    senders = Counter(decoded.senders) + Counter(rest.senders)
    return replace(decoded, batch=batch, unread=rest.unread, senders=senders)
