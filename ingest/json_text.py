"""Values that decoders of binary protocols find, as the JSON texts that columns hold."""

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

import orjson


def to_json(value: Mapping[str, Any], *, is_sorted: bool = False) -> str:
    """The object's JSON text. Bytes are UTF-8 or else base64; NaN and infinities, for which JSON has no form, are the
    strings NaN, Infinity and -Infinity; a lone surrogate is U+FFFD; keys that are no strings are their JSON text.
    """
    option = orjson.OPT_SORT_KEYS if is_sorted else 0
    try:
        text = orjson.dumps(value, _default, option | orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), sort_keys=is_sorted)
    if "null" in text:  # perhaps a number that JSON has no form for
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), sort_keys=is_sorted)
    return text


def _default(value: object) -> str:
    if isinstance(value, bytes):
        return _text(value)
    raise TypeError


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, str):
        return clean(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _key(key: object) -> str:
    if isinstance(key, bytes):
        return _text(key)
    return clean(key) if isinstance(key, str) else json.dumps(_plain(key))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def clean(text: str) -> str:
    """The text with U+FFFD for lone surrogates, for which UTF-8 has no form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
