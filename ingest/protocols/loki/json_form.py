"""A push in JSON, of today (`stream`, `values`) or of /api/prom/push (`labels`, `entries`), in either place.

    {"streams": [{"stream": {"job": "api"}, "values": [["1700000000000000001", "a line", {"user": "7"}]]}]}
    {"streams": [{"labels": "{job=\\"api\\"}", "entries": [{"ts": "2026-03-01T12:00:00Z", "line": "a line"}]}]}

Loki wants times as strings of nanoseconds and metadata as strings; numbers are taken as well. What is no entry is
stored as its JSON text, with the attribute `_ingest_error`.
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.json_body import as_sent, read_json
from ingest.json_text import to_json
from ingest.protocols.loki.streams import ERROR, Entries, Stream, stream_of_labels, stream_of_text
from ingest.request import Request
from ingest.rows import Source
from logstore.errors import InvalidInput
from logstore.native import TIME_UNREADABLE, parse_time

_DIGITS_MAX: Final = 32
_Time = tuple[int | None, str]
"""Nanoseconds, and what is wrong if there are none."""


def read(request: Request, entries: Entries) -> int:
    """Adds all entries of the body; how many streams it has.

    Raises:
        InvalidInput: not JSON, or no push.
        TooLarge: more than `max_records`.
    """
    push = read_json(request.body)
    streams = push.get("streams") if isinstance(push, dict) else None
    if not isinstance(streams, list):
        raise InvalidInput(
            'a push is {"streams": [{"stream": {"job": "api"}, "values": [["1700000000000000000", "…"]]}]}'
        )
    for stream in streams:
        if isinstance(stream, dict):
            _read_stream(stream, entries)
        elif stream is not None:
            _begin_bad(entries)
            _add_bad(entries, stream, "a stream is a JSON object")
    return len(streams)


def _read_stream(stream: Mapping[str, Any], entries: Entries) -> None:
    entries.begin(_stream(stream))
    for name in ("values", "entries"):
        values = stream.get(name)
        if isinstance(values, list):
            for value in values:
                _read_entry(value, entries)
        elif values is not None:
            _add_bad(entries, values, f"{name} of a stream is a JSON array")


def _stream(stream: Mapping[str, Any]) -> Stream:
    labels = stream.get("stream", stream.get("labels"))
    if isinstance(labels, dict):
        return stream_of_labels({name: value if type(value) is str else _text(value) for name, value in labels.items()})
    return stream_of_text(labels if isinstance(labels, str) else "{}" if labels is None else _text(labels))


def _read_entry(value: Any, entries: Entries) -> None:
    if isinstance(value, list) and len(value) >= 2:
        time, line, *more = value
        found = more[0] if more else None
    elif isinstance(value, dict) and "line" in value:
        time, line, found = value.get("ts"), value["line"], value.get("structuredMetadata")
    elif value is None:
        return
    else:
        _add_bad(entries, value, 'an entry is ["nanoseconds", "line"] or {"ts": "…", "line": "…"}')
        return
    metadata: dict[str, Any] = found if isinstance(found, dict) else {}
    time_ns, trouble = _time(time)
    if trouble:
        metadata = {**metadata, ERROR: trouble, "_time": time}
    entries.add(time_ns, as_sent(line) if isinstance(line, str) else _text(line), metadata)


def _time(time: Any) -> _Time:
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


def _begin_bad(entries: Entries) -> None:
    entries.begin(Stream(Source()))


def _add_bad(entries: Entries, value: Any, trouble: str) -> None:
    entries.add(None, _text(value), {ERROR: trouble})


def _text(value: Any) -> str:
    return to_json({"": value})[4:-1]
