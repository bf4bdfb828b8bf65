"""What the entries of a Loki stream become, however they were written.

Labels name where a stream comes from: those that are identity become it, the others stay labels, so that the stream
can be told on reading. Structured metadata is said of one entry: what of it is identity wins over the labels, trace
and span ids and severity are lifted out, the rest are attributes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ingest.identity import resolve
from ingest.protocols.loki.labels import parse_labels
from ingest.request import Decoded, Request
from ingest.rows import Rows, Source
from logstore.errors import InvalidInput

ERROR: Final = "_ingest_error"
"""Attribute that says what was wrong with a record that is stored as it came."""
_CACHED: Final = 1024
_CACHED_MAX_CHARACTERS: Final = 4096
_TRACE_IDS: Final = ("trace_id", "traceID", "traceid", "traceId")
_SPAN_IDS: Final = ("span_id", "spanID", "spanid", "spanId")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream's labels, understood."""

    source: Source
    severity: str = ""
    trace_id: str | None = None
    span_id: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    """What each of its records has besides its own."""


def stream_of_text(text: str) -> Stream:
    """Of labels as `{name="value"}`; of a text that is none, a stream whose records have it as an attribute."""
    return (_of_text if len(text) <= _CACHED_MAX_CHARACTERS else _of_text.__wrapped__)(text)


def stream_of_labels(labels: Mapping[str, str]) -> Stream:
    pairs = tuple(labels.items())
    is_cached = sum(len(name) + len(value) for name, value in pairs) <= _CACHED_MAX_CHARACTERS
    return (_of_pairs if is_cached else _of_pairs.__wrapped__)(pairs)


@lru_cache(_CACHED)
def _of_text(text: str) -> Stream:
    try:
        return stream_of_labels(parse_labels(text))
    except InvalidInput as error:
        return Stream(Source(), attributes={ERROR: str(error), "labels": text})


@lru_cache(_CACHED)
def _of_pairs(pairs: Pairs) -> Stream:
    found = resolve(dict(pairs))
    rest = {name: str(value) for name, value in found.rest.items()}
    source = _over(found.source, Source(labels=rest))
    return Stream(source, found.severity, found.trace_id, found.span_id)


class Entries:
    """Collects the entries of a push, stream by stream."""

    def __init__(self, request: Request) -> None:
        self._rows = Rows(request)
        self._stream = Stream(Source())
        self._group = -1
        self._groups: dict[Pairs, tuple[int, str]] = {}

    def begin(self, stream: Stream) -> None:
        """What is added from now on belongs to this stream."""
        self._stream = stream
        self._group = self._rows.group(stream.source)
        self._groups = {}

    def add(self, time_ns: int | None, line: str | bytes, metadata: Mapping[str, object] | None = None) -> None:
        """An entry; without a time it is the receiver's."""
        stream = self._stream
        if not metadata and not stream.attributes:
            self._rows.add(
                self._group,
                time_ns,
                line,
                severity=stream.severity,
                trace_id=stream.trace_id,
                span_id=stream.span_id,
            )
            return
        attributes = {**stream.attributes, **(metadata or {})}
        trace_id = _taken(attributes, _TRACE_IDS) or stream.trace_id
        span_id = _taken(attributes, _SPAN_IDS) or stream.span_id
        group, severity = self._lift(attributes)
        self._rows.add(
            group,
            time_ns,
            line,
            severity=severity or stream.severity,
            attributes=attributes,
            trace_id=trace_id,
            span_id=span_id,
        )

    def decoded(self) -> Decoded:
        return self._rows.decoded()

    def _lift(self, attributes: dict[str, object]) -> tuple[int, str]:
        """Takes identity and severity out of metadata: the group they lead to, and the severity or ''."""
        known = tuple((name, value) for name, value in attributes.items() if _is_known(name) and type(value) is str)
        if not known:
            return self._group, ""
        for name, _ in known:
            del attributes[name]
        found = _resolved(known)
        attributes.update(found.attributes)
        if found.source == Source():
            return self._group, found.severity
        if (lifted := self._groups.get(known)) is None:
            group = self._rows.group(_over(found.source, self._stream.source))
            lifted = self._groups[known] = group, found.severity
        return lifted


@lru_cache(_CACHED)
def _resolved(pairs: Pairs) -> Stream:
    found = resolve(dict(pairs))
    return Stream(found.source, found.severity, found.trace_id, found.span_id, found.rest)


@lru_cache(_CACHED)
def _is_known(name: str) -> bool:
    """Whether it says where a record comes from, or how severe it is."""
    return name not in resolve({name: "info"}).rest


def _over(first: Source, second: Source) -> Source:
    return Source(
        first.cluster or second.cluster,
        first.namespace or second.namespace,
        first.pod or second.pod,
        first.container or second.container,
        first.stream or second.stream,
        {**second.labels, **first.labels},
    )


def _taken(attributes: dict[str, object], names: tuple[str, ...]) -> str | None:
    for name in names:
        if (value := attributes.get(name)) and isinstance(value, str):
            del attributes[name]
            return value
    return None
