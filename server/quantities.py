"""Sizes and durations as people write them in settings: `64MiB`, `512MB`, `60s`, `7d`."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SIZE_UNITS: Final = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

_QUANTITY: Final = re.compile(r"\s*(\d{1,18}(?:\.\d{1,9})?)\s*([A-Za-z]*)\s*", re.ASCII)


def parse_size(text: object) -> int:
    """Bytes of `64MiB`, `512MB`, `1.5 GiB` or a bare number of bytes.

    Raises ValueError, which says what would be right.
    """
    number, unit = _split(text, "a size such as 64MiB, 512MB or 1048576 (bytes)")
    factor = SIZE_UNITS.get(unit.lower() or "b")
    if factor is None:
        raise ValueError(f"unknown unit {unit!r} in the size {text!r}: use B, KB, MB, GB, TB, KiB, MiB, GiB or TiB")
    return int(number * factor)


def parse_duration(text: object) -> float:
    """Seconds of `250ms`, `60s`, `5m`, `12h`, `7d`, `2w` or a bare number of seconds.

    Raises ValueError, which says what would be right.
    """
    number, unit = _split(text, "a duration such as 250ms, 60s, 5m, 12h or 7d")
    factor = DURATION_UNITS.get(unit or "s")
    if factor is None:
        raise ValueError(f"unknown unit {unit!r} in the duration {text!r}: use ms, s, m, h, d or w")
    return number * factor


def format_size(size_bytes: int) -> str:
    """The shortest exact form: `64MiB`, `1GB`, `1000001B`."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "KB"):
        factor = SIZE_UNITS[unit.lower()]
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return f"{size_bytes}B"


def format_duration(seconds: float) -> str:
    """The shortest exact form: `7d`, `60s`, `250ms`."""
    for unit in ("w", "d", "h", "m"):
        factor = DURATION_UNITS[unit]
        if seconds > factor and seconds % factor == 0:
            return f"{int(seconds // factor)}{unit}"
    if seconds and seconds < 1:
        return f"{seconds * 1000:g}ms"
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{seconds:g}s"


def _split(text: object, expected: str) -> tuple[float, str]:
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"{text!r} is not {expected}")
    if isinstance(text, (int, float)):
        text = f"{text:f}" if isinstance(text, float) else str(text)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not {expected}")
    return float(match[1]) if "." in match[1] else int(match[1]), match[2]


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size),
    WithJsonSchema({"type": "string", "format": "size"}),
]
"""A setting in bytes, written with a unit."""

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "format": "duration"}),
]
"""A setting in seconds, written with a unit."""
