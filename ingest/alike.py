"""Records put together of which very many are alike: all but time and message is said once a kind.

For senders whose records each carry all of it, as syslog's do, this costs a fraction of `ingest.rows.Rows`, and keeps
the same rules.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from ingest.json_text import to_json
from ingest.request import Decoded, Request, Sender
from ingest.rows import INGEST_ERROR, SEVERITY_CODES, SEVERITY_WORDS, Source, batch_of, text_of
from logstore.errors import TooLarge
from logstore.record import DAY_NS, TIME_MAX_NS, TIME_MIN_NS

Attributes = Mapping[str, object]


class Alike:
    """Collects the records of one request and makes the batch."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._now_ns: Final = request.now_ns
        self._latest_ns: Final = min(request.now_ns + DAY_NS, TIME_MAX_NS)
        self._sources: list[Source] = []
        self._numbers: dict[int, int] = {}
        """Of sources by their ids: those that are one object are one source."""
        self._source_of: list[int] = []
        self._severities: list[int] = []
        self._attributes: list[Attributes] = []
        self._senders: list[Sender] = []
        self._kinds: list[int] = []
        self._times: list[int] = []
        self._messages: list[str] = []

    def kind(self, source: Source, severity: str, attributes: Attributes, sender: Sender) -> int:
        """The number by which records say that they are of this kind; `severity` is one of the six words or ''."""
        number = self._numbers.setdefault(id(source), len(self._sources))
        if number == len(self._sources):
            self._sources.append(source)
        return self._kind(number, SEVERITY_CODES[severity], attributes, sender)

    def add(self, kind: int, time_ns: int | None, message: str | bytes) -> None:
        """One record. A time out of range is the receiver's; bytes that are not UTF-8 are escaped; a message loses one
        trailing newline."""
        if isinstance(message, bytes):
            extra: dict[str, object] = {}
            message = text_of(message, extra)
            kind = self._variant(kind, extra) if extra else kind
        if time_ns is None:
            time_ns = self._now_ns
        elif not TIME_MIN_NS <= time_ns <= self._latest_ns:
            kind = self._variant(kind, {"_time": time_ns})
            time_ns = self._now_ns
        self._kinds.append(kind)
        self._times.append(time_ns)
        self._messages.append(message[:-1] if message.endswith("\n") else message)

    def decoded(self) -> Decoded:
        """What was collected.

        Raises:
            TooLarge: more than `max_records`.
        """
        limit = self._request.limits.max_records
        if len(self._messages) > limit:
            raise TooLarge(f"the body has more than {limit:,} records (max_records); send smaller batches")
        kinds = np.array(self._kinds, np.int32)
        severities = np.array(self._severities or [0], np.int32)[kinds]
        attributes = pa.array([to_json(told) if told else None for told in self._attributes], pa.string())
        columns = {
            "time": pa.array(np.array(self._times, np.int64)).view(pa.timestamp("ns")),
            "severity": pa.DictionaryArray.from_arrays(pa.array(severities), SEVERITY_WORDS),
            "message": pa.array(self._messages, pa.string()),
            "trace_id": pa.nulls(len(kinds), pa.string()),
            "span_id": pa.nulls(len(kinds), pa.string()),
            "attributes": attributes.take(pa.array(kinds)),
        }
        groups = np.array(self._source_of or [0], np.int32)[kinds]
        is_unread = np.array([INGEST_ERROR in told for told in self._attributes] or [False])[kinds]
        batch = batch_of(self._request, self._sources, groups, columns)
        return Decoded(batch, unread=int(is_unread.sum()), senders=self._sent(kinds))

    def _variant(self, kind: int, attributes: Attributes) -> int:
        """A kind with more attributes."""
        attributes = {**self._attributes[kind], **attributes}
        return self._kind(self._source_of[kind], self._severities[kind], attributes, self._senders[kind])

    def _sent(self, kinds: "np.ndarray[tuple[int], np.dtype[np.int32]]") -> Mapping[Sender, int]:
        sent = Counter[Sender]()
        for sender, count in zip(self._senders, np.bincount(kinds, minlength=len(self._senders)).tolist(), strict=True):
            sent[sender] += count
        return sent

    def _kind(self, source: int, severity: int, attributes: Attributes, sender: Sender) -> int:
        self._source_of.append(source)
        self._severities.append(severity)
        self._attributes.append(attributes)
        self._senders.append(sender)
        return len(self._source_of) - 1
