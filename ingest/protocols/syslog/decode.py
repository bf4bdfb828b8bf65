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

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple

import orjson

from ingest.messages import Message, unpack
from ingest.protocols.syslog import origin
from ingest.protocols.syslog.header import Parsed, parse
from ingest.protocols.syslog.structured import elements
from ingest.request import Decode, Decoded, Request
from ingest.rows import INGEST_ERROR, Rows, Source
from ingest.severity import severity_of_syslog

_FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
_UNTOLD: Final = {0: "emerg", 1: "alert", 2: "crit", 5: "notice"}
_CEE: Final = "@cee:"
_MAPPED: Final = "::ffff:"


def decoder(local: tzinfo = UTC) -> Decode:
    """Decodes packed messages (`ingest.messages`). `local` is the zone of times that have none."""

    def decode(request: Request) -> Decoded:
        syslog = _Syslog(request, local)
        for peer, message in unpack(request.body):
            syslog.add(peer, message)
        return syslog.rows.decoded()

    return decode


class _Common(NamedTuple):
    """What a header says, time and sequence aside; many messages have it in common."""

    group: int
    severity: str
    attributes: dict[str, Any]
    host: str


class _Syslog:
    """The messages of one request."""

    def __init__(self, request: Request, local: tzinfo) -> None:
        self.rows = Rows(request)
        self._local = local
        self._now_ns = request.now_ns
        self._max_bytes = request.limits.max_line_bytes
        self._common: dict[tuple[object, ...], _Common] = {}
        self._groups: dict[tuple[object, ...], int] = {}

    def add(self, peer: str, message: Message) -> None:
        if len(message.content) > self._max_bytes:
            message = Message(message.content[: self._max_bytes], message.whole_bytes)
        try:
            text, is_text = message.content.decode(), True
        except UnicodeDecodeError as error:
            text, is_text = _undecodable(message, error)
        parsed = parse(text, self._local, self._now_ns)
        common = self._common_of(parsed, peer)
        attributes = common.attributes
        group = common.group
        if parsed.sequence:
            attributes = {**attributes, "sequence": parsed.sequence}
        if parsed.message.startswith(("@cee:", "{")):
            group, attributes = self._told_by_json(parsed.message, common, attributes)
        if wrong := parsed.error or message.missing:
            attributes = {**attributes, INGEST_ERROR: wrong}
        line = parsed.message if is_text else parsed.message.encode("utf-8", "surrogateescape")
        self.rows.add(group, parsed.time_ns, line, severity=common.severity, attributes=attributes)

    def _common_of(self, parsed: Parsed, peer: str) -> _Common:
        key = (peer, parsed.priority, *parsed[2:6], parsed.structured)
        common = self._common.get(key)
        if common is None:
            common = self._common[key] = self._understand(parsed, peer)
        return common

    def _understand(self, parsed: Parsed, peer: str) -> _Common:
        host = parsed.host or peer.removeprefix(_MAPPED)
        level = parsed.priority & 7 if parsed.priority >= 0 else -1
        attributes = _attributes(parsed)
        source = origin.of_docker(parsed.app, parsed.msgid, host, level)
        if source is None:
            source = origin.of_host(host, parsed.app)
        elif attributes.get("msgid") == parsed.app:  # Docker says the tag twice
            del attributes["msgid"]
        for name, values in elements(parsed.structured).items() if parsed.structured else ():
            rest: Any = values
            if origin.is_kubernetes(name) and (told := origin.of_kubernetes(origin.flat(values), host)):
                source, rest = told
            if rest is not None:
                attributes[f"sd.{name}" if name in attributes else name] = rest
        return _Common(self._group(source), severity_of_syslog(level), attributes, host)

    def _group(self, source: Source) -> int:
        words = (source.cluster, source.namespace, source.pod, source.container, source.stream)
        key = (*words, *sorted(source.labels.items()))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self.rows.group(source)
        return group

    def _told_by_json(self, message: str, common: _Common, attributes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The container that a JSON message is of, if it says so, and its members if it comes after `@cee:`."""
        is_cee = message.startswith(_CEE)
        if not is_cee and '"kubernetes"' not in message:
            return common.group, attributes
        members = _members(message.removeprefix(_CEE))
        group = common.group
        kubernetes = members.get("kubernetes")
        if isinstance(kubernetes, Mapping) and (told := origin.of_kubernetes(kubernetes, common.host)):
            group = self._group(told[0])
            members = {name: value for name, value in members.items() if name != "kubernetes"}
            members |= {"kubernetes": told[1]} if told[1] else {}
        return group, {**members, **attributes} if is_cee else attributes


def _undecodable(message: Message, error: UnicodeDecodeError) -> tuple[str, bool]:
    """The text, with lone surrogates for bytes that are none; and whether it has no such."""
    if message.missing and error.end == len(message.content):
        return message.content[: error.start].decode(), True  # cut off within a character
    return message.content.decode("utf-8", "surrogateescape"), False


def _attributes(parsed: Parsed) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if parsed.priority >= 0:
        attributes["facility"] = _FACILITIES[parsed.priority >> 3]
        if word := _UNTOLD.get(parsed.priority & 7):
            attributes["syslog_severity"] = word
    if parsed.procid:
        attributes["procid"] = parsed.procid
    if parsed.msgid:
        attributes["msgid"] = parsed.msgid
    return attributes


def _members(text: str) -> dict[str, Any]:
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return members if isinstance(members, dict) else {}
