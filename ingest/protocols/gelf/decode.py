"""GELF documents as records (GELF 1.1, "GELF Payload Specification").

- `time`: `timestamp`, as its digits say it, never through a float; milliseconds where it is too large for seconds.
- `message`: `short_message`; attribute `full_message` where that is another text.
- `severity`: of `level`; attribute `syslog_severity` where the six words do not tell it (emerg, alert, crit, notice).
- Additional fields are attributes, without their underscore and with their types. Those that say where the record
  comes from (as `ingest.identity` reads them: Docker's driver, `_kubernetes_pod_name`, …) are identity and labels, and
  `host` is then the label `node`; if none does, `host` is the pod.
- A document that cannot be read is stored as it came, with the attribute `_ingest_error`.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from ingest.body import inflate
from ingest.identity import Resolved, resolve
from ingest.identity_table import Table, normal
from ingest.json_text import to_json
from ingest.messages import Message, unpack
from ingest.protocols.gelf.document import Document, documents_of, number_text
from ingest.request import Decoded, Request
from ingest.rows import INGEST_ERROR, Rows, Source
from ingest.severity import severity_of, severity_of_syslog
from logstore.errors import InvalidInput, TooLarge
from logstore.record import NODE_NAMESPACE

_OWN: Final = frozenset(("version", "host", "short_message", "full_message", "timestamp", "level"))
_UNTOLD: Final = {0: "emerg", 1: "alert", 2: "crit", 5: "notice"}
_STREAMS: Final = {3: "stderr", 6: "stdout"}
"""What Docker's driver tells by its two levels."""
_EPOCH_UNITS: Final = ((10**11, 9), (10**14, 6), (10**17, 3))
"""Below each of these an epoch counts in units of so many decimals of a nanosecond's."""
_MAPPED: Final = "::ffff:"


def decode_messages(request: Request) -> Decoded:
    """Documents of connections and datagrams (`ingest.messages`)."""
    gelf = _Gelf(request)
    for peer, message in unpack(request.body):
        gelf.add(message, peer.removeprefix(_MAPPED))
    return gelf.rows.decoded()


def decode_request(request: Request) -> Decoded:
    """The document of one request; or several, each in a line of its own or in one array.

    Raises:
        InvalidInput: there is no document in it.
    """
    documents = list(documents_of(request.body))
    if not any(document is not None for document, _ in documents):
        raise InvalidInput("the body is no GELF document, which is a JSON object with host and short_message")
    gelf = _Gelf(request)
    gelf.add_documents(documents, "")
    return gelf.rows.decoded()


class _Place(NamedTuple):
    """What fields say of the origin of a document, and those among them that do not."""

    resolved: Resolved
    is_told: bool


class _Gelf:
    """The documents of one request."""

    def __init__(self, request: Request) -> None:
        self.rows = Rows(request)
        self._max_bytes = request.limits.max_line_bytes
        self._places: dict[tuple[object, ...], _Place] = {}
        self._groups: dict[tuple[object, ...], int] = {}
        self._table = request.identity
        self._tells: dict[str, bool] = {}

    def add(self, message: Message, peer: str) -> None:
        """A message as it was sent, which may be compressed."""
        content = message.content
        if message.missing:
            self._add_raw(content, peer, message.missing)
            return
        if not content.startswith(b"{"):
            try:
                content = inflate(content, "", self._max_bytes)
            except (InvalidInput, TooLarge) as error:
                self._add_raw(content, peer, str(error))
                return
        self.add_documents(documents_of(content), peer)

    def add_documents(self, documents: Iterable[tuple[Document | None, bytes]], peer: str) -> None:
        for document, text in documents:
            if document is None:
                self._add_raw(text, peer, "not a JSON object")
            elif (message := _message(document)) is None:
                self._add_raw(text, peer, "no short_message")
            else:
                self._add(document, message, text, peer)

    def _add(self, document: Document, message: str, text: bytes, peer: str) -> None:
        level = _level(document.get("level"))
        attributes = _attributes(document, message, level)
        place, attributes = self._place(attributes)
        time_ns = _time_ns(document.get("timestamp"), text)
        if time_ns is None and document.get("timestamp") is not None:
            attributes["_time"] = document["timestamp"]
        resolved = place.resolved
        self.rows.add(
            self._group(_source(place, _word(document.get("host")) or peer, level)),
            time_ns,
            message,
            severity=severity_of_syslog(level) or severity_of(_word(document.get("level"))) or resolved.severity,
            attributes=attributes,
            trace_id=resolved.trace_id,
            span_id=resolved.span_id,
        )

    def _add_raw(self, content: bytes, peer: str, error: str) -> None:
        self.rows.add(self._group(Source(pod=peer)), None, content[: self._max_bytes], attributes={INGEST_ERROR: error})

    def _place(self, attributes: dict[str, Any]) -> tuple[_Place, dict[str, Any]]:
        """Where the document comes from, and its attributes without what says so."""
        told = {key: value for key, value in attributes.items() if self._is_of_origin(key) and _is_scalar(value)}
        key = tuple(told.items())
        place = self._places.get(key)
        if place is None:
            resolved = resolve(told, self._table)
            source = resolved.source
            place = _Place(resolved, bool(source.namespace or source.pod or source.container))
            self._places[key] = place
        if told:
            attributes = {name: value for name, value in attributes.items() if name not in told}
            attributes |= place.resolved.rest
        return place, attributes

    def _is_of_origin(self, key: str) -> bool:
        tells = self._tells.get(key)
        if tells is None:
            tells = self._tells[key] = _tells(key, self._table)
        return tells

    def _group(self, source: Source) -> int:
        words = (source.cluster, source.namespace, source.pod, source.container, source.stream)
        key = (*words, *sorted(source.labels.items()))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self.rows.group(source)
        return group


def _tells(key: str, table: Table) -> bool:
    """Whether a field may say where a document comes from. Those that applications use for their own do not."""
    path = normal(key)
    if path in table.ambiguous or table.targets.get(path, ("",))[0] == "severity":
        return False
    return path in table.targets or path in table.patterns or path.startswith(table.pod_labels)


def _source(place: _Place, host: str, level: int) -> Source:
    source, labels = place.resolved.source, place.resolved.source.labels
    if not place.is_told:
        return Source(source.cluster, pod=host, stream=source.stream, labels=labels)
    labels = {"node": host, **labels} if host else labels
    stream = source.stream or (_STREAMS.get(level, "") if "container_id" in labels else "")
    pod = source.pod or (host if source.namespace == NODE_NAMESPACE else "")
    return Source(source.cluster, source.namespace, pod, source.container, stream, labels)


def _message(document: Document) -> str | None:
    for name in ("short_message", "message", "full_message"):
        if value := document.get(name):
            return value if isinstance(value, str) else to_json({"": value})[4:-1]
    return "" if "short_message" in document else None


def _attributes(document: Document, message: str, level: int) -> dict[str, Any]:
    """Additional fields by their names; one without an underscore gives way to that with one."""
    attributes: dict[str, Any] = {key[1:]: value for key, value in document.items() if key[:1] == "_" and key != "_"}
    for key, value in document.items():
        if key[:1] != "_" and key not in _OWN:
            attributes[f"gelf.{key}" if key in attributes else key] = value
    if attributes.get("message") == message:
        del attributes["message"]
    if document.get("full_message", message) != message:
        attributes["full_message"] = document["full_message"]
    if word := _UNTOLD.get(level):
        attributes["syslog_severity"] = word
    elif level < 0 and (unread := document.get("level")) is not None:
        attributes.setdefault("level", unread)
    return attributes


def _level(value: object) -> int:
    """0-7, or -1."""
    if isinstance(value, str) and value.isdecimal() and len(value) == 1:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 7 else -1


def _time_ns(value: object, text: bytes) -> int | None:
    """Nanoseconds of an epoch in seconds, or in ms, µs or ns where it is too large for seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    digits = number_text(text, b"timestamp", value) if isinstance(value, float) else str(value)
    try:
        number = Decimal(digits)
        size = abs(number)
        decimals = next((decimals for limit, decimals in _EPOCH_UNITS if size < limit), 0)
        return int(number.scaleb(decimals))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _word(value: object) -> str:
    return value if isinstance(value, str) else str(value) if _is_scalar(value) else ""


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)
