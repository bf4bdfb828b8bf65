"""WriteLogEntriesRequest of google.logging.v2 as the JSON of the same request (googleapis, google/logging/v2/
logging.proto and log_entry.proto, google/logging/type/http_request.proto, google/protobuf/struct.proto)."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ingest.protobuf import (
    Field,
    Many,
    Message,
    Wire,
    as_bool,
    as_bytes,
    as_double,
    as_long,
    as_number,
    as_text,
    fields,
    map_of,
    nested,
    read_message,
)
from ingest.times import NS_PER_S
from logstore.errors import InvalidInput, TooLarge

_STRUCT_TYPE: Final = "type.googleapis.com/google.protobuf.Struct"
_ENTRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Unread:
    """An entry that cannot be read: its bytes, and why."""

    content: bytes
    error: str


def read_write(body: bytes, max_entries: int) -> dict[str, Any]:
    """A request; of its entries those that cannot be read are `Unread`.

    Raises:
        InvalidInput: the body is no such request.
        TooLarge: more than `max_entries`.
    """
    write = read_message(memoryview(body), _WRITE)
    return {**write, "entries": list(_entries(body, max_entries))}


def _entries(body: bytes, max_entries: int) -> Iterator[dict[str, Any] | Unread]:
    count = 0
    for number, value in fields(memoryview(body)):
        if number != _ENTRIES:
            continue
        count += 1
        if count > max_entries:
            raise TooLarge(f"the body has more than {max_entries:,} entries (max_records); send smaller batches")
        yield _entry(as_bytes(value))


def _entry(content: memoryview) -> dict[str, Any] | Unread:
    try:
        return read_message(content, _ENTRY)
    except InvalidInput as error:
        return Unread(bytes(content), f"the entry cannot be read: {error}")
    except RecursionError:
        return Unread(bytes(content), "the entry is nested too deeply")


def _value(value: Wire) -> Any:
    """A google.protobuf.Value: whichever of its fields is set, or null."""
    found = None
    for number, told in fields(as_bytes(value)):
        read = _VALUES.get(number)
        found = read(told) if read else found
    return found


def _struct(value: Wire) -> dict[str, Any]:
    members: dict[str, Any] = read_message(as_bytes(value), _STRUCT).get("fields", {})
    return members


def _list(value: Wire) -> list[Any]:
    values: list[Any] = read_message(as_bytes(value), _LIST).get("values", [])
    return values


def _any(value: Wire) -> dict[str, Any]:
    """A google.protobuf.Any: its type, and what it holds as an object where the type is known, else as base64."""
    found = read_message(as_bytes(value), _ANY)
    content = found.get("value", b"")
    told = _struct(memoryview(content)) if found.get("@type") == _STRUCT_TYPE else base64.b64encode(content).decode()
    return {"@type": found.get("@type", ""), "value": told}


def _duration(value: Wire) -> str:
    """Seconds with as many digits as are needed of 0, 3, 6 or 9."""
    found = read_message(as_bytes(value), _TIMESTAMP)
    ns = found.get("seconds", 0) * NS_PER_S + found.get("nanos", 0)
    whole, part = divmod(abs(ns), NS_PER_S)
    digits = f".{part:09d}" if part else ""
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{'-' if ns < 0 else ''}{whole}{digits}s"


_STRUCT: Final[Message] = {1: Field("fields", map_of(_value), Many.MAP)}
_LIST: Final[Message] = {1: Field("values", _value, Many.LIST)}
_VALUES: Final = {1: lambda _null: None, 2: as_double, 3: as_text, 4: as_bool, 5: _struct, 6: _list}
_ANY: Final[Message] = {1: Field("@type", as_text), 2: Field("value", lambda value: bytes(as_bytes(value)))}
_TIMESTAMP: Final[Message] = {1: Field("seconds", as_number), 2: Field("nanos", as_number)}
_LABELS: Final = map_of(as_text)
_RESOURCE: Final[Message] = {1: Field("type", as_text), 2: Field("labels", _LABELS, Many.MAP)}
_HTTP: Final[Message] = {
    1: Field("requestMethod", as_text),
    2: Field("requestUrl", as_text),
    3: Field("requestSize", as_long),
    4: Field("status", as_number),
    5: Field("responseSize", as_long),
    6: Field("userAgent", as_text),
    7: Field("remoteIp", as_text),
    8: Field("referer", as_text),
    9: Field("cacheHit", as_bool),
    10: Field("cacheValidatedWithOriginServer", as_bool),
    11: Field("cacheLookup", as_bool),
    12: Field("cacheFillBytes", as_long),
    13: Field("serverIp", as_text),
    14: Field("latency", _duration),
    15: Field("protocol", as_text),
}
_OPERATION: Final[Message] = {
    1: Field("id", as_text),
    2: Field("producer", as_text),
    3: Field("first", as_bool),
    4: Field("last", as_bool),
}
_SOURCE: Final[Message] = {1: Field("file", as_text), 2: Field("line", as_long), 3: Field("function", as_text)}
_SPLIT: Final[Message] = {1: Field("uid", as_text), 2: Field("index", as_number), 3: Field("totalSplits", as_number)}
_ENTRY: Final[Message] = {
    2: Field("protoPayload", _any),
    3: Field("textPayload", as_text),
    4: Field("insertId", as_text),
    6: Field("jsonPayload", _struct),
    7: Field("httpRequest", nested(_HTTP)),
    8: Field("resource", nested(_RESOURCE)),
    9: Field("timestamp", nested(_TIMESTAMP)),
    10: Field("severity", as_number),
    11: Field("labels", _LABELS, Many.MAP),
    12: Field("logName", as_text),
    15: Field("operation", nested(_OPERATION)),
    22: Field("trace", as_text),
    23: Field("sourceLocation", nested(_SOURCE)),
    24: Field("receiveTimestamp", nested(_TIMESTAMP)),
    27: Field("spanId", as_text),
    30: Field("traceSampled", as_bool),
    35: Field("split", nested(_SPLIT)),
}
_WRITE: Final[Message] = {
    1: Field("logName", as_text),
    2: Field("resource", nested(_RESOURCE)),
    3: Field("labels", _LABELS, Many.MAP),
    5: Field("partialSuccess", as_bool),
    6: Field("dryRun", as_bool),
}
