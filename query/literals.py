"""Numbers, durations and sizes as texts: in a query, and by the same rules in a record."""

import math
import re
from typing import Final

from query.ast import Dimension

INTEGER: Final = r"-?[0-9]+"
NUMBER: Final = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
EXACT_DIGITS: Final = 15
"""Comparing with an integer of so many digits is exact in floating point, whatever the other integer is."""

DURATION_UNITS: Final = {
    "w": 604_800_000_000_000,
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
"""Nanoseconds; a duration may name several, in this order (`1h30m`)."""
SIZE_UNITS: Final = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "pb": 10**15,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
    "pib": 2**50,
}
"""Bytes; in either case, one to a size."""

AMOUNT: Final = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"
_SPELLING: Final = {unit: unit for unit in DURATION_UNITS} | {"us": "(?:us|\u00b5s|\u03bcs)"}
DURATION: Final = "^(-?)" + "".join(f"(?:({AMOUNT}){_SPELLING[u]})?" for u in DURATION_UNITS) + "$"
"""Groups: the sign, then an amount for each of DURATION_UNITS. Matches the empty text too, which is none."""
SIZE: Final = f"^(-?{AMOUNT}) ?((?i:{'|'.join(SIZE_UNITS)}))$"
"""Groups: the amount and the unit."""

_NUMBER: Final = re.compile(NUMBER)
_DURATION: Final = re.compile(DURATION)
_SIZE: Final = re.compile(SIZE)

_SUFFIX_NS: Final = {
    "_ns": 1,
    "_us": 1_000,
    "_ms": 1_000_000,
    "_s": 1_000_000_000,
    "_seconds": 1_000_000_000,
}
SECOND_NS: Final = 1_000_000_000


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def is_integer(text: str) -> bool:
    return re.fullmatch(INTEGER, text) is not None


def is_large_integer(text: str) -> bool:
    return is_integer(text) and len(text.lstrip("-0")) > EXACT_DIGITS


def quantity(text: str) -> tuple[Dimension, int] | None:
    """A duration in ns or a size in bytes, rounded to a whole one; None if the text is neither."""
    ns = duration_ns(text)
    if ns is not None:
        return Dimension.DURATION, ns
    size = size_bytes(text)
    return None if size is None else (Dimension.SIZE, size)


def duration_ns(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    if found is None or text in ("", "-"):
        return None
    sign, *amounts = found.groups()
    units = DURATION_UNITS.values()
    total = sum(whole(float(a) * ns) for a, ns in zip(amounts, units, strict=True) if a)
    return -total if sign else total


def size_bytes(text: str) -> int | None:
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    return whole(float(found[1]) * SIZE_UNITS[found[2].lower()])


def whole(value: float) -> int:
    """Rounded to the nearest integer, halves up: so that 0.1 s and 100 ms are the same number of ns."""
    return math.floor(value + 0.5)


def bare_unit(field: str, dimension: Dimension) -> int:
    """How many ns or bytes a bare number in this field counts: by the field's last letters, else seconds or bytes."""
    if dimension is Dimension.SIZE:
        return 1
    for suffix, ns in _SUFFIX_NS.items():
        if field.endswith(suffix):
            return ns
    return SECOND_NS
