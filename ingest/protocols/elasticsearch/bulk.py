"""The body of `_bulk` as its actions and their documents, by a kernel. Mirrors logstore/native/bulk.h."""

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ingest.request import Limits
from logstore.errors import TooLarge
from logstore.native import (
    KERNEL_OK,
    KERNEL_TOO_MANY_RECORDS,
    ColumnBuffer,
    TextColumn,
    WordBuffers,
    address_of,
    kernel,
)

VERBS: Final = ("index", "create", "update", "delete")
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class State(IntEnum):
    """What became of an action; `enum bulk_state`."""

    DOCUMENT = 0
    DELETION = 1
    BAD_ACTION = 2
    NO_DOCUMENT = 3
    BAD_UPDATE = 4


@dataclass(frozen=True, slots=True)
class Bulk:
    """Actions in their order, and the documents of those that have one, in the same order."""

    verbs: Bytes
    """Places in `VERBS`."""
    states: Bytes
    index: pa.DictionaryArray
    """`_index` of each, null where it names none."""
    ids: pa.StringArray
    """`_id` of each as a JSON string, null where it has none."""
    documents: pa.Buffer
    """One a line."""


class _Result(ctypes.Structure):
    _fields_ = (
        ("items", ctypes.c_int64),
        ("verbs", ColumnBuffer),
        ("states", ColumnBuffer),
        ("index", WordBuffers),
        ("ids", TextColumn),
        ("documents", ColumnBuffer),
    )


_split: Final = kernel("kernel_bulk_split", ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.POINTER(_Result))


def split(body: bytes, limits: Limits) -> Bulk:
    """The actions of a body; one that is none does not hinder the others.

    Raises:
        TooLarge: more than `limits.max_records` actions.
    """
    result = _Result()
    status = _split(address_of(body), len(body), limits.max_records, ctypes.byref(result))
    if status == KERNEL_TOO_MANY_RECORDS:
        raise TooLarge(f"the body has more than {limits.max_records:,} actions (max_records); send smaller batches")
    if status != KERNEL_OK:
        raise MemoryError("bulk")
    return Bulk(
        np.frombuffer(result.verbs.take(), np.uint8),
        np.frombuffer(result.states.take(), np.uint8),
        result.index.to_array(result.items),
        result.ids.to_array(result.items),
        result.documents.take(),
    )
