"""A push in JSON, of today (`stream`, `values`) or of /api/prom/push (`labels`, `entries`), in either place.

    {"streams": [{"stream": {"job": "api"}, "values": [["1700000000000000001", "a line", {"user": "7"}]]}]}
    {"streams": [{"labels": "{job=\\"api\\"}", "entries": [{"ts": "2026-03-01T12:00:00Z", "line": "a line"}]}]}

Loki wants times as strings of nanoseconds and metadata as strings; numbers are taken as well. What is no entry is
stored as its JSON text, with the attribute `_ingest_error`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ingest.entries import Unsure, decode_entries, entries_kernel
from ingest.groups import of_labels, over
from ingest.identity import Resolved
from ingest.identity_table import Table, normal
from ingest.json_body import as_sent, read_json
from ingest.json_text import to_json
from ingest.protocols.loki.streams import SPAN_IDS, TRACE_IDS, lifted, resolve_group, resolve_json_group
from ingest.request import Decoded, Request
from ingest.rows import INGEST_ERROR, Rows
from logstore.errors import InvalidInput
from logstore.native import TIME_UNREADABLE, parse_time

_KERNEL: Final = entries_kernel("kernel_loki_json")
_DIGITS_MAX: Final = 32
_KNOWN_NAMES: Final = 4096
_KNOWN_MAX_CHARACTERS: Final = 256
_EXAMPLE: Final = '{"streams": [{"stream": {"job": "api"}, "values": [["1700000000000000001", "a line"]]}]}'


def decode(request: Request) -> Decoded:
    """All entries of the body: in a kernel, or exactly where that is unsure.

    Raises:
        InvalidInput: not JSON, or no push.
        TooLarge: more than `max_records`.
    """
    try:
        return decode_entries(_KERNEL, request, lifted(request.identity), resolve_json_group)
    except Unsure:
        return decode_exactly(request)


def decode_exactly(request: Request) -> Decoded:
    """The same, of any body, entry by entry.

    Raises:
        InvalidInput: not JSON, or no push.
        TooLarge: more than `max_records`.
    """
    push = read_json(request.body)
    streams = push.get("streams") if isinstance(push, dict) else None
    if not isinstance(streams, list):
        raise InvalidInput(f"a push in JSON is {_EXAMPLE}")
    entries = _Entries(request)
    for stream in streams:
        if isinstance(stream, dict):
            _read_stream(stream, entries)
        elif stream is not None:
            entries.begin(resolve_group("", "", request.identity))
            entries.add_bad(stream, "a stream is a JSON object")
    return entries.rows.decoded()


class _Entries:
    """Collects the entries of a push, stream by stream."""

    def __init__(self, request: Request) -> None:
        self.rows = Rows(request)
        self.table = request.identity
        self._stream = resolve_group("", "", self.table)
        self._groups: dict[str, tuple[int, Resolved]] = {}

    def begin(self, stream: Resolved) -> None:
        """What is added from now on belongs to this stream."""
        self._stream = stream
        self._groups = {}

    def add(self, time_ns: int | None, line: str | bytes, metadata: Mapping[str, Any]) -> None:
        """An entry; without a time it is the receiver's."""
        attributes: dict[str, Any] = {}
        told: dict[str, str] = {}
        trace_id = span_id = None
        for name, value in metadata.items():
            if type(value) is not str or (kind := _kind_of(name, self.table)) == "" or (kind != "lifted" and not value):
                attributes[name] = value
            elif kind == "trace_id":
                trace_id = value
            elif kind == "span_id":
                span_id = value
            else:
                told[name] = value
        group, found = self._group(to_json(told) if told else "")
        self.rows.add(
            group,
            time_ns,
            line,
            severity=found.severity,
            attributes={**found.rest, **attributes},
            trace_id=trace_id or found.trace_id,
            span_id=span_id or found.span_id,
        )

    def add_bad(self, value: Any, trouble: str) -> None:
        self.add(None, _text(value), {INGEST_ERROR: trouble})

    def _group(self, metadata: str) -> tuple[int, Resolved]:
        if (known := self._groups.get(metadata)) is None:
            found = over(self._stream, metadata, self.table)
            known = self._groups[metadata] = self.rows.group(found.source), found
        return known


def _kind_of(name: str, table: Table) -> str:
    """What metadata of this name is: an id, something that is lifted, or '' for an attribute."""
    return (_kind if len(name) <= _KNOWN_MAX_CHARACTERS else _kind.__wrapped__)(name, table)


@lru_cache(_KNOWN_NAMES)
def _kind(name: str, table: Table) -> str:
    if name.lower() in TRACE_IDS:
        return "trace_id"
    if name.lower() in SPAN_IDS:
        return "span_id"
    return "lifted" if normal(name) in _lifted(table) else ""


@lru_cache(1)
def _lifted(table: Table) -> frozenset[str]:
    return frozenset(lifted(table).decode().split("\n"))


def _read_stream(stream: Mapping[str, Any], entries: _Entries) -> None:
    entries.begin(_stream(stream, entries.table))
    for name in ("values", "entries"):
        values = stream.get(name)
        if isinstance(values, list):
            for value in values:
                _read_entry(value, entries)
        elif values is not None:
            entries.add_bad(values, f"{name} of a stream is a JSON array")


def _stream(stream: Mapping[str, Any], table: Table) -> Resolved:
    labels = stream.get("stream", stream.get("labels"))
    if isinstance(labels, dict):
        return of_labels(labels, table)
    return resolve_group(labels if isinstance(labels, str) else "" if labels is None else _text(labels), "", table)


def _read_entry(value: Any, entries: _Entries) -> None:
    if isinstance(value, list) and len(value) >= 2:
        time, line, *more = value
        found = more[0] if more else None
    elif isinstance(value, dict) and "line" in value:
        time, line, found = value.get("ts"), value["line"], value.get("structuredMetadata")
    elif value is None:
        return
    else:
        entries.add_bad(value, 'an entry is ["nanoseconds", "line"] or {"ts": "…", "line": "…"}')
        return
    metadata: dict[str, Any] = found if isinstance(found, dict) else {}
    time_ns, trouble = _time(time)
    if trouble:
        metadata = {**metadata, INGEST_ERROR: trouble, "_time": time}
    entries.add(time_ns, as_sent(line) if isinstance(line, str) else _text(line), metadata)


def _time(time: Any) -> tuple[int | None, str]:
    """Nanoseconds, and what is wrong if there are none."""
    if isinstance(time, str):
        if len(time) <= _DIGITS_MAX and time.removeprefix("-").isdecimal():
            return int(time), ""
        status, time_ns = parse_time(time.encode("utf-8", "replace"))
        if status != TIME_UNREADABLE and not time.replace(".", "").isdecimal():
            return time_ns, ""
    elif type(time) is int:
        return time, ""
    elif time is None:
        return None, ""
    return None, "the time is neither a number of nanoseconds nor RFC 3339"


def _text(value: Any) -> str:
    return to_json({"": value})[4:-1]
