"""Severities as senders name or number them."""

import json
import re
from pathlib import Path

import pytest

from ingest.protocols.native import decode
from ingest.request import Request
from ingest.severity import says_more, severity_of, severity_of_number, severity_of_syslog

KERNEL = Path(__file__).parents[2] / "logstore" / "native" / "severity.c"
WORDS = re.findall(r'\{"(\w+)", SEVERITY_', KERNEL.read_text())
NUMBERS = [str(number) for number in range(-1, 100)]


def as_the_kernel_reads(words: list[str]) -> list[str]:
    body = "\n".join(json.dumps({"message": "m", "level": word}) for word in words)
    severities: list[str] = decode(Request(body.encode(), 0)).batch.column("severity").to_pylist()
    return severities


def test_words_and_numbers_mean_what_they_mean_in_the_kernel() -> None:
    assert len(WORDS) > 30
    cases = [*WORDS, *map(str.upper, WORDS), *map(str.title, WORDS), *NUMBERS, "", "other", "3.0", " info"]
    assert [severity_of(word) for word in cases] == as_the_kernel_reads(cases)
    assert "" not in {severity_of(word) for word in WORDS}


def test_words_and_numbers_that_say_more_are_those_that_the_kernel_keeps() -> None:
    cases = [*WORDS, *map(str.upper, WORDS), *NUMBERS, "other"]
    body = "\n".join(json.dumps({"message": "m", "level": word}) for word in cases)
    kept = decode(Request(body.encode(), 0)).batch.column("attributes").to_pylist()
    assert [says_more(word) for word in cases] == [text is not None for text in kept]


@pytest.mark.parametrize(
    ("number", "severity"),
    [
        *((0, ""), (1, "trace"), (4, "trace"), (5, "debug"), (9, "info"), (12, "info"), (13, "warn")),
        *((17, "error"), (20, "error"), (21, "fatal"), (24, "fatal"), (25, ""), (-3, "")),
    ],
)
def test_otel_numbers(number: int, severity: str) -> None:
    assert severity_of_number(number) == severity


def test_syslog_levels() -> None:
    levels = ["", "fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug", ""]
    assert [severity_of_syslog(level) for level in range(-1, 9)] == levels
