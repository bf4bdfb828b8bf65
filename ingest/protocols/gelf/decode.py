"""GELF documents as records (GELF 1.1, "GELF Payload Specification").

- `time`: `timestamp`, as its digits say it, never through a float; milliseconds where it is too large for seconds.
- `message`: `short_message`; attribute `full_message` where that is another text.
- `severity`: of `level`; attribute `syslog_severity` where the six words do not tell it (emerg, alert, crit, notice).
- Additional fields are attributes, without their underscore and with their types. Those that say where the record
  comes from (as `ingest.identity` reads them: Docker's driver, `_kubernetes_pod_name`, …) are identity and labels, and
  `host` is then the label `node`; if none does, `host` is the pod.
- A document without `short_message` is another library's JSON: where it has no `timestamp`, its `@timestamp` counts, or
  its `datetime`. A `timestamp` may be RFC 3339.
- A document that cannot be read is stored as it came, with the attribute `_ingest_error`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from ingest import times
from ingest.body import inflate
from ingest.entries import Most, Unsure
from ingest.json_text import to_json
from ingest.messages import Message, pack, unpack, whole
from ingest.order import complete
from ingest.protocols.gelf.document import Document, as_sent, documents_of
from ingest.protocols.gelf.fields import Fields, Sorted
from ingest.protocols.gelf.origin import Origins
from ingest.protocols.gelf.timestamp import time_ns
from ingest.protocols.gelf.usual import decode_usual
from ingest.request import Decoded, Limits, Request, Sender
from ingest.rows import INGEST_ERROR, Rows, Source
from ingest.severity import says_more, severity_of, severity_of_syslog
from logstore.errors import InvalidInput, TooLarge

_UNTOLD: Final = {0: "emerg", 1: "alert", 2: "crit", 5: "notice"}
_MAPPED: Final = "::ffff:"
_MESSAGES: Final = ("short_message", "message", "full_message")
_OTHER_TIMES: Final = ("@timestamp", "datetime", "time")
_OTHER_MESSAGES: Final = ("@message", "msg")
"""Of Logstash's format before its version 1, which python-logstash writes unless told otherwise; of pino and bunyan."""
_OTHER_HOSTS: Final = ("@source_host", "hostname")


def decode_messages(request: Request) -> Decoded:
    """Documents of connections and datagrams (`ingest.messages`)."""
    most = _usual(request)
    if (most is None or most.left) and (inflated := _inflated(request)):
        request = replace(request, body=inflated)
        most = _usual(request)
    if most is None:
        return decode_any(unpack(request.body), request)
    return complete(most, request, decode_any)


def decode_any(messages: Iterable[tuple[str, Message]], request: Request) -> Decoded:
    """The records of messages, each with its sender, one at a time."""
    gelf = _Gelf(request)
    for peer, message in messages:
        gelf.add(message, peer.removeprefix(_MAPPED))
    return replace(gelf.rows.decoded(), senders=gelf.sent)


def decode_request(request: Request) -> Decoded:
    """The document of one request; or several, each in a line of its own or in one array.

    Raises:
        InvalidInput: there is no document in it.
    """
    most = _usual(replace(request, body=pack([whole(request.body)], "")))
    if most is not None and not most.left:
        return replace(most.decoded, senders={})
    documents = list(documents_of(request.body))
    if not any(document is not None for document, _ in documents):
        raise InvalidInput("the body is no GELF document, which is a JSON object with host and short_message")
    gelf = _Gelf(request)
    gelf.add_documents(documents, "")
    return gelf.rows.decoded()


def _usual(request: Request) -> Most | None:
    try:
        return decode_usual(request)
    except Unsure:
        return None


def _inflated(request: Request) -> bytes:
    """The same messages without compression; nothing if none has any, another is not as it should be, or they are too
    much."""
    bodies: list[bytes] = []
    inflater = _Inflater(request.limits)
    is_compressed = False
    for peer, message in unpack(request.body):
        content = message.content
        if message.missing:
            return b""
        if not content.startswith(b"{"):
            try:
                content = inflater.inflate(content)
            except (InvalidInput, TooLarge):
                return b""
            is_compressed = True
        bodies.append(pack([whole(content)], peer))
    return b"".join(bodies) if is_compressed else b""


class _Inflater:
    """Takes compression off the messages of one request: none becomes longer than `max_line`, and all together grow by
    no more than `max_body`."""

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.max_line_bytes
        self._growth_bytes = limits.max_body_bytes

    def inflate(self, content: bytes) -> bytes:
        """Raises as `ingest.body.inflate` does."""
        inflated = inflate(content, "", min(self._max_bytes, len(content) + self._growth_bytes))
        self._growth_bytes -= max(0, len(inflated) - len(content))
        return inflated


class _Gelf:
    """The documents of one request."""

    def __init__(self, request: Request) -> None:
        self.rows = Rows(request)
        self.sent = Counter[Sender]()
        self._max_bytes = request.limits.max_line_bytes
        self._inflater = _Inflater(request.limits)
        self._fields = Fields(request.identity)
        self._origins = Origins(request.identity, self.rows)

    def add(self, message: Message, peer: str) -> None:
        """A message as it was sent, which may be compressed."""
        content = message.content
        if message.missing:
            self._add_raw(content, peer, message.missing)
            return
        if not content.startswith(b"{"):
            try:
                content = self._inflater.inflate(content)
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
        fields = self._fields.sort(document)
        level = _level(document.get("level"))
        host = _word(document.get("host")) or _other_host(document) or peer
        self.sent[Sender.at(peer, host)] += 1
        found = self._origins.of(fields.told, host, level)
        attributes = {**fields.attributes, **found.rest, **_own_attributes(document, message, level, fields)}
        if message and not any(document.get(name) for name in _MESSAGES):
            _take_other(attributes, message)
        timestamp = document.get("timestamp")
        happened_ns = time_ns(timestamp, text)
        if happened_ns is None and isinstance(timestamp, str):
            happened_ns = times.rfc3339_ns(timestamp)
        if happened_ns is None and timestamp is not None:
            attributes["_time"] = timestamp
        elif happened_ns is None and "short_message" not in document:
            happened_ns = _take_other_time(attributes)
        self.rows.add(
            found.group,
            happened_ns,
            as_sent(message, text),
            severity=severity_of_syslog(level) or severity_of(_word(document.get("level"))),
            attributes=attributes,
            trace_id=fields.trace_id,
            span_id=fields.span_id,
        )

    def _add_raw(self, content: bytes, peer: str, error: str) -> None:
        self.sent[Sender.at(peer)] += 1
        group = self.rows.group(Source(pod=peer))
        self.rows.add(group, None, content[: self._max_bytes], attributes={INGEST_ERROR: error})


def _message(document: Document) -> str | None:
    for name in (*_MESSAGES, *_OTHER_MESSAGES):
        if value := document.get(name):
            return value if isinstance(value, str) else to_json({"": value})[4:-1]
    return "" if "short_message" in document else None


def _take_other(attributes: dict[str, Any], message: str) -> None:
    """The message, as other libraries have it, is no attribute."""
    for name in _OTHER_MESSAGES:
        if attributes.get(name) == message:
            del attributes[name]
            return


def _other_host(document: Document) -> str:
    """The host of a document that is no GELF."""
    if "short_message" in document:
        return ""
    return next((host for name in _OTHER_HOSTS if (host := _word(document.get(name)))), "")


def _take_other_time(attributes: dict[str, Any]) -> int | None:
    """As Logstash's format has it, or Monolog's; one that cannot be read stays."""
    for name in _OTHER_TIMES:
        if (happened_ns := times.time_ns(attributes.get(name))) is not None:
            del attributes[name]
            return happened_ns
    return None


def _own_attributes(document: Document, message: str, level: int, fields: Sorted) -> dict[str, Any]:
    """What a document's own members say that no column holds."""
    attributes: dict[str, Any] = {}
    if document.get("full_message", message) != message:
        attributes["full_message"] = document["full_message"]
    if document.get("message", message) != message:
        attributes["gelf.message" if "message" in fields.attributes else "message"] = document["message"]
    if word := _UNTOLD.get(level):
        attributes["syslog_severity"] = word
    elif level < 0 and (unread := document.get("level")) is not None and says_more(_word(unread)):
        attributes["gelf.level" if "level" in fields.attributes else "level"] = unread
    return attributes


def _level(value: object) -> int:
    """0-7, or -1."""
    if isinstance(value, str) and value.isdecimal() and len(value) == 1:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 7 else -1


def _word(value: object) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
