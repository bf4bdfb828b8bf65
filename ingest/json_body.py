"""JSON bodies as Python values, whatever their bytes."""

import json
from contextlib import suppress
from typing import Any

import orjson

from logstore.errors import InvalidInput


def read_json(body: bytes) -> Any:
    """The value. A byte that is not UTF-8 is a lone surrogate in its string (PEP 383, `surrogateescape`); NaN and
    Infinity are taken.

    Raises:
        InvalidInput: not JSON, or nested too deeply.
    """
    try:
        return orjson.loads(body)
    except ValueError:
        return _read_slowly(body)


def as_sent(text: str) -> str | bytes:
    """The string of a body, as bytes where those are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        with suppress(UnicodeEncodeError):
            return text.encode("utf-8", "surrogateescape")
    return text


def _read_slowly(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise InvalidInput("the body is JSON that is nested too deeply") from None
    except ValueError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
