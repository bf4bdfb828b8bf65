"""The JSON of GELF documents, read as leniently as it can be without losing anything."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

_BETWEEN: Final = re.compile(rb"[\n\0]")
_AROUND: Final = b" \t\r\n\0"

Document = dict[str, Any]


def documents_of(text: bytes) -> Iterator[tuple[Document | None, bytes]]:
    """One document, or several in an array or in lines of their own; None for what is none. Beside each its text."""
    text = text.strip(_AROUND)
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
