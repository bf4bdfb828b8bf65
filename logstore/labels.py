"""The keys that streams' labels have: where a name is none of them, no record's labels need be asked."""

import json
from functools import lru_cache
from typing import Final

import pyarrow as pa

KEYS_MAX: Final = 10_000
"""Keys that are told apart in one store."""


@lru_cache(maxsize=65_536)
def keys_of(labels: str) -> frozenset[str]:
    """The keys of a stream's labels, which are a JSON object's text or empty."""
    return frozenset(json.loads(labels)) if labels else frozenset()


def bounded(keys: frozenset[str]) -> frozenset[str] | None:
    """None where they are too many to tell apart."""
    return keys if len(keys) <= KEYS_MAX else None


def with_keys_of(known: frozenset[str] | None, labels: pa.ChunkedArray) -> frozenset[str] | None:
    """These keys and those of more labels; None where they are too many."""
    if known is None:
        return None
    texts = {text for chunk in labels.chunks for text in chunk.dictionary.to_pylist() if text}
    return bounded(known.union(*map(keys_of, texts)))
