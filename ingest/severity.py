"""Severities as senders name or number them, as one of the six words, or '' where they tell nothing.

The words are those of logstore/native/severity.c, which reads them out of JSON bodies and lines.
"""

import re
from collections.abc import Mapping
from typing import Final

from logstore.record import SEVERITIES

_PLAIN: Final = {
    "trace": ("trace", "trc", "t"),
    "debug": ("debug", "dbg", "d"),
    "info": ("info", "information", "informational", "inf", "i"),
    "warn": ("warn", "warning", "wrn", "w"),
    "error": ("error", "err", "e"),
    "fatal": ("fatal", "ftl", "f"),
}
"""Words that say no more than the severity."""
_TELLING: Final = {
    "trace": ("verbose", "finest", "finer", "silly"),
    "debug": ("fine", "config", "http"),
    "info": ("notice", "success", "log"),
    "error": ("severe",),
    "fatal": ("critical", "crit", "panic", "dpanic", "emerg", "emergency", "alert"),
}
_SYSLOG: Final = ("fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug")
_OTEL_STEP: Final = 4
_OTEL_MAX: Final = 24
_OF_WORD: Final[Mapping[str, str]] = {
    **{word: severity for words in (_PLAIN, _TELLING) for severity, some in words.items() for word in some},
    **{str(level): severity for level, severity in enumerate(_SYSLOG)},
    **{str(10 * rank): severity for rank, severity in enumerate(SEVERITIES, 1)},
}
_STEP: Final = re.compile(r"(?<=[a-z])[+-]?[0-9]+\Z")
_IS_PLAIN: Final = frozenset(word for words in _PLAIN.values() for word in words)


def severity_of(word: str) -> str:
    """Of a word in any case, perhaps with a step after it (DEBUG-4 of Go's slog, D2 of MongoDB), or of a number's text:
    0-7 as syslog counts, 10-60 as pino and bunyan do."""
    return _OF_WORD.get(word) or _OF_WORD.get(_STEP.sub("", word.lower()), "")


def says_more(word: str) -> bool:
    """Does it say more than the severity it means, as NOTICE, CRITICAL and numbers do? It stays an attribute then."""
    return word.lower() not in _IS_PLAIN


def severity_of_number(otel_number: int) -> str:
    """Of OpenTelemetry's SeverityNumber, 1-24 (Logs Data Model, "Field: SeverityNumber")."""
    return SEVERITIES[(otel_number - 1) // _OTEL_STEP] if 1 <= otel_number <= _OTEL_MAX else ""


def severity_of_syslog(level: int) -> str:
    """Of syslog's 0-7 (RFC 5424, table 2)."""
    return _SYSLOG[level] if 0 <= level < len(_SYSLOG) else ""
