"""Times as a query or a request writes them."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from query.literals import duration_ns

INT64_MIN: Final = -(2**63) + 1
INT64_MAX: Final = 2**63 - 1

_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,40}))?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_EPOCH: Final = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_EPOCH_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
"""A magnitude below the first is in the unit of so many ns: seconds, milliseconds, microseconds; else ns."""


def parse_time(text: str, now_ns: int) -> int | None:
    """Nanoseconds since the epoch, within int64; None if the text is no time.

    RFC 3339 with any offset (none: UTC; a date alone: its midnight); seconds, ms, us or ns since the epoch, told
    apart by magnitude; `now`; a duration before (`15m`, `-15m`) or after (`+15m`) now.
    """
    found = _rfc3339(text)
    if found is None:
        found = _epoch(text)
    if found is None:
        found = _relative(text, now_ns)
    return None if found is None else max(INT64_MIN, min(INT64_MAX, found))


def _rfc3339(text: str) -> int | None:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - date(1970, 1, 1).toordinal()
        seconds = _of_day(int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return None
    ns = int((fraction or "0")[:9].ljust(9, "0"))
    return (days * 86_400 + seconds - _offset_s(offset)) * 10**9 + ns


def _of_day(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("no time of day")
    return hour * 3600 + minute * 60 + second


def _offset_s(offset: str | None) -> int:
    if offset is None or offset in "Zz":
        return 0
    digits = offset[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if offset[0] == "-" else seconds


def _epoch(text: str) -> int | None:
    if _EPOCH.fullmatch(text) is None:
        return None
    whole, _, fraction = text.lstrip("-").partition(".")
    unit = next((ns for below, ns in _EPOCH_UNITS if int(whole) < below), 1)
    ns = int(whole) * unit + int((fraction or "0")[:9].ljust(9, "0")) * unit // 10**9
    return -ns if text.startswith("-") else ns


def _relative(text: str, now_ns: int) -> int | None:
    if text.lower() == "now":
        return now_ns
    ns = duration_ns(text.lstrip("+-")) if len(text.lstrip("+-")) >= len(text) - 1 else None
    if ns is None:
        return None
    return now_ns + ns if text.startswith("+") else now_ns - ns


def format_time(time_ns: int) -> str:
    """RFC 3339, UTC, with nine digits: how every answer writes a time."""
    seconds, ns = divmod(time_ns, 10**9)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns:09d}Z"
