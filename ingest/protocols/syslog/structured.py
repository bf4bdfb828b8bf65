"""Structured data of RFC 5424 §6.3: `[ID name="value" …][…]`."""

import re
from typing import Final

_ELEMENT: Final = re.compile(r'\[[^\s="\]\[]++(?:\ ++[^\s="\]]++="[^"\\]*+(?:\\.[^"\\]*+)*+")*+\ *+\]', re.DOTALL)
_ID_OR_PARAMETER: Final = re.compile(r'\[([^\s="\]\[]++)|([^\s="\]]++)="([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\\]])')

Values = dict[str, str | list[str]]


def end_of_structured(text: str, at: int) -> int:
    """Where the elements that begin at `at` end; -1 if they are damaged."""
    end = -1
    while element := _ELEMENT.match(text, at):
        end = at = element.end()
    return end


def elements(structured: str) -> dict[str, Values]:
    """The parameters by the ids of their elements. A name that comes several times has all its values in a list."""
    found: dict[str, Values] = {}
    values: Values = {}
    for element, key, value in _ID_OR_PARAMETER.findall(structured):
        if element:
            values = found.setdefault(element, {})
        else:
            _add(values, key, _ESCAPED.sub(r"\1", value) if "\\" in value else value)
    return found


def _add(values: Values, key: str, value: str) -> None:
    known = values.get(key)
    if known is None:
        values[key] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        values[key] = [known, value]
