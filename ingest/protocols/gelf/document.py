"""The JSON of GELF documents, read as leniently as it can be without losing anything."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from ingest.json_objects import Unread, objects
from logstore.native import is_utf8

_BETWEEN: Final = re.compile(rb"[\n\0]")
_AROUND: Final = b" \t\r\n\0"
_NO_BYTES: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Lone surrogates that stand for no byte (PEP 383)."""

Document = dict[str, Any]


def documents_of(text: bytes) -> Iterator[tuple[Document | None, bytes]]:
    """One document, or several in an array or in lines of their own; None for what is none. Beside each its text."""
    text = text.strip(_AROUND)
    value = _value_of(text)
    if isinstance(value, dict):
        yield value, text
    elif isinstance(value, list):
        for found, piece in objects(text):
            yield (None if isinstance(found, Unread) else found), piece
    else:
        for line in _BETWEEN.split(text):
            if stripped := line.strip():
                value = _value_of(stripped)
                yield (value if isinstance(value, dict) else None), stripped


def as_sent(value: str, text: bytes) -> str | bytes:
    """A string of the document with this text, with the bytes that it was sent with where they are not UTF-8."""
    if value.isascii() or is_utf8(text):
        return value
    return _NO_BYTES.sub("\ufffd", value).encode("utf-8", "surrogateescape")


def _value_of(text: bytes) -> Any:
    """None if it is no JSON; control characters, NaN and bytes that are not UTF-8 are read although they are none. Such
    bytes are lone surrogates in strings."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        return None
