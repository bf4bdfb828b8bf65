"""Times and durations as requests write them."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from logstore.errors import InvalidInput
from logstore.native import TIME_OK, TIME_UNREADABLE, parse_time
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
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WITHOUT_OFFSET: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?", re.ASCII)
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:\d\d$)", re.ASCII)


def parse_duration_ns(text: str) -> int:
    """A positive length of time: `15m`, `1h30m`, `1.5s`; units ns us ms s m h d w.

    Raises:
        InvalidInput: it is none.
    """
    if not _DURATION.fullmatch(text.strip()):
        raise InvalidInput(f"{text!r} is no duration; write a number and a unit (ns us ms s m h d w), such as 15m")
    return int(sum(Decimal(amount) * UNITS_NS[unit] for amount, unit in _PART.findall(text)))


def parse_time_ns(text: str, now_ns: int) -> int:
    """A time as nanoseconds since 1970 (UTC).

    RFC 3339 (a date alone is its midnight; without an offset it is UTC), an epoch number whose unit is told by its
    magnitude, `now`, `-15m` or `15m` (before now), `+15m` (after now). A plus that a URL turned into a space counts.
    A time outside 1678-2261 is the nearest inside.

    Raises:
        InvalidInput: it is none of these.
    """
    return max(TIME_MIN_NS, min(_parse(text, now_ns), TIME_MAX_NS + 1))


def _parse(text: str, now_ns: int) -> int:
    bare = text.strip()
    if bare.lower() == "now":
        return now_ns
    sign, amount = ("+", bare) if text.startswith(" ") else (bare[:1], bare)
    if _DURATION.fullmatch(amount.removeprefix(sign) if sign in "+-" else amount):
        ahead_ns = parse_duration_ns(amount.lstrip("+-"))
        return now_ns + (ahead_ns if sign == "+" else -ahead_ns)
    status, time_ns = parse_time(_completed(bare).encode())
    if status == TIME_OK:
        return time_ns
    if status != TIME_UNREADABLE:
        is_early = bare.startswith("-") or (bare[4:5] == "-" and bare[:4] < "1970")
        return TIME_MIN_NS if is_early else TIME_MAX_NS + 1
    raise InvalidInput(
        f"{text!r} is no time; write RFC 3339 (2026-01-31T12:00:00Z), an epoch number, now, "
        "or a duration before or after now (-15m, +15m)"
    )


def _completed(text: str) -> str:
    if _DAY.fullmatch(text):
        return f"{text}T00:00:00Z"
    if _WITHOUT_OFFSET.fullmatch(text):
        return f"{text}Z"
    return _LOST_PLUS.sub("+", text) if text.count(":") > 1 and "T" in text.upper() else text


def format_time(time_ns: int) -> str:
    """RFC 3339, UTC, nine digits: how every answer writes a time."""
    second, nanosecond = divmod(time_ns, S_NS)
    moment = datetime(1970, 1, 1) + timedelta(seconds=second)
    return f"{moment.isoformat(timespec='seconds')}.{nanosecond:09d}Z"
