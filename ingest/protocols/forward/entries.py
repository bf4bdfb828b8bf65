"""Entries, one msgpack `[time, record]` after the other, as JSON documents with their time and tag.

A time is an EventTime (extension type 0, seconds and nanoseconds), whole or broken seconds, 0 for now, or one of these
with metadata. Source: Forward Protocol Specification v1, "EventTime Ext Format"; Fluent Bit for the metadata.
"""

import json
import struct
from collections.abc import Iterator
from typing import Any, Final

import msgpack
import orjson

from ingest.json_text import to_json
from ingest.protocols.forward.options import text_of
from logstore.errors import TooLarge

OBJECT_BYTES_MAX: Final = 1 << 20
"""Bytes that may begin an array or a map: of so many, things are made one record at a time, or not at all."""
SHOWN_BYTES: Final = 64 << 10
"""What is kept of something that cannot be read."""

_MAY_BE_NESTED: Final = bytes((*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF))
_GROUP_BEGINS, _GROUP_ENDS = 0xFFFFFFFF, 0xFFFFFFFE
"""Seconds by which Fluent Bit says that what follows has a resource in common; the record tells it."""
_MESSAGES: Final = ("message", "msg", "log", "_msg")
_EVENT_TIME: Final = struct.Struct(">II").unpack


class Documents:
    """Collects the documents of messages."""

    def __init__(self, max_records: int) -> None:
        self.lines: list[bytes] = []
        self._max_records = max_records

    def add(self, entries: bytes, tag: str, max_bytes: int) -> None:
        """The documents of one message's entries.

        Entries that cannot be read, and those past `max_bytes` of JSON text, are one document that says so.

        Raises:
            TooLarge: more than `max_records`.
        """
        writer = _Writer(tag)
        left_bytes = max_bytes
        try:
            for entry in _entries(entries):
                line = writer.line(entry)
                left_bytes -= len(line)
                if left_bytes < 0:
                    raise ValueError(f"more than {max_bytes:,} bytes as JSON; nothing more was read")
                if line:
                    self._add(line)
        except (msgpack.UnpackException, ValueError) as error:
            self._add(poison(entries, f"entries break off: {error or type(error).__name__}", tag))

    def _add(self, line: bytes) -> None:
        if len(self.lines) >= self._max_records:
            raise TooLarge(f"more than {self._max_records:,} records at once (max_records)")
        self.lines.append(line)


class _Writer:
    """Documents of one tag."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._head = b'{"tag":' + _json(tag)
        self._group = b""

    def line(self, entry: Any) -> bytes:
        """The document of an entry; nothing for what is no record."""
        try:
            return self._line(entry)
        except (RecursionError, ValueError) as error:
            return poison(b"", f"a record that JSON has no form for: {error}", self._tag)

    def _line(self, entry: Any) -> bytes:
        if type(entry) is not list or len(entry) != 2 or type(entry[1]) is not dict:
            return poison(_json(entry), "an entry is [time, record], and a record a map", self._tag)
        time, record = entry
        if type(time) is list:
            time = self._time_with_metadata(time, record)
            if time is None:
                return b""
        try:
            text = orjson.dumps(record, _text) if "time" not in record else self._with_own_time(time, record)
        except TypeError:
            text = _json(record)
        if b"null" in text:
            text = _json(record)
        members = b"," + text[1:-1] if len(text) > 2 else b""
        return b"%b%b%b%b}" % (self._head, members, self._group, _time_member(time))

    def _with_own_time(self, time: Any, record: dict[str, Any]) -> bytes:
        """The entry's time is that of the record; what the record has under this name is kept as an attribute."""
        own = record.pop("time")
        attributes = record.get("attributes")
        record["attributes"] = {**(attributes if isinstance(attributes, dict) else {}), "time": own}
        return orjson.dumps(record, _text)

    def _time_with_metadata(self, told: list[Any], record: dict[str, Any]) -> Any:
        """The time of `[time, metadata]`; None for the marks of a group, which are no records."""
        time, metadata = (*told, None, None)[:2]
        if type(time) is tuple and time[0] >= _GROUP_ENDS:
            self._group = b"," + _json(record)[1:-1] if time[0] == _GROUP_BEGINS and record else b""
            return None
        if metadata and isinstance(metadata, dict):
            record.setdefault("metadata", metadata)
        return 0 if time is None else time


def poison(raw: bytes, error: str, tag: str = "") -> bytes:
    """The document of something that is no record: what was sent, as text, and why."""
    text = raw[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
    told = {"message": text, "_ingest_error": error}
    return _json({"tag": tag, **told} if tag else told)


def _entries(entries: bytes) -> Iterator[Any]:
    if len(entries) - len(entries.translate(None, _MAY_BE_NESTED)) > OBJECT_BYTES_MAX:
        return _entries_one_by_one(entries)
    unpacker = _unpacker(len(entries))
    unpacker.feed(entries)
    return _unpacked(unpacker, len(entries))


def _unpacked(unpacker: msgpack.Unpacker, size_bytes: int) -> Iterator[Any]:
    yield from unpacker
    if unpacker.tell() < size_bytes:
        raise ValueError(f"the last one is not complete at byte {unpacker.tell():,}")


def _entries_one_by_one(entries: bytes) -> Iterator[Any]:
    """The same for entries of which very many objects could be made: the size of each is known before it is read."""
    walker = _unpacker(len(entries))
    walker.feed(entries)
    at = 0
    while at < len(entries):
        try:
            walker.skip()
        except msgpack.OutOfData:
            raise ValueError(f"the last one is not complete at byte {at:,}") from None
        entry, at = entries[at : walker.tell()], walker.tell()
        if len(entry) - len(entry.translate(None, _MAY_BE_NESTED)) > OBJECT_BYTES_MAX:
            raise ValueError(f"one has {len(entry):,} bytes, and perhaps as many members")
        unpacker = _unpacker(len(entry))
        unpacker.feed(entry)
        yield unpacker.unpack()


def _unpacker(size_bytes: int) -> msgpack.Unpacker:
    return msgpack.Unpacker(
        read_size=1,
        max_buffer_size=max(size_bytes, 1),
        unicode_errors="surrogateescape",
        strict_map_key=False,
        timestamp=2,
        ext_hook=_extension,
    )


def _extension(code: int, content: bytes) -> Any:
    """An EventTime as two numbers, and nothing else is a tuple; the content of any other extension."""
    return _EVENT_TIME(content) if code == 0 and len(content) == 8 else content


def _time_member(time: Any) -> bytes:
    if type(time) is tuple:
        return b',"time":%d.%09d' % time
    if type(time) is int:
        return b',"time":%d' % time if time else b""
    return b',"time":%.6f' % time if type(time) is float and abs(time) < 1e11 else b""


def _text(value: object) -> str:
    """Bytes that are text."""
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError


def _json(value: Any) -> bytes:
    """The JSON text of whatever msgpack can say. Bytes that are no UTF-8 stand in a message as they came."""
    if type(value) is not dict:
        return to_json({"": value})[4:-1].encode()
    members = {text_of(key) if isinstance(key, bytes) else key: member for key, member in value.items()}
    messages = {key: members.pop(key) for key in _MESSAGES if isinstance(members.get(key), str | bytes)}
    parts = [_member(key, text_of(message)) for key, message in messages.items()]
    if members:
        parts.append(to_json(members)[1:-1].encode())
    return b"{%b}" % b",".join(parts)


def _member(key: str, text: str) -> bytes:
    return f'"{key}":{json.dumps(text, ensure_ascii=False)}'.encode("utf-8", "surrogateescape")
