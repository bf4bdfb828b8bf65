"""AnyValue in OTLP's JSON (protobuf.dev, "ProtoJSON Format"): names in camel or snake case, integers as numbers or
strings, bytes as base64. Mirrors logstore/native/any_value.c."""

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any, Final

DEPTH_MAX: Final = 100


class TooDeep(Exception):
    """A value that is nested deeper than `DEPTH_MAX` levels."""


def read_any(value: Any, depth: int = 1) -> Any:
    """A value of Python's; None where nothing is set."""
    if not isinstance(value, dict):
        return value
    if depth > DEPTH_MAX:
        raise TooDeep
    for name, content in value.items():
        if (read := _KINDS.get(name)) and content is not None:
            return read(content, depth)
    return None


def read_pairs(pairs: Any, depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Keys and values of a list of KeyValue; what is none is left out."""
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, dict):
            yield str(pair.get("key", "")), read_any(pair.get("value"), depth)


def read_integer(value: Any) -> Any:
    """The number that a decimal text stands for; anything else as it is."""
    try:
        return int(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _as_it_is(content: Any, _depth: int) -> Any:
    return content


def _integer(content: Any, _depth: int) -> Any:
    return read_integer(content)


def _double(content: Any, _depth: int) -> Any:
    try:
        return float(content)
    except (TypeError, ValueError, OverflowError):
        return content


def _bytes(content: Any, _depth: int) -> Any:
    try:
        return base64.b64decode(content, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return content


def _array(content: Any, depth: int) -> Any:
    values = content.get("values") if isinstance(content, dict) else None
    return [read_any(value, depth + 1) for value in values] if isinstance(values, list) else []


def _object(content: Any, depth: int) -> Any:
    return dict(read_pairs(content.get("values") if isinstance(content, dict) else None, depth + 1))


_KINDS: Final[dict[str, Callable[[Any, int], Any]]] = {
    **dict.fromkeys(("stringValue", "string_value", "boolValue", "bool_value"), _as_it_is),
    **dict.fromkeys(("intValue", "int_value"), _integer),
    **dict.fromkeys(("doubleValue", "double_value"), _double),
    **dict.fromkeys(("bytesValue", "bytes_value"), _bytes),
    **dict.fromkeys(("arrayValue", "array_value"), _array),
    **dict.fromkeys(("kvlistValue", "kvlist_value"), _object),
}
