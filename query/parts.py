"""Parts of answers remembered: what statistics found in each segment. A question asked again reads the segments that it
has not seen and the buffer; segments never change, and a part of one that lies wholly within the bounds of time does
not depend on them.

Only questions that come again are remembered by segment: telling segments apart costs a first question more.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.order import Ints
from query.digest import ENTRY_BYTES
from query.sql.parts import SEGMENT

QUESTION_MAX_BYTES: Final = 8 << 20
"""A question whose parts are larger is not remembered by segment."""
ALL_MAX_BYTES: Final = 16 << 20
CHUNKS_MAX: Final = 16

_NO_IDS: Final = np.zeros(0, np.int64)


class State(Enum):
    """What is known of a question."""

    NEW = "new"
    """It was not asked before."""
    ASKED = "asked"
    """Its parts are worth remembering."""
    LARGE = "large"
    """Its parts are too many."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is remembered of a question: `known` segments, of those that were asked for, and their parts (None where
    nothing is known, else without the segments' names)."""

    state: State
    known: Ints = field(default_factory=lambda: _NO_IDS)
    parts: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    state: State
    ids: Ints = field(default_factory=lambda: _NO_IDS)
    parts: pa.Table | None = None
    """With the segments' ids."""

    @property
    def bytes(self) -> int:
        return ENTRY_BYTES + self.ids.nbytes + (self.parts.nbytes if self.parts is not None else 0)


_NEW: Final = _Entry(State.NEW)


class Parts:
    """The questions that were asked last, bounded in bytes; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._bytes = 0
        self._found = 0

    def readings(self) -> dict[str, float]:
        """The numbers for /metrics."""
        return {"query_parts_remembered": self._found, "query_parts_bytes": self._bytes}

    def recall(self, question: bytes, ids: Ints) -> Recalled:
        """What is known of these segments; notes that the question was asked."""
        with self._lock:
            entry = self._entries.get(question, _NEW)
            self._put(question, _Entry(State.ASKED) if entry is _NEW else entry)
        if entry.parts is None:
            return Recalled(entry.state)
        is_known = np.isin(entry.ids, ids)
        known = entry.ids[is_known]
        with self._lock:
            self._found += len(known)
        parts = entry.parts if is_known.all() else _of(entry.parts, known)
        return Recalled(entry.state, known, parts.drop_columns([SEGMENT]))

    def remembered(self, question: bytes, ids: Ints) -> int:
        """How many of these segments are known; asking that counts for nothing."""
        with self._lock:
            entry = self._entries.get(question, _NEW)
        return int(np.count_nonzero(np.isin(entry.ids, ids)))

    def note(self, question: bytes, fresh: Collection[int], parts: pa.Table, live: Ints) -> None:
        """Remembers the parts of these segments, which are all that there is of them; forgets segments that are not
        live any more. `parts` has the segments' ids."""
        with self._lock:
            entry = self._entries.get(question, _NEW)
        if entry.state is State.LARGE:
            return
        grown = _grown(entry, np.fromiter(fresh, np.int64, len(fresh)), parts, live)
        with self._lock:
            self._put(question, grown if grown.bytes <= QUESTION_MAX_BYTES else _Entry(State.LARGE))

    def give_up(self, question: bytes) -> None:
        """The question's parts are too many to be remembered, or to be made."""
        with self._lock:
            self._put(question, _Entry(State.LARGE))

    def _put(self, question: bytes, entry: _Entry) -> None:
        old = self._entries.pop(question, None)
        self._bytes += entry.bytes - (old.bytes if old is not None else 0)
        self._entries[question] = entry
        while self._bytes > ALL_MAX_BYTES:
            _, gone = self._entries.popitem(last=False)
            self._bytes -= gone.bytes


def _grown(entry: _Entry, fresh: Ints, parts: pa.Table, live: Ints) -> _Entry:
    """The entry with the parts of segments that it did not know, of those that are live."""
    kept = entry.ids[np.isin(entry.ids, live) & ~np.isin(entry.ids, fresh)]
    if entry.parts is None:
        return _Entry(State.ASKED, fresh, parts.combine_chunks())
    old = entry.parts if len(kept) == len(entry.ids) else _of(entry.parts, kept)
    both = pa.concat_tables([old, parts])
    is_whole = both.column(0).num_chunks <= CHUNKS_MAX
    return _Entry(State.ASKED, np.concatenate((kept, fresh)), both if is_whole else both.combine_chunks())


def _of(parts: pa.Table, ids: Ints) -> pa.Table:
    """The parts of these segments."""
    segments: npt.NDArray[Any] = parts[SEGMENT].to_numpy()
    return parts.filter(pa.array(np.isin(segments, ids)))
