"""Durations and times as people type them, and as the server takes them."""

import re
from datetime import UTC, datetime
from typing import Final

from logq.errors import UsageError

SECOND_NS: Final = 1_000_000_000
_UNITS_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": SECOND_NS,
    "m": 60 * SECOND_NS,
    "h": 3600 * SECOND_NS,
    "d": 86_400 * SECOND_NS,
    "w": 7 * 86_400 * SECOND_NS,
}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w)")
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII
)


def duration_ns(text: str) -> int | None:
    """A Go-like duration (`90s`, `1h30m`, also `d` and `w`) in nanoseconds; None if it is none."""
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        return None
    return sum(_scaled(part[1], _UNITS_NS[part[2]]) for part in parts)


def _scaled(number: str, unit_ns: int) -> int:
    whole, _, fraction = number.partition(".")
    return int(whole or "0") * unit_ns + (int(fraction) * unit_ns // 10 ** len(fraction) if fraction else 0)


def rfc3339_ns(text: str) -> int | None:
    """Nanoseconds since the epoch of an RFC 3339 time with any offset; None if it is none."""
    match = _RFC3339.fullmatch(text)
    if not match:
        return None
    zone = "+00:00" if match[4] in "Zz" else match[4]
    try:
        whole = datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
    except ValueError:
        return None
    seconds = int((whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    return seconds * SECOND_NS + int((match[3] or "").ljust(9, "0"))


def rfc3339(time_ns: int) -> str:
    """The time in UTC with nine digits, as the server writes it."""
    seconds, fraction_ns = divmod(time_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction_ns:09d}Z"


def moment(text: str, flag: str) -> str:
    """What the server takes for `--since`/`--until`: durations in one unit before now, dates as midnight UTC.

    Raises:
        UsageError: the text cannot be a time.
    """
    text = text.strip()
    back_ns = duration_ns(text.removeprefix("-"))
    if back_ns is not None:
        return f"-{_in_one_unit(back_ns)}"
    ahead_ns = duration_ns(text[1:]) if text.startswith("+") else None
    if ahead_ns is not None:
        return f"+{_in_one_unit(ahead_ns)}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return f"{text}T00:00:00Z"
    if text == "now" or rfc3339_ns(text) is not None or re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    hint = "a duration back from now (15m, 6h, 2d), a date (2026-11-24), or RFC 3339 (2026-11-24T09:30:00Z)"
    raise UsageError(f"{flag}: cannot read {text!r} as a time", hint)


def moment_ns(text: str, now_ns: int) -> int:
    """Nanoseconds since the epoch of what `moment` returned."""
    if text == "now":
        return now_ns
    span_ns = duration_ns(text[1:]) if text[0] in "+-" else None
    if span_ns is not None:
        return now_ns - span_ns if text[0] == "-" else now_ns + span_ns
    absolute_ns = rfc3339_ns(text)
    return absolute_ns if absolute_ns is not None else _epoch_ns(text)


def _epoch_ns(text: str) -> int:
    magnitude = abs(float(text))
    unit_ns = SECOND_NS if magnitude < 1e11 else 1_000_000 if magnitude < 1e14 else 1_000 if magnitude < 1e17 else 1
    return int(text) * unit_ns if "." not in text else int(float(text) * unit_ns)


def _in_one_unit(span_ns: int) -> str:
    for unit in ("h", "m", "s", "ms", "us"):
        if span_ns and span_ns % _UNITS_NS[unit] == 0:
            return f"{span_ns // _UNITS_NS[unit]}{unit}"
    return f"{span_ns}ns" if span_ns else "0s"
