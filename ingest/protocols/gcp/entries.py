"""Entries as records, whichever transport they came by: JSON values as `entries.write` of the REST API has them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.json_body import as_sent, read_json
from ingest.json_objects import DEPTH_MAX, is_deeper
from ingest.json_text import to_json
from ingest.protocols.gcp.protobuf import Unread
from ingest.request import Decoded, Request
from ingest.rows import INGEST_ERROR, Rows, Source
from ingest.severity import says_more, severity_of
from ingest.times import NS_PER_S, time_ns
from logstore.record import NODE_NAMESPACE

_RAW_MAX: Final = 1 << 20
"""What is kept of an entry that is none."""
_MESSAGE: Final = ("message", "msg", "log", "MESSAGE")
_PAYLOADS: Final = ("textPayload", "jsonPayload", "protoPayload")
_SEVERITIES: Final = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
"""Of LogSeverity's numbers, by hundreds."""
_STREAMS: Final = ("stdout", "stderr")
_OF_AGENTS: Final = "kubernetes"
_POD_LABEL: Final = "k8s-pod/"
_NODE_LABEL: Final = "compute.googleapis.com/resource_name"
_ELSEWHERE: Final = frozenset(
    {*_PAYLOADS, "logName", "resource", "labels", "timestamp", "receiveTimestamp", "severity", "trace", "spanId"}
)


def decode_write(write: Mapping[str, Any], request: Request) -> Decoded:
    """The entries of a request that is read.

    Raises:
        TooLarge: more entries than `limits.max_records`.
    """
    entries = write.get("entries", [])
    rows = Rows(request)
    if write.get("dryRun") or write.get("dry_run"):
        return rows.decoded()
    writer = _Writer(rows, write, request.identity)
    for entry in entries:
        writer.add(entry)
    is_named = bool(entries) and all(isinstance(entry, dict) and entry.get("insertId") for entry in entries)
    key = hashlib.blake2b(request.body, digest_size=32).hexdigest() if is_named and request.body else ""
    return rows.decoded(key)


@dataclass(frozen=True, slots=True)
class _Place:
    """What is said of where an entry comes from; entries for which it is the same are one group."""

    log_name: str
    resource_type: str
    resource_labels: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    """Those of the pod and the node."""
    stream: str
    kubernetes: str
    """What an agent wrote into the payload, as JSON."""


class _Writer:
    """Puts entries into rows."""

    def __init__(self, rows: Rows, defaults: Mapping[str, Any], table: Table) -> None:
        self._rows = rows
        self._table = table
        self._log_name = defaults.get("logName")
        self._resource = defaults.get("resource")
        self._labels = _object(defaults.get("labels"))
        self._groups: dict[_Place, tuple[int, Mapping[str, Any]]] = {}

    def add(self, entry: Any) -> None:
        problem = _problem(entry)
        if problem:
            text = entry.content if isinstance(entry, Unread) else _text(entry)
            group, _ = self._group({}, {}, {})
            self._rows.add(group, None, text[:_RAW_MAX], attributes={INGEST_ERROR: problem})
            return
        labels = {**self._labels, **_object(entry.get("labels"))}
        about, own = _split(labels)
        message, payload = _payload(entry)
        told, payload = _told(payload)
        group, left = self._group(entry, about, told)
        rest = {name: value for name, value in entry.items() if name not in _ELSEWHERE}
        attributes = {**own, **rest, **left, **payload}
        severity = _severity(entry.get("severity") or "DEFAULT")
        if says_more(severity) and severity != "DEFAULT":
            attributes["severity"] = severity
        when_ns = _time(entry.get("timestamp"))
        if when_ns is None and entry.get("timestamp") is not None:
            attributes["_time"] = entry["timestamp"]
        trace = _text(entry.get("trace") or "").rpartition("/")[2]
        self._rows.add(
            group,
            when_ns,
            message,
            severity=severity_of(severity),
            attributes=attributes,
            trace_id=trace or None,
            span_id=_text(entry.get("spanId") or "") or None,
        )

    def _group(
        self, entry: Mapping[str, Any], about: Mapping[str, str], told: Mapping[str, Any]
    ) -> tuple[int, Mapping[str, Any]]:
        """Where the entry comes from, and the attributes that are left of what tells it."""
        resource = _object(entry.get("resource") or self._resource)
        place = _Place(
            _text(entry.get("logName") or self._log_name or ""),
            _text(resource.get("type") or ""),
            tuple((name, _text(value)) for name, value in _object(resource.get("labels")).items()),
            tuple(about.items()),
            told.get("stream", ""),
            to_json(told[_OF_AGENTS]) if _OF_AGENTS in told else "",
        )
        known = self._groups.get(place)
        if known is None:
            source, left = _source(place, self._table)
            known = self._groups[place] = self._rows.group(source), left
        return known


def _source(place: _Place, table: Table) -> tuple[Source, Mapping[str, Any]]:
    """Where entries come from, and what is left of an agent's words; the log's own name is their stream unless they
    say it, or it is the tag of a container's file."""
    log = unquote(place.log_name.rpartition("/logs/")[2])
    of_agent = {_OF_AGENTS: read_json(place.kubernetes.encode("utf-8", "replace"))} if place.kubernetes else {}
    resolved = resolve({**dict(place.resource_labels), **dict(place.labels), "fluent_tag": log, **of_agent}, table)
    left = {_OF_AGENTS: resolved.rest[_OF_AGENTS]} if of_agent and _OF_AGENTS in resolved.rest else {}
    named = {"log_name": place.log_name, "resource_type": place.resource_type}
    rest = {name: _text(value) for name, value in resolved.rest.items() if name not in (_OF_AGENTS, "fluent_tag")}
    labels = {**{name: text for name, text in named.items() if text}, **rest, **resolved.source.labels}
    is_tag = "fluent_tag" not in resolved.rest
    stream = place.stream or resolved.source.stream or ("" if is_tag else log)
    source = replace(resolved.source, stream=stream, labels=labels)
    if place.resource_type != "k8s_node":
        return source, left
    return replace(source, namespace=NODE_NAMESPACE, pod=labels.get("node", ""), container=log), left


def _split(labels: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Labels of the pod and the node, by their own names, and all others."""
    about: dict[str, str] = {}
    own: dict[str, Any] = {}
    for name, value in labels.items():
        if name.startswith(_POD_LABEL):
            about[f"kubernetes.labels.{name.removeprefix(_POD_LABEL)}"] = _text(value)
        elif name == _NODE_LABEL:
            about["node_name"] = _text(value)
        else:
            own[name] = value
    return about, own


def _told(payload: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an agent wrote into a payload about where it comes from, and the payload without it."""
    told = {name: value for name, value in payload.items() if _is_told(name, value)}
    return told, {name: value for name, value in payload.items() if name not in told}


def _is_told(name: str, value: Any) -> bool:
    return (name == _OF_AGENTS and isinstance(value, dict)) or (name == "stream" and value in _STREAMS)


def _problem(entry: Any) -> str:
    """Why this is no entry; '' if it is one."""
    if isinstance(entry, Unread):
        return entry.error
    if not isinstance(entry, dict):
        return "the entry is not an object"
    return f"the entry is nested deeper than {DEPTH_MAX} levels" if is_deeper(entry, DEPTH_MAX) else ""


def _payload(entry: Mapping[str, Any]) -> tuple[str | bytes, dict[str, Any]]:
    """The text of an entry, and the members of its payload besides. Without a text, the payload as JSON."""
    name = next((name for name in _PAYLOADS if entry.get(name) is not None), "")
    payload = entry.get(name)
    if not isinstance(payload, dict):
        return as_sent(_text(payload)) if name else "", {}
    for key in _MESSAGE if name == "jsonPayload" else ():
        if payload.get(key) is not None:
            return as_sent(_text(payload[key])), {other: value for other, value in payload.items() if other != key}
    return to_json(payload), {}


def _severity(value: Any) -> str:
    """The word of a severity; numbers have one too."""
    text = _text(value)
    hundreds = int(text) // 100 if text.isascii() and text.isdecimal() and len(text) < 5 else len(_SEVERITIES)
    return _SEVERITIES[hundreds] if hundreds < len(_SEVERITIES) else text


def _time(value: Any) -> int | None:
    """RFC 3339, or seconds and nanoseconds apart."""
    if not isinstance(value, dict):
        return time_ns(value)
    seconds, nanos = (_whole(value.get(name, 0)) for name in ("seconds", "nanos"))
    return None if seconds is None or nanos is None else seconds * NS_PER_S + nanos


def _whole(value: Any) -> int | None:
    """A whole number, also as text, as JSON has those of 64 bits."""
    if isinstance(value, str) and value.lstrip("-").isdecimal() and value.isascii() and len(value) <= 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json({"": value})[4:-1]
