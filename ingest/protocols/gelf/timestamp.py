"""`timestamp` of a document, as its digits say it and never through a float."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

_MEMBER: Final = re.compile(rb'"timestamp"\s*+:\s*+(-?\d++(?:\.\d++)?+(?:[eE][+-]?\d++)?+)')
_SECONDS_LENGTH_MAX: Final = 11
_EPOCH_UNITS: Final = ((10**11, 9), (10**14, 6), (10**17, 3))
"""Below each of these an epoch counts in units of ten to so many nanoseconds."""


def time_ns(value: object, text: bytes) -> int | None:
    """Nanoseconds of an epoch in seconds, or in ms, µs or ns where it is too large for seconds. `text` is that of the
    document, of which `value`, if it is a float, may not have all digits. None: it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    digits = _digits(text, value) if isinstance(value, float) else str(value)
    whole, _, fraction = digits.partition(".")
    if len(whole) <= _SECONDS_LENGTH_MAX and whole.isdecimal() and fraction.isdecimal():
        return int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))
    try:
        number = Decimal(digits)
        size = abs(number)
        exponent = next((exponent for limit, exponent in _EPOCH_UNITS if size < limit), 0)
        return int(number.scaleb(exponent))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _digits(text: bytes, value: float) -> str:
    """As they were written; a member of another object may have the same name."""
    for found in _MEMBER.finditer(text):
        digits = found[1].decode()
        if float(digits) == value:
            return digits
    return repr(value)
