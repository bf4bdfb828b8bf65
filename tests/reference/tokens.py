"""The words that a token filter holds of a record, said plainly."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import MAX_EMAX, MIN_EMIN, ROUND_DOWN, Context
from typing import Any

from logstore.tokens import LARGE, NESTED
from tests.reference.conditions import lower
from tests.reference.templates import is_word_character, words
from tests.reference.values import INTEGER, NUMBER

_KNOWN = Context(prec=16, rounding=ROUND_DOWN, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


class _Written(str):
    """A number as it is written."""


def tokens(record: Mapping[str, Any]) -> set[str]:
    """What a filter has to hold."""
    found: set[str] = set()
    for column in ("message", "trace_id", "span_id"):
        found |= _words(record[column] or "") | addresses(record[column] or "")
    attributes = json.loads(record["attributes"] or "{}", parse_int=_Written, parse_float=_Written)
    for value in attributes.values():
        found |= {NESTED} if isinstance(value, dict | list) else set()
        for text in _texts(value):
            found |= _words(text) | digits(text) | addresses(text)
    return found


def addresses(text: str) -> set[str]:
    """Four numbers of at most three digits in a row, whole, with the same `.` or `-` between them."""
    number = "[0-9]{1,3}"
    found = re.finditer(rf"(?=({number}([.-]){number}\2{number}\2{number}))", text)
    return {match[1] for match in found if not _is_in_word(text, *match.span(1))}


def _is_in_word(text: str, begin: int, end: int) -> bool:
    return any(map(is_word_character, text[begin - 1 : begin] + text[end : end + 1]))


def digits(text: str) -> set[str]:
    """Of a number the digits of the integer that it equals; `LARGE` where it may equal several."""
    if not NUMBER.fullmatch(text):
        return set()
    if INTEGER.fullmatch(text):
        return {text.lstrip("-0")} - {""}
    size = abs(float(text))
    if size >= 10**15:
        return {LARGE}
    return {str(int(size))} if size and size.is_integer() else set()


def likely_digits(text: str) -> set[str]:
    """What a filter holds in their place: the first 16 digits of a number are those of an integer, or one less."""
    if not NUMBER.fullmatch(text) or INTEGER.fullmatch(text):
        return digits(text)
    known = _KNOWN.create_decimal(text.lstrip("-"))
    near = [size for size in (known, _KNOWN.next_plus(known)) if size]
    whole = {str(int(size)) for size in near if size < 10**15 and size == size.to_integral_value()}
    return whole | ({LARGE} if max(near, default=0) >= 10**15 else set())


def _texts(value: Any) -> Iterator[str]:
    """Strings and numbers, however deep inside; no keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _words(text: str) -> set[str]:
    return {lower(run) for run in words(text) if is_word_character(run[0])}
