"""Times as senders write them, exactly: nanoseconds since 1970 (UTC), never by way of a floating-point number.

The C kernel reads those of JSON lines (logstore/native/timestamp.h); this is the same for values met one by one.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

NS_PER_S: Final = 1_000_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_UNITS: Final = ((10**11, 9), (10**14, 6), (10**17, 3))
"""An epoch number below this counts in units of ten to the minus so many nanoseconds; larger ones in nanoseconds."""
_EPOCH: Final = re.compile(r"(-?)(\d{1,40})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\ ?(?:[Zz]|UTC|GMT|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)


def epoch_ns(text: str) -> int | None:
    """Of an epoch number's text, with or without a fraction: seconds below 10^11, milliseconds below 10^14,
    microseconds below 10^17, else nanoseconds. Digits beyond the nanosecond are cut. None: no such number."""
    found = _EPOCH.fullmatch(text.strip())
    if not found:
        return None
    sign, whole, fraction, exponent = found.groups()
    digits, places = whole + (fraction or ""), len(fraction or "") - int(exponent or 0)
    number = int(digits)
    size = _scaled(number, -places)
    power = next((power for limit, power in _UNITS if size < limit), 0)
    epoch = _scaled(number, power - places)
    return -epoch if sign else epoch


def _scaled(number: int, power: int) -> int:
    """Times ten to the power, cut to a whole number."""
    return number * int(10**power) if power >= 0 else number // int(10**-power)


def rfc3339_ns(text: str) -> int | None:
    """Of a date and time with any offset, UTC where it names none; a space may stand before it. None: no such time."""
    found = _RFC3339.fullmatch(text.strip())
    if not found:
        return None
    day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    days = _days(day)
    if days is None or int(hour) > 23 or int(minute) > 59 or int(second) > 60:
        return None
    seconds = days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second)
    if sign:
        offset_s = int(offset_hours) * 3_600 + int(offset_minutes or 0) * 60
        seconds += -offset_s if sign == "+" else offset_s
    return seconds * NS_PER_S + int(((fraction or "") + "000000000")[:9])


def time_ns(value: object) -> int | None:
    """Of a number, or of a string in one of the two forms."""
    if isinstance(value, str):
        epoch = epoch_ns(value)
        return rfc3339_ns(value) if epoch is None else epoch
    if isinstance(value, int | float) and not isinstance(value, bool):
        return epoch_ns(repr(value))
    return None


@lru_cache(4096)
def _days(day: str) -> int | None:
    try:
        return date.fromisoformat(day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
