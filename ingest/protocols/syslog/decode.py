"""Syslog messages as records.

- `time`: the message's, else the receiver's. `severity`: of the priority; attribute `syslog_severity` where the six
  words do not tell it (emerg, alert, crit, notice). `message`: what follows header and tag.
- A host's own log: namespace `_node`, pod and label `node` are the host (the sender's address where the message names
  none), container the app or tag.
- A container's log, told by the tag of Docker's syslog driver, by a structured element `kubernetes`, or by such an
  object in a JSON message, bare or after `@cee:`: the container's identity, and label `node` the host.
- Attributes `facility`, `procid`, `msgid`, `sequence`, texts all of them; structured data as objects by their ids,
  whose members are texts; the members of a JSON object after `@cee:`, with their types.
- A message that cannot be understood is stored as it came, with the attribute `_ingest_error`; so is one that was cut
  off, as far as it goes.
"""

from collections.abc import Iterable
from datetime import UTC, tzinfo

from ingest.alike import Alike
from ingest.entries import Unsure
from ingest.messages import Message, unpack
from ingest.order import complete
from ingest.protocols.syslog.header import Parsed, parse
from ingest.protocols.syslog.times import clock_of
from ingest.protocols.syslog.told import Told, by_header, by_json, by_structured, has_json
from ingest.protocols.syslog.usual import decode_usual
from ingest.request import Decode, Decoded, Request, Sender
from ingest.rows import INGEST_ERROR


def decoder(local: tzinfo = UTC) -> Decode:
    """Decodes packed messages (`ingest.messages`). `local` is the zone of times that have none."""

    def exact(messages: Iterable[tuple[str, Message]], request: Request) -> Decoded:
        return decode_any(messages, request, local)

    def decode(request: Request) -> Decoded:
        try:
            most = decode_usual(request, local)
        except Unsure:
            return exact(unpack(request.body), request)
        return complete(most, request, exact)

    return decode


def decode_any(messages: Iterable[tuple[str, Message]], request: Request, local: tzinfo = UTC) -> Decoded:
    """The records of messages, each with its sender, one at a time."""
    syslog = _Syslog(request, local)
    for peer, message in messages:
        syslog.add(peer, message)
    return syslog.records.decoded()


class _Syslog:
    """The messages of one request."""

    def __init__(self, request: Request, local: tzinfo) -> None:
        self.records = Alike(request)
        self._request = request
        self._seconds_of = clock_of(local, request.now_ns)
        self._max_bytes = request.limits.max_line_bytes
        self._told: dict[tuple[object, ...], Told] = {}

    def add(self, peer: str, message: Message) -> None:
        content = message.content[: self._max_bytes]
        message = Message(content, message.whole_bytes)
        text, is_text = _text(message)
        parsed = parse(text, self._seconds_of)
        told = self._by_header(parsed, peer)
        if parsed.structured:
            told = by_structured(parsed.structured, told, self._request.identity)
        if has_json(parsed.message):
            told = by_json(parsed.message, told, self._request.identity)
        attributes = told.attributes
        if parsed.sequence:
            attributes = {**attributes, "sequence": parsed.sequence}
        if wrong := parsed.error or message.missing:
            attributes = {**attributes, INGEST_ERROR: wrong}
        kind = self.records.kind(told.source, told.severity, attributes, Sender.at(peer, told.host))
        line = parsed.message if is_text else parsed.message.encode("utf-8", "surrogateescape")
        self.records.add(kind, parsed.time_ns, line)

    def _by_header(self, parsed: Parsed, peer: str) -> Told:
        key = (peer, parsed.priority, *parsed[2:6])
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = by_header(parsed, peer, self._request.identity)
        return told


def _text(message: Message) -> tuple[str, bool]:
    """The text, with lone surrogates for bytes that are none; and whether it has no such."""
    try:
        return message.content.decode(), True
    except UnicodeDecodeError as error:
        if message.missing and error.end == len(message.content):
            return message.content[: error.start].decode(), True  # cut off within a character
        return message.content.decode("utf-8", "surrogateescape"), False
