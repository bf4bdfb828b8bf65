"""Times and durations as requests write them."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from logstore.errors import InvalidInput
from logstore.record import TIME_MAX_NS, TIME_MIN_NS

S_NS: Final = 1_000_000_000
UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": S_NS,
    "m": 60 * S_NS,
    "h": 3_600 * S_NS,
    "d": 86_400 * S_NS,
    "w": 7 * 86_400 * S_NS,
}

_AMOUNT: Final = r"\d{1,18}(?:\.\d{1,18})?(?:ns|us|µs|ms|[smhdw])"
_DURATION: Final = re.compile(rf"(?:{_AMOUNT})+", re.ASCII)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([a-zµ]+)", re.ASCII)
_EPOCH: Final = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,30}))?)?(?:([Zz])|([+\- ])(\d\d):?(\d\d))?)?", re.ASCII
)
_EPOCH_SCALES: Final = ((10**11, S_NS), (10**14, 1_000_000), (10**17, 1_000))
"""An epoch number below the first is in units of the second."""


def parse_duration_ns(text: str) -> int:
    """A positive length of time: `15m`, `1h30m`, `1.5s`; units ns us ms s m h d w.

    Raises:
        InvalidInput: it is none.
    """
    if not _DURATION.fullmatch(text.strip()):
        raise InvalidInput(f"{text!r} is no duration; write a number and a unit (ns us ms s m h d w), such as 15m")
    return int(sum(Decimal(amount) * UNITS_NS[unit] for amount, unit in _PART.findall(text)))


def parse_time_ns(text: str, now_ns: int) -> int:
    """A time as nanoseconds since 1970 (UTC), brought into the range of record times.

    RFC 3339 (a date alone is its midnight; without an offset it is UTC), an epoch number whose unit is told by its
    magnitude, `now`, `-15m` or `15m` (before now), `+15m` (after now). A plus that a URL turned into a space counts.

    Raises:
        InvalidInput: it is none of these.
    """
    return max(TIME_MIN_NS, min(_parse(text, now_ns), TIME_MAX_NS + 1))


def _parse(text: str, now_ns: int) -> int:
    bare = text.strip()
    if bare.lower() == "now":
        return now_ns
    if _EPOCH.fullmatch(bare):
        return _epoch_ns(bare)
    if found := _RFC3339.fullmatch(bare):
        return _calendar_ns(text, found)
    sign, amount = ("+", bare) if text.startswith(" ") else (bare[:1], bare.lstrip("+-"))
    if _DURATION.fullmatch(amount) and len(bare) - len(amount) <= 1:
        return now_ns + parse_duration_ns(amount) * (1 if sign == "+" else -1)
    raise InvalidInput(
        f"{text!r} is no time; write RFC 3339 (2026-01-31T12:00:00Z), an epoch number, now, "
        "or a duration before or after now (-15m, +15m)"
    )


def _epoch_ns(text: str) -> int:
    number = Decimal(text)
    scale = next((scale for limit, scale in _EPOCH_SCALES if abs(number) < limit), 1)
    return int(number * scale)


def _calendar_ns(text: str, found: re.Match[str]) -> int:
    day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = found.groups("0")
    try:
        midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no time: {error}") from error
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60 or int(offset_hours) > 23 or int(offset_minutes) > 59:
        raise InvalidInput(f"{text!r} is no time: its hours, minutes or seconds are out of range")
    days = (midnight - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(days=1)
    offset_s = int(offset_hours) * 3_600 + int(offset_minutes) * 60
    seconds = days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second)
    seconds += offset_s if sign == "-" else -offset_s
    return seconds * S_NS + int(fraction[:9].ljust(9, "0"))


def format_time(time_ns: int) -> str:
    """RFC 3339, UTC, nine digits: how every answer writes a time."""
    second, nanosecond = divmod(time_ns, S_NS)
    moment = datetime(1970, 1, 1) + timedelta(seconds=second)
    return f"{moment.isoformat(timespec='seconds')}.{nanosecond:09d}Z"
