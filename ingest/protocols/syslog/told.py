"""What a message's header, and JSON in it, say of the record: its source, severity and attributes."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from ingest.identity_table import Table
from ingest.protocols.syslog import origin
from ingest.protocols.syslog.header import Parsed
from ingest.protocols.syslog.structured import elements
from ingest.rows import Source
from ingest.severity import severity_of_syslog

_FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
_UNTOLD: Final = {0: "emerg", 1: "alert", 2: "crit", 5: "notice"}
_CEE: Final = "@cee:"
_MAPPED: Final = "::ffff:"


class Told(NamedTuple):
    """All of a record but its time and its message."""

    source: Source
    severity: str
    attributes: dict[str, Any]
    host: str


def by_header(parsed: Parsed, peer: str, table: Table) -> Told:
    """By all of it but structured data. `peer` is the host of a message that names none."""
    host = parsed.host or peer.removeprefix(_MAPPED)
    level = parsed.priority & 7 if parsed.priority >= 0 else -1
    attributes = _attributes(parsed)
    source = origin.of_docker(parsed.app, parsed.msgid, host, level, table)
    if source is None:
        source = origin.of_host(host, parsed.app)
    elif attributes.get("msgid") == parsed.app:  # Docker says the tag twice
        del attributes["msgid"]
    return Told(source, severity_of_syslog(level), attributes, host)


def by_structured(structured: str, told: Told, table: Table) -> Told:
    """Structured data besides, and the container that it may say the message is of."""
    source = told.source
    attributes: dict[str, Any] = {}
    for name, values in elements(structured).items():
        rest: Any = values
        if origin.is_kubernetes(name) and (found := origin.of_kubernetes(origin.flat(values), told.host, table)):
            source, rest = found
        if rest is not None:
            attributes[attribute_of(name, told.attributes)] = rest
    return Told(source, told.severity, {**told.attributes, **attributes}, told.host)


def attribute_of(element: str, taken: Mapping[str, object]) -> str:
    """The attribute that a structured element is: its id, unless that is one of ours."""
    return f"sd.{element}" if element in taken else element


def has_json(message: str) -> bool:
    """Whether a message may say more of its record."""
    return message[:1] in ("{", "@") and (message.startswith(_CEE) or '"kubernetes"' in message)


def by_json(message: str, told: Told, table: Table) -> Told:
    """The container that a JSON message is of, if it says so, and its members if it comes after `@cee:`."""
    is_cee = message.startswith(_CEE)
    members = _members(message.removeprefix(_CEE))
    source = told.source
    kubernetes = members.get("kubernetes")
    if isinstance(kubernetes, Mapping) and (found := origin.of_kubernetes(kubernetes, told.host, table)):
        source, rest = found
        members = {name: value for name, value in members.items() if name != "kubernetes"}
        members |= {"kubernetes": rest} if rest else {}
    attributes = {**members, **told.attributes} if is_cee else told.attributes
    return Told(source, told.severity, attributes, told.host)


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
