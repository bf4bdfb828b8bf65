"""Severities as senders name or number them, as one of the six words, or '' where they tell nothing.

The words are those of logstore/native/severity.c, which reads them out of JSON bodies and lines.
"""

from collections.abc import Mapping
from typing import Final

from logstore.record import SEVERITIES

_WORDS: Final = {
    "trace": ("trace", "trc", "verbose", "finest", "finer", "silly", "t"),
    "debug": ("debug", "dbg", "fine", "config", "http", "d"),
    "info": ("info", "information", "informational", "inf", "notice", "success", "log", "i"),
    "warn": ("warn", "warning", "wrn", "w"),
    "error": ("error", "err", "severe", "e"),
    "fatal": ("fatal", "ftl", "critical", "crit", "panic", "dpanic", "emerg", "emergency", "alert", "f"),
}
_SYSLOG: Final = ("fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug")
_OTEL_STEP: Final = 4
_OTEL_MAX: Final = 24
_OF_WORD: Final[Mapping[str, str]] = {
    **{word: severity for severity, words in _WORDS.items() for word in words},
    **{str(level): severity for level, severity in enumerate(_SYSLOG)},
    **{str(10 * rank): severity for rank, severity in enumerate(SEVERITIES, 1)},
}


def severity_of(word: str) -> str:
    """Of a word in any case, or of a number's text: 0-7 as syslog counts, 10-60 as pino and bunyan do."""
    return _OF_WORD.get(word) or _OF_WORD.get(word.lower(), "")


def severity_of_number(otel_number: int) -> str:
    """Of OpenTelemetry's SeverityNumber, 1-24 (Logs Data Model, "Field: SeverityNumber")."""
    return SEVERITIES[(otel_number - 1) // _OTEL_STEP] if 1 <= otel_number <= _OTEL_MAX else ""


def severity_of_syslog(level: int) -> str:
    """Of syslog's 0-7 (RFC 5424, table 2)."""
    return _SYSLOG[level] if 0 <= level < len(_SYSLOG) else ""
