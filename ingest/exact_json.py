"""JSON that is read and written again with every number as it stood."""

import json
from collections.abc import Mapping
from typing import Any


class Number(str):
    """A number of JSON as it was written."""

    __slots__ = ()


def read_exactly(text: str) -> Any:
    """The value of a JSON text in which numbers are `Number`."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def write_exactly(value: Any, *, is_sorted: bool = False) -> str:
    """The JSON text of a value, without spaces."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        members = sorted(value.items()) if is_sorted else value.items()
        return "{" + ",".join(f"{_text(key)}:{write_exactly(one, is_sorted=is_sorted)}" for key, one in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write_exactly(one, is_sorted=is_sorted) for one in value) + "]"
    return _text(value)


def members_text(attributes: Mapping[str, Any]) -> str | None:
    """The JSON text of an object, without its braces; None of an empty one."""
    return write_exactly(attributes)[1:-1] or None


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
