"""Records put together one by one, for protocols whose bodies are no JSON lines.

Where records come from is said once a group (a Loki stream, an OTLP resource, a connection), so that the columns of
identity are made from codes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ingest.json_text import clean, to_json
from ingest.request import Decoded, Reject, Request, all_told
from logstore.errors import TooLarge
from logstore.native import is_utf8
from logstore.record import DAY_NS, IDENTITY, IDENTITY_MAX_BYTES, SCHEMA, SEVERITIES, TIME_MAX_NS, TIME_MIN_NS

REJECTS_MAX: Final = 10_000
SEVERITY_WORDS: Final = pa.array(("", *SEVERITIES), pa.string())
SEVERITY_CODES: Final = {word: code for code, word in enumerate(("", *SEVERITIES))}
LABELS_MAX_BYTES: Final = 64 << 20
"""Of all groups of one request: labels are told once a group, however many of them a few bytes make."""
INGEST_ERROR: Final = "_ingest_error"
"""Attribute of a record that could not be read and is stored as it came: why."""
Groups = np.ndarray[Any, np.dtype[np.integer[Any]]]
"""Of each record, the place of what it has in common with others."""
WORDS: Final = (*IDENTITY, "stream")
"""The columns of words that a source has, besides its labels."""
_identity_of: Final = attrgetter(*IDENTITY)


@dataclass(frozen=True, slots=True)
class Source:
    """Where records come from; what is empty is given by the request or the server's defaults."""

    cluster: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    stream: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What is constant for one run of a container."""


class Rows:
    """Collects the records of one request and makes the batch. The contract's rules are kept here: a time out of range
    is the receiver's, bytes that are not UTF-8 are escaped, a message loses one trailing newline."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._latest_ns = request.now_ns + DAY_NS
        self._groups: list[Source] = []
        self._group: list[int] = []
        self._times: list[int] = []
        self._severities: list[int] = []
        self._messages: list[str] = []
        self._attributes: list[str | None] = []
        self._trace_ids: list[str | None] = []
        self._span_ids: list[str | None] = []
        self._rejects: list[Reject] = []
        self._untold = 0
        self._unread = 0
        self._text_bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def group(self, source: Source) -> int:
        """The number by which records say that they come from here."""
        self._groups.append(source)
        return len(self._groups) - 1

    def add(
        self,
        group: int,
        time_ns: int | None,
        message: str | bytes,
        *,
        severity: str = "",
        attributes: Mapping[str, object] | None = None,
        trace_id: str | None = None,
        span_id: str | None = None,
    ) -> None:
        """One record; `severity` is one of the six words or ''. A message over `max_line` is rejected.

        Raises:
            TooLarge: more than `max_singles`, or too much text.
        """
        extra: dict[str, object] = {}
        if isinstance(message, bytes):
            message = text_of(message, extra)
        if len(message) > self._request.limits.max_line_bytes // 4 and self._is_too_long(message):
            return
        if len(self._messages) >= (limit := self._request.limits.max_read_singly):
            raise TooLarge(f"the body has more than {limit:,} records of an unusual form; send smaller batches")
        if time_ns is None:
            time_ns = self._request.now_ns
        elif not TIME_MIN_NS <= time_ns <= TIME_MAX_NS or time_ns > self._latest_ns:
            extra["_time"] = time_ns
            time_ns = self._request.now_ns
        if extra:
            attributes = {**(attributes or {}), **extra}
        if attributes and INGEST_ERROR in attributes:
            self._unread += 1
        text = to_json(attributes) if attributes else None
        self._text_bytes += len(message) + len(text or "")
        self._request.limits.check_text(self._text_bytes)
        self._group.append(group)
        self._times.append(time_ns)
        self._severities.append(SEVERITY_CODES[severity])
        self._messages.append(message[:-1] if message.endswith("\n") else message)
        self._attributes.append(text)
        self._trace_ids.append(trace_id)
        self._span_ids.append(span_id)

    def reject(self, line: int, error: str, reason: str = "invalid") -> None:
        if len(self._rejects) < REJECTS_MAX:
            self._rejects.append(Reject(line, error, reason))
        else:
            self._untold += 1

    def decoded(self, key: str = "", items: object = None, digest: bytes = b"") -> Decoded:
        """What was collected."""
        return Decoded(self._batch(), all_told(self._rejects, self._untold), key, items, self._unread, digest)

    def _batch(self) -> pa.RecordBatch:
        severities = pa.array(np.array(self._severities, np.int32))
        columns = {
            "time": pa.array(np.array(self._times, np.int64)).view(pa.timestamp("ns")),
            "severity": pa.DictionaryArray.from_arrays(severities, SEVERITY_WORDS),
            "message": _texts(self._messages),
            "trace_id": _texts(self._trace_ids),
            "span_id": _texts(self._span_ids),
            "attributes": pa.array(self._attributes, pa.string()),
        }
        return batch_of(self._request, self._groups, np.array(self._group, np.int32), columns)

    def _is_too_long(self, message: str) -> bool:
        size_bytes, limit = len(message.encode("utf-8", "replace")), self._request.limits.max_line_bytes
        if size_bytes <= limit:
            return False
        place = len(self) + len(self._rejects) + 1
        self.reject(place, f"{size_bytes:,} bytes, over the limit of {limit:,} (max_line)", "too_long")
        return True


def batch_of(
    request: Request,
    sources: Sequence[Source],
    groups: Groups,
    columns: Mapping[str, pa.Array],
) -> pa.RecordBatch:
    """The batch of records whose sources are told by number; `columns` are all others of the schema.

    Raises:
        TooLarge: the groups have more than `LABELS_MAX_BYTES` of labels.
    """
    cut = [within_limits(source) for source in sources]
    arrays = {**columns, **words_of(cut, groups, request), "labels": dictionary(_label_texts(cut), groups)}
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def words_of(sources: Sequence[Source], groups: Groups, request: Request) -> dict[str, pa.DictionaryArray]:
    """The columns of identity, and `stream`, of records whose sources are told by number. What the request's head says
    counts most, the defaults least."""
    return words_by(
        request,
        len(groups),
        lambda name, default: dictionary([word or default for word in map(attrgetter(name), sources)], groups),
    )


def words_by(request: Request, rows: int, column: Callable[[str, str], pa.DictionaryArray]) -> dict[str, pa.Array]:
    """The columns of identity, and `stream`: what the request's head says of a name, else what `column` makes of it
    and its default."""
    defaults = {"cluster": request.default_cluster, "namespace": request.default_namespace}
    columns = {}
    for name in WORDS:
        if word := request.head.override(name):
            columns[name] = dictionary([word], np.zeros(rows, np.int32))
        else:
            columns[name] = column(name, defaults.get(name, ""))
    return columns


def _label_texts(sources: Iterable[Source]) -> list[str | None]:
    texts: dict[int, str] = {}
    size_bytes = 0
    found: list[str | None] = []
    for source in sources:
        if source.labels and id(source.labels) not in texts:
            text = texts[id(source.labels)] = to_json(source.labels, is_sorted=True)
            size_bytes += len(text)
            if size_bytes > LABELS_MAX_BYTES:
                raise TooLarge(f"the streams of the body have more than {LABELS_MAX_BYTES:,} bytes of labels")
        found.append(texts[id(source.labels)] if source.labels else None)
    return found


def within_limits(source: Source) -> Source:
    """Identity has at most 253 bytes; what was cut stands whole in the labels."""
    if max(map(len, _identity_of(source))) * 4 <= IDENTITY_MAX_BYTES:
        return source
    long = {name: word for name in IDENTITY if len(word := getattr(source, name)) * 4 > IDENTITY_MAX_BYTES}
    cut = {name: _first_bytes(word) for name, word in long.items() if _first_bytes(word) != word}
    if not cut:
        return source
    words = {name: cut.get(name, getattr(source, name)) for name in WORDS}
    return Source(**words, labels={**source.labels, **{f"_{name}": long[name] for name in cut}})


def _first_bytes(word: str) -> str:
    return word.encode("utf-8", "replace")[:IDENTITY_MAX_BYTES].decode("utf-8", "ignore")


def text_of(message: bytes, extra: dict[str, object]) -> str:
    """UTF-8, or each byte that is not as `\\xNN` and each backslash doubled, which the attribute `_escape` tells."""
    if is_utf8(message):
        return message.decode()
    extra["_escape"] = "backslash"
    return message.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def dictionary(words: Sequence[str | None], groups: Groups) -> pa.DictionaryArray:
    """A column of words, of which `groups` tells each row its own; None is null."""
    texts = _texts(words)
    if not texts.null_count and len(set(words)) == len(words):
        return pa.DictionaryArray.from_arrays(pa.array(groups), texts, safe=False)
    encoded = texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(pa.array(groups)), encoded.dictionary, safe=False)


def _texts(texts: Sequence[str | None]) -> pa.StringArray:
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([text and clean(text) for text in texts], pa.string())
