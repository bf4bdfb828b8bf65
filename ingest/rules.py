"""Rules at ingest: what is dropped, sampled, masked, labelled, routed or parsed before anything is stored.

Rules are applied in the order of their file, each to what the ones before it left: to every record that its condition
holds for and that is not dropped yet. What is dropped counts as accepted in the answer, since its sender has nothing to
do about it, and never reaches the write-ahead log; neither does what was masked.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import structlog

from ingest.rules_actions import State
from ingest.rules_file import Rule, read_rules
from ingest.rules_view import View
from logstore.errors import InvalidSettings

CHECK_INTERVAL_S: Final = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Count:
    """What a rule did: records that its condition held for; of those, how many it dropped, and how many it changed
    (masked, labelled, routed, parsed); seconds of processor time that it took."""

    matched: int = 0
    dropped: int = 0
    changed: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.matched + other.matched,
            self.dropped + other.dropped,
            self.changed + other.changed,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """The records that are left, and what each rule did, in the rules' order."""

    batch: pa.RecordBatch
    counts: tuple[Count, ...]


def apply(rules: tuple[Rule, ...], batch: pa.RecordBatch) -> Applied:
    """Applies the rules to a batch in `logstore.record.SCHEMA`; the order of its records stays."""
    nothing = np.zeros(batch.num_rows, bool)
    state = State(View(batch), nothing, nothing)
    counts: list[Count] = []
    for rule in rules:
        began_s = time.thread_time()
        matched = rule.where(state.view) & ~state.is_dropped
        count = int(matched.sum())
        after = rule.action(state, matched) if count else state
        dropped = int(after.is_dropped.sum() - state.is_dropped.sum())
        changed = after.changed if count else 0
        counts.append(Count(count, dropped, changed, time.thread_time() - began_s))
        state = after
    left = state.view.batch
    if state.is_dropped.any():
        left = left.filter(pa.array(~state.is_dropped))
    return Applied(left, tuple(counts))


class Rules:
    """The rules of a file; a change of it counts within a second. While it cannot be read, or has a mistake, the former
    rules hold. Thread-safe.

    Raises InvalidSettings if the file cannot be read, or has a mistake, at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        """Held by the one thread that reads the file; the others go on with the rules there are."""
        self._stamp = _stamp(path)
        self._rules = read_rules(path)
        self._counts = {rule.name: Count() for rule in self._rules}
        self._next_check_s = time.monotonic() + CHECK_INTERVAL_S
        self._failures = 0

    @property
    def failures(self) -> int:
        """How often a changed file was not taken."""
        return self._failures

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records that are left of a batch, as the rules make them."""
        rules = self._current()
        if not rules or not batch.num_rows:
            return batch
        applied = apply(rules, batch)
        with self._lock:
            for rule, count in zip(rules, applied.counts, strict=True):
                if rule.name in self._counts:
                    self._counts[rule.name] += count
        return applied.batch

    def counts(self) -> Mapping[str, Count]:
        """What each rule did since it is there, by its name."""
        self._current()
        with self._lock:
            return dict(self._counts)

    def _current(self) -> tuple[Rule, ...]:
        if time.monotonic() >= self._next_check_s and self._reading.acquire(blocking=False):
            try:
                self._reload()
                self._next_check_s = time.monotonic() + CHECK_INTERVAL_S
            finally:
                self._reading.release()
        return self._rules

    def _reload(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            rules = read_rules(self._path)
        except InvalidSettings as error:
            self._failures += 1
            log.error("rules not read again, the former ones hold", error=str(error))
            return
        with self._lock:
            self._rules = rules
            self._counts = {rule.name: self._counts.get(rule.name, Count()) for rule in rules}
        log.info("rules read again", file=str(self._path), rules=len(rules))


def _stamp(path: Path) -> tuple[int, int, int]:
    """What tells one state of the file from another; that it is not there is one too."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino
