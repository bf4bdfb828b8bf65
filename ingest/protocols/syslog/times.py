"""Times as syslog senders write them, as nanoseconds since the epoch.

RFC 3164 has neither year nor zone: the year is the last one in which the time is not more than a day ahead of the
receiver's, the zone is configured. RFC 5424 §6.2.3 is RFC 3339.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86_400
_YEARS_BACK: Final = 10
"""There are eight years between leap years around 1900 and 2100."""


Clock = Callable[[str, str], int | None]
"""Whole seconds since the epoch of a stamp and a zone; None if there is no such time.

A stamp is a date, any character, and `hh:mm:ss`; a date is `2024-02-29`, `Feb 29`, `Feb 29 2024` or `2024 Feb 29`. A
zone that is neither an offset nor UTC in any of its names is the local one.
"""


def clock_of(local: tzinfo, now_ns: int) -> Clock:
    """The clock of one request. It remembers: senders write many records in one second."""
    until_s = now_ns // 1_000_000_000 + _DAY_S

    @lru_cache(maxsize=4096)
    def seconds_of(stamp: str, zone: str) -> int | None:
        try:
            return _seconds(stamp[:-9], stamp[-8:], _zone(zone, local), until_s)
        except (KeyError, ValueError, OverflowError):
            return None

    return seconds_of


def nanoseconds(fraction: str) -> int:
    """Decimals of a second; digits after the ninth are dropped."""
    return int(fraction[:9].ljust(9, "0")) if fraction else 0


def _seconds(date: str, clock: str, zone: tzinfo, until_s: int) -> int | None:
    year, month, day = _date(date)
    hour, minute, second = (int(part) for part in clock.split(":"))
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        return None
    of_day = timedelta(hours=hour, minutes=minute, seconds=second)
    if year:
        return _since_epoch(datetime(year, month, day, tzinfo=zone) + of_day)
    return _latest(month, day, of_day, zone, until_s)


def _date(date: str) -> tuple[int, int, int]:
    """The year is 0 where there is none."""
    if date[4:5] == "-":
        year, month, day = date.split("-")
        return int(year), int(month), int(day)
    parts = date.split()
    year = "0"
    if parts[0].isdigit():
        year = parts.pop(0)
    elif len(parts) == 3:
        year = parts.pop()
    return int(year), _MONTHS[parts[0].lower()], int(parts[1])


def _latest(month: int, day: int, of_day: timedelta, zone: tzinfo, until_s: int) -> int | None:
    year = (_EPOCH + timedelta(seconds=until_s)).year + 1  # west of Greenwich it may still be last year
    for candidate in range(year, year - _YEARS_BACK, -1):
        try:
            seconds = _since_epoch(datetime(candidate, month, day, tzinfo=zone) + of_day)
        except ValueError:
            continue  # February 29
        if seconds <= until_s:
            return seconds
    return None


def _since_epoch(moment: datetime) -> int:
    return round((moment - _EPOCH).total_seconds())


def _zone(zone: str, local: tzinfo) -> tzinfo:
    if zone in ("Z", "z", "UTC", "GMT"):
        return UTC
    if not zone or zone[0] not in "+-":
        return local
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(offset if zone[0] == "+" else -offset)
