"""Who sends: counts for each protocol and sender, so that "who stopped sending?" has an answer.

Kept in memory only: a restart begins anew. When there are too many senders, those seen longest ago are let go.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

from ingest.request import Reject, Sender
from server.telemetry import IngestMetrics

SENDERS_MAX: Final = 10_000
ERROR_MAX: Final = 500


@dataclass(slots=True)
class Source:
    """What one sender did over one protocol. `last_seen_ns` is 0 until something of it was taken; `unread` counts
    records that were stored as they came, `rejected` those that were not taken, `refused` whole requests, by reason."""

    protocol: str
    sender: Sender
    first_seen_ns: int
    last_seen_ns: int = 0
    records: int = 0
    bytes: int = 0
    unread: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    last_error: str = ""
    last_error_ns: int = 0

    def silent_ns(self, now_ns: int) -> int:
        """For how long nothing of it was taken."""
        return now_ns - (self.last_seen_ns or self.first_seen_ns)


class Sources:
    """The senders of all protocols, and the metrics of each protocol. Called from any thread."""

    def __init__(self, metrics: IngestMetrics, senders_max: int = SENDERS_MAX) -> None:
        self._metrics = metrics
        self._taken_records, self._taken_bytes = cache(metrics.records.labels), cache(metrics.bytes.labels)
        self._last_seen = cache(metrics.last_seen.labels)
        self._senders_max = senders_max
        self._lock = threading.Lock()
        self._sources: OrderedDict[tuple[str, Sender], Source] = OrderedDict()
        self._forgotten = 0

    @property
    def forgotten(self) -> int:
        """Senders that were let go since the start."""
        return self._forgotten

    def record(
        self,
        protocol: str,
        sender: Sender,
        records: int,
        size_bytes: int,
        rejects: Sequence[Reject] = (),
        *,
        now_ns: int,
        unread: int = 0,
    ) -> None:
        """Something was taken: so many records, of so many bytes as sent, and these were not."""
        rejected = Counter(reject.reason for reject in rejects) if rejects else {}
        with self._lock:
            source = self._source(protocol, sender, now_ns)
            source.last_seen_ns = now_ns
            source.records += records
            source.bytes += size_bytes
            source.unread += unread
            if rejects:
                source.rejected.update(rejected)
                _tell(source, rejects[0].error, now_ns)
        self._taken_records(protocol).inc(records)
        self._taken_bytes(protocol).inc(size_bytes)
        self._last_seen(protocol).set(now_ns / 1e9)
        if unread:
            self._metrics.unread.labels(protocol).inc(unread)
        for reason, count in rejected.items():
            self._metrics.rejected.labels(protocol, reason).inc(count)

    def refuse(self, protocol: str, sender: Sender, reason: str, error: str, *, now_ns: int) -> None:
        """A whole request was not taken."""
        with self._lock:
            source = self._source(protocol, sender, now_ns)
            source.refused[reason] += 1
            _tell(source, error, now_ns)
        self._metrics.refused.labels(protocol, reason).inc()

    def turn_away(self, protocol: str, reason: str) -> None:
        """A request was not let in; strangers are counted but not remembered."""
        self._metrics.refused.labels(protocol, reason).inc()

    def read(self, silent_ns: int, now_ns: int) -> list[Source]:
        """Copies of those that have been silent for so long, the longest first."""
        with self._lock:
            found = [_copy(source) for source in self._sources.values() if source.silent_ns(now_ns) >= silent_ns]
        return sorted(found, key=lambda source: -source.silent_ns(now_ns))

    def _source(self, protocol: str, sender: Sender, now_ns: int) -> Source:
        key = (protocol, sender)
        source = self._sources.get(key)
        if source is not None:
            self._sources.move_to_end(key)
            return source
        source = self._sources[key] = Source(protocol, sender, now_ns)
        if len(self._sources) > self._senders_max:
            self._sources.popitem(last=False)
            self._forgotten += 1
            self._metrics.senders_forgotten.inc()
        self._metrics.senders.set(len(self._sources))
        return source


def _tell(source: Source, error: str, now_ns: int) -> None:
    source.last_error = error[:ERROR_MAX]
    source.last_error_ns = now_ns


def _copy(source: Source) -> Source:
    return replace(source, rejected=source.rejected.copy(), refused=source.refused.copy())
