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

from datetime import UTC, tzinfo
from typing import Any, Final

from ingest.alike import Alike
from ingest.identity_table import Table
from ingest.messages import Message, unpack
from ingest.protocols.syslog.header import Parsed, parse
from ingest.protocols.syslog.plain import Cut, cut
from ingest.protocols.syslog.structured import elements
from ingest.protocols.syslog.times import clock_of
from ingest.protocols.syslog.told import (
    Told,
    attribute_of,
    by_header,
    by_json,
    by_structured,
    has_json,
    may_be_of_a_pod,
)
from ingest.request import Decode, Decoded, Request, Sender
from ingest.rows import INGEST_ERROR

_REMEMBERED_MAX: Final = 1 << 14
"""Headers; each of a length up to …"""
_REMEMBERED_LENGTH_MAX: Final = 512


def decoder(local: tzinfo = UTC) -> Decode:
    """Decodes packed messages (`ingest.messages`). `local` is the zone of times that have none."""
    memory = _Memory()

    def decode(request: Request) -> Decoded:
        syslog = _Syslog(request, local, memory)
        for peer, message in unpack(request.body):
            syslog.add(peer, message)
        return syslog.records.decoded()

    return decode


class _Memory:
    """What plain headers were found to say, from request to request; forgotten whole when it is full."""

    def __init__(self) -> None:
        self._table: Table | None = None
        self._told: dict[tuple[object, ...], Told] = {}

    def of(self, table: Table) -> dict[tuple[object, ...], Told]:
        """To be added to. Whoever has it goes on to use it when others are given another."""
        if table is not self._table or len(self._told) > _REMEMBERED_MAX:
            self._table, self._told = table, {}
        return self._told


class _Syslog:
    """The messages of one request."""

    def __init__(self, request: Request, local: tzinfo, memory: _Memory) -> None:
        self.records = Alike(request)
        self._request = request
        self._seconds_of = clock_of(local, request.now_ns)
        self._max_bytes = request.limits.max_line_bytes
        self._kinds: dict[tuple[object, ...], int] = {}
        self._structured: dict[tuple[int, str], int] = {}
        self._remembered = memory.of(request.identity)
        self._told: dict[tuple[object, ...], Told] = {}

    def add(self, peer: str, message: Message) -> None:
        """One message. Most are of a plain form and alike to one before in all but time and text."""
        if message.whole_bytes == len(message.content) <= self._max_bytes:
            try:
                text = message.content.decode()
            except UnicodeDecodeError:
                pass
            else:
                found = cut(text, self._seconds_of)
                if found is not None and (kind := self._kind_of(found, text, peer)) is not None:
                    self.records.add(kind, found[1], found[3])
                    return
        self._add_any(peer, message)

    def _kind_of(self, found: Cut, text: str, peer: str) -> int | None:
        """None if the message is not what it seems, or says more than most."""
        common, time_ns, structured, line = found
        if has_json(line) or (structured and may_be_of_a_pod(structured)):
            return None
        key = (peer, common)
        kind = self._kinds.get(key)
        if kind is None:
            told = self._remembered.get(key)
            if told is None:
                parsed = parse(text, self._seconds_of)
                if parsed.error or (parsed.time_ns, parsed.structured, parsed.message) != (time_ns, structured, line):
                    return None
                told = self._by_header(parsed, peer)
                if len(common[1]) <= _REMEMBERED_LENGTH_MAX:
                    self._remembered[key] = told
            kind = self._kinds[key] = self._kind(told, told.attributes, peer)
        return self._with_structured(kind, structured) if structured else kind

    def _with_structured(self, kind: int, structured: str) -> int:
        key = (kind, structured)
        found = self._structured.get(key)
        if found is None:
            taken = self.records.attributes(kind)
            attributes = {attribute_of(name, taken): values for name, values in elements(structured).items()}
            found = self._structured[key] = self.records.variant(kind, attributes)
        return found

    def _add_any(self, peer: str, message: Message) -> None:
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
        kind = self._kind(told, attributes, peer)
        line = parsed.message if is_text else parsed.message.encode("utf-8", "surrogateescape")
        self.records.add(kind, parsed.time_ns, line)

    def _kind(self, told: Told, attributes: dict[str, Any], peer: str) -> int:
        return self.records.kind(told.source, told.severity, attributes, Sender.at(peer, told.host))

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
