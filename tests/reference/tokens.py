"""The words that a token filter holds of a record, said plainly."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from logstore.tokens import NESTED
from tests.reference.conditions import lower
from tests.reference.templates import is_word_character, words


class _Written(str):
    """A number as it is written."""


def tokens(record: Mapping[str, Any]) -> set[str]:
    found = {word for word in _words(record["message"]) if re.search("[0-9]", word)}
    for identifier in ("trace_id", "span_id"):
        found |= _words(record[identifier] or "")
    attributes = json.loads(record["attributes"] or "{}", parse_int=_Written, parse_float=_Written)
    for value in attributes.values():
        found |= {NESTED} if isinstance(value, dict | list) else set()
        for text in _texts(value):
            found |= _words(text)
    return found


def _texts(value: Any) -> Iterator[str]:
    """Strings and numbers, however deep inside; no keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _words(text: str) -> set[str]:
    return {lower(run) for run in words(text) if is_word_character(run[0])}
