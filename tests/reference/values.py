"""Values and their readings, by the language's rules as docs/language.md words them."""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"-?[0-9]+")
_UNITS_NS = {
    "w": 7 * 86400 * 10**9,
    "d": 86400 * 10**9,
    "h": 3600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ns": 1,
}
_RANKS = {unit: rank for rank, unit in enumerate(["w", "d", "h", "m", "s", "ms", "us", "ns"])} | {"µs": 6, "μs": 6}
_SIZES = (
    {"b": 1}
    | {f"{p}b": 1000**n for n, p in enumerate("kmgtp", 1)}
    | {f"{p}ib": 1024**n for n, p in enumerate("kmgtp", 1)}
)
_FIELD_UNITS = {"_ns": 1, "_us": 1000, "_ms": 10**6, "_s": 10**9, "_seconds": 10**9}


class Numeral(str):
    """A JSON number, by its text."""


class Raw(dict[str, Any]):
    """An object that a record has as a text."""

    def __init__(self, raw: str) -> None:
        super().__init__(load(raw))
        self.raw = raw


@dataclass(frozen=True)
class Cell:
    """A value and its expression's kind: text, json, time, integer, float or boolean; null has a kind as well."""

    kind: str
    value: Any
    verbatim: bool = False
    name: str = ""


NULL = Cell("text", None)


def load(text: str | None) -> Any:
    """JSON with numbers as numerals."""
    if text is None:
        return None
    return json.loads(text, parse_float=_decimal, parse_int=lambda digits: Numeral("0" if digits == "-0" else digits))


def _decimal(text: str) -> Numeral:
    """Decimals are known by their shortest form, with an exponent from 1e21 on and below 1e-6."""
    value = float(text)
    if math.isinf(value):
        return Numeral(text)
    return Numeral(shortest(value))


def shortest(value: float) -> str:
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return digits
    whole, _, fraction = digits.lstrip("-").partition(".")
    sign, power = "-" if value < 0 else "", int(exponent)
    if 0 <= power < 21:
        return f"{sign}{whole}{fraction.ljust(power, '0')}.0"
    if -7 < power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{whole}{fraction}"
    return f"{sign}{digits.lstrip('-')}e{power}"


def dump(value: Any) -> str:
    if isinstance(value, Numeral):
        return str(value)
    if isinstance(value, Raw):
        return value.raw
    if isinstance(value, dict):
        return "{" + ",".join(f"{dump(key)}:{dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def text(cell: Cell) -> str | None:
    """The text form."""
    value = cell.value
    if value is None:
        return None
    if cell.kind == "time":
        return format_time(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, dict | list):
        return dump(value)
    return str(value)


def format_time(ns: int) -> str:
    seconds, rest = divmod(ns, 10**9)
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def number(cell: Cell) -> float | None:
    if cell.value is None:
        return None
    if cell.kind in ("integer", "float"):
        return float(cell.value)
    form = text(cell)
    return float(form) if form is not None and NUMBER.fullmatch(form) else None


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def duration_ns(form: str) -> float | None:
    """`1h30m`: each unit at most once, the larger first."""
    found = re.fullmatch(r"(-?)((?:[0-9]{1,18}(?:\.[0-9]{1,18})?(?:ns|us|µs|μs|ms|s|m|h|d|w))+)", form)
    if found is None:
        return None
    parts = re.findall(r"([0-9.]+)([a-zµμ]+)", found[2])
    ranks = [_RANKS[unit] for _, unit in parts]
    if ranks != sorted(set(ranks)):
        return None
    total = sum(whole(float(amount) * _UNITS_NS[unit]) for amount, unit in parts)
    return -total if found[1] else total


def size_bytes(form: str) -> float | None:
    found = re.fullmatch(r"(-?[0-9]{1,18}(?:\.[0-9]{1,18})?) ?([a-zA-Z]+)", form)
    if found is None or found[2].lower() not in _SIZES:
        return None
    return whole(float(found[1]) * _SIZES[found[2].lower()])


def amount(cell: Cell, dimension: str) -> float | None:
    """The value in ns or bytes, by its own unit or the one of its field's name."""
    form = text(cell)
    if form is None:
        return None
    if NUMBER.fullmatch(form):
        unit = 1
        if dimension == "duration":
            unit = next((ns for suffix, ns in _FIELD_UNITS.items() if cell.name.endswith(suffix)), 10**9)
        return whole(float(form) * unit)
    return duration_ns(form) if dimension == "duration" else size_bytes(form)


def whole(value: float) -> float:
    return float(math.floor(value + 0.5)) if math.isfinite(value) else value
