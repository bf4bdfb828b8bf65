"""The JSON of GELF documents, read as leniently as it can be without losing anything."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

_BETWEEN: Final = re.compile(rb"[\n\0]")
_NUMBER: Final = rb'"\s*:\s*(-?\d[\d.eE+-]*)'

Document = dict[str, Any]


def documents_of(text: bytes) -> Iterator[tuple[Document | None, bytes]]:
    """One document, or several in an array or in lines of their own; None for what is none. Beside each its text."""
    value = _value_of(text)
    if isinstance(value, dict):
        yield value, text
    elif isinstance(value, list):
        for item in value:
            yield (item, text) if isinstance(item, dict) else (None, orjson.dumps(item, default=str))
    else:
        for line in _BETWEEN.split(text):
            if stripped := line.strip():
                value = _value_of(stripped)
                yield (value if isinstance(value, dict) else None), stripped


def number_text(text: bytes, key: bytes, value: float) -> str:
    """A number of a document as it was written, of which `value` may not have all digits."""
    for found in re.finditer(b'"' + re.escape(key) + _NUMBER, text):
        digits = found[1].decode()
        if _is(digits, value):
            return digits
    return repr(value)


def _is(digits: str, value: float) -> bool:
    try:
        return float(digits) == value
    except ValueError:
        return False


def _value_of(text: bytes) -> Any:
    """None if it is no JSON; control characters, NaN and bytes that are not UTF-8 are read although they are none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
