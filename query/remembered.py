"""Answers remembered: a question asked again about the same segments and the same buffered records is not worked out
again. Segments never change, so what an answer is remembered by says all that it depends on."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from query.answer import Answer, End
from query.digest import ENTRY_BYTES, digest
from query.plan import Plan
from query.sql import Compiled

ANSWER_MAX_BYTES: Final = 1 << 20
"""A larger answer is not remembered."""
ALL_MAX_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer that was given to its end."""

    batches: tuple[pa.RecordBatch, ...]
    end: End
    bytes: int


class Answers:
    """The answers that were given last, bounded in bytes; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Remembered] = OrderedDict()
        self._bytes = 0
        self._found = 0

    def readings(self) -> dict[str, float]:
        """The numbers for /metrics."""
        return {"query_answers_remembered": self._found, "query_answers_bytes": self._bytes}

    def get(self, key: bytes) -> Remembered | None:
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
                self._found += 1
            return found

    def holds(self, key: bytes) -> bool:
        """Whether this question would be answered from memory; asking that counts for nothing."""
        with self._lock:
            return key in self._known

    def noting(self, key: bytes, answer: Answer, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches; remembers them once they were all given, if they are few."""
        kept: list[pa.RecordBatch] = []
        size = 0
        for batch in batches:
            size += batch.nbytes
            if size <= ANSWER_MAX_BYTES:
                kept.append(batch)
            yield batch
        if size <= ANSWER_MAX_BYTES:
            self._put(key, Remembered(tuple(kept), answer.end, ENTRY_BYTES + size))

    def _put(self, key: bytes, remembered: Remembered) -> None:
        with self._lock:
            old = self._known.pop(key, None)
            self._bytes += remembered.bytes - (old.bytes if old is not None else 0)
            self._known[key] = remembered
            while self._bytes > ALL_MAX_BYTES:
                _, gone = self._known.popitem(last=False)
                self._bytes -= gone.bytes


def key_of(compiled: Compiled, planned: Plan, last_seq: int, *asked: object) -> bytes:
    """All that an answer depends on: the query, what else was asked, and which records there are within its bounds."""
    buffered = last_seq if planned.buffer.num_rows else -1
    return digest((compiled.sql, compiled.params, asked, buffered), planned.pieces.segments.id)
