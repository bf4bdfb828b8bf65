"""Entries as JSON documents, as ingest.documents reads them: by the kernel where all of them are of the common kind,
else one by one, which says the same.

A time is an EventTime (extension type 0, seconds and nanoseconds), whole or broken seconds, 0 for now, or one of these
with metadata. Source: Forward Protocol Specification v1, "EventTime Ext Format"; Fluent Bit for the metadata.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson

from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.json_text import to_json
from ingest.placing import Groups
from ingest.protocols.forward.entries import Unreadable, entries_of
from ingest.protocols.forward.kernel import common_documents
from ingest.protocols.forward.options import text_of
from ingest.times import NS_PER_S
from logstore.errors import TooLarge
from logstore.native import TIME_OK, parse_time

SHOWN_BYTES: Final = 64 << 10
"""What is kept of something that cannot be read."""
TIME: Final = "@timestamp"
"""The name of a time that documents put before all others."""
ORIGIN: Final = "fluent_tag"
"""The name under which a tag is asked where a record comes from."""

_MESSAGES: Final = ("message", "msg", "log", "_msg")
_GROUP_BEGINS, _GROUP_ENDS = 0xFFFFFFFF, 0xFFFFFFFE
"""Seconds by which Fluent Bit says that what follows has a resource in common; the record tells it."""


class Documents:
    """Collects the documents of messages, one a line."""

    def __init__(self, max_records: int, table: Table) -> None:
        self.count = 0
        self._texts: list[bytes] = []
        self.unread = 0
        """Those that say only what could not be read."""
        self._max_records = max_records
        self._table = table
        self._tags: dict[str, Tag] = {}
        self._ends: list[tuple[int, int]] = []

    def text(self) -> bytes:
        """All of them, each with its line's end."""
        return b"".join(self._texts)

    def groups(self) -> Groups:
        """The tags of all lines."""
        codes = np.zeros(self.count, np.int64)
        begin = 0
        for end, number in self._ends:
            codes[begin:end] = number
            begin = end
        return Groups(codes, [{"tag": tag} for tag in self._tags])

    def add(self, content: bytes, tag: str, max_bytes: int) -> None:
        """The documents of one message's entries; past `max_bytes` of JSON text the rest is one that says so.

        Raises:
            TooLarge: more than `max_records`.
        """
        told = self.tag(tag)
        if told.is_in_group or not self._add_common(content, told, len(tag), max_bytes):
            self.add_one_by_one(content, told, len(tag), max_bytes)
        self._ends.append((self.count, told.number))

    def tag(self, tag: str) -> "Tag":
        """What is known of a tag."""
        return self._tags.get(tag) or self._tags.setdefault(tag, Tag(len(self._tags), tag, self._table))

    def _add_common(self, content: bytes, told: "Tag", line_bytes: int, max_bytes: int) -> bool:
        found = common_documents(content, told.origin, line_bytes, max_bytes, self._max_records - self.count)
        if found is not None:
            self._texts.append(found.text)
            self.count += found.count
        return found is not None

    def add_one_by_one(self, content: bytes, told: "Tag", line_bytes: int, max_bytes: int) -> None:
        """The exact way."""
        left_bytes = max_bytes
        for entry in entries_of(content):
            line = told.line(entry)
            if line is None:
                line = self._poison(entry)
            left_bytes -= len(line) + line_bytes
            if left_bytes < 0:
                line = self._poison(Unreadable(content, f"entries with more than {max_bytes:,} bytes as JSON"))
            if line:
                self._append(line)
            if left_bytes < 0:
                break

    def _append(self, line: bytes) -> None:
        if self.count >= self._max_records:
            raise TooLarge(f"more than {self._max_records:,} records at once (max_records)")
        self.count += 1
        self._texts += (line, b"\n")

    def _poison(self, entry: Any) -> bytes:
        """The document of something that is no record: what was sent, as text, and why it is none."""
        self.unread += 1
        if not isinstance(entry, Unreadable):
            entry = Unreadable(repr(entry)[:SHOWN_BYTES].encode(), "an entry is [time, record], and a record a map")
        text = entry.content[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
        return orjson.dumps({"message": text, "_ingest_error": entry.error})


class Tag:
    """Writes the documents of one tag."""

    def __init__(self, number: int, tag: str, table: Table) -> None:
        self.number = number
        origin = {ORIGIN: tag}
        self.origin = (
            b"," + orjson.dumps(origin)[1:-1] if tag.isprintable() and not resolve(origin, table).rest else b""
        )
        self._resource = b""

    @property
    def is_in_group(self) -> bool:
        """What follows has a resource in common."""
        return bool(self._resource)

    def line(self, entry: Any) -> bytes | None:
        """The document of an entry; empty for a mark, None for what is no record. A text alone is a message."""
        if type(entry) is list and len(entry) == 2 and type(entry[1]) is str:
            entry = [entry[0], {"message": entry[1]}]
        if type(entry) is not list or len(entry) != 2 or type(entry[1]) is not dict:
            return None
        time, record = entry
        if type(time) is list:
            time = self._time_with_metadata(time, record)
            if time is None:
                return b""
        if TIME in record:
            _keep_aside(record)
        if "time" in record and _is_said_by(time, record["time"]):
            del record["time"]
        try:
            text = _text(record)
        except RecursionError:
            return None
        members = text[1:-1] + b"," if len(text) > 2 else b""
        origin = b"" if "kubernetes" in record or "container_id" in record else self.origin
        return b"{%b%b%b%b}" % (members, _time(time), self._resource, origin)

    def _time_with_metadata(self, told: list[Any], record: dict[Any, Any]) -> Any:
        """The time of `[time, metadata]`; None for the marks of a group, which are no records."""
        time, metadata = (*told, None, None)[:2]
        if type(time) is tuple and time[0] >= _GROUP_ENDS:
            self._resource = b"," + _text(record)[1:-1] if time[0] == _GROUP_BEGINS and record else b""
            return None
        if metadata and isinstance(metadata, dict):
            record.setdefault("metadata", metadata)
        return 0 if time is None else time


def _keep_aside(record: dict[Any, Any]) -> None:
    """The entry's time counts; what the record has under the name that this is written with is an attribute."""
    own, attributes = record.pop(TIME), record.get("attributes")
    record["attributes"] = {**(attributes if isinstance(attributes, dict) else {}), TIME: own}


def _is_said_by(time: Any, own: Any) -> bool:
    """Whether the record has the entry's time once more, as a container runtime wrote it."""
    if type(time) is not tuple or type(own) is not str or own[4:5] != "-":
        return False
    text = own.encode("utf-8", "replace")
    return len(text) >= 20 and parse_time(text) == (TIME_OK, time[0] * NS_PER_S + time[1])


def _time(time: Any) -> bytes:
    if type(time) is tuple:
        return b'"@timestamp":%d.%09d' % divmod(time[0] * NS_PER_S + time[1], NS_PER_S)
    if type(time) is int and time:
        return b'"@timestamp":%d' % time
    return b'"@timestamp":%.6f' % time if type(time) is float and 0 < abs(time) < 1e11 else b'"@timestamp":null'


def _text(record: Mapping[Any, Any]) -> bytes:
    """The JSON text of a record."""
    try:
        text = orjson.dumps(record, _utf8)
    except (TypeError, ValueError):
        return _any_text(record)
    return _any_text(record) if b"null" in text else text


def _utf8(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError


def _any_text(record: Mapping[Any, Any]) -> bytes:
    """The same for whatever msgpack can say. Bytes that are no UTF-8 stand in a message as they came."""
    members = {text_of(key) if isinstance(key, bytes) else key: member for key, member in record.items()}
    messages = {key: members.pop(key) for key in _MESSAGES if isinstance(members.get(key), str | bytes)}
    parts = [_member(key, text_of(message)) for key, message in messages.items()]
    if members:
        parts.append(to_json(members)[1:-1].encode())
    return b"{%b}" % b",".join(parts)


def _member(key: str, text: str) -> bytes:
    return f'"{key}":{json.dumps(text, ensure_ascii=False)}'.encode("utf-8", "surrogateescape")
