"""A naive reading of what lines say, one at a time, without the kernels: the oracle of their tests."""

import re
from collections.abc import Iterator
from typing import Any

from tests.reference.records import (
    DEPTH_MAX,
    SEVERITY_OF,
    SPACE,
    Number,
    Rejected,
    clean,
    depth,
    members_of,
    parse,
    readable,
    severity_of,
    skip,
)

VAGUE = {"emergency", "alert", "information", "informational", "verbose", "finest", "finer", "fine"}
VAGUE |= {"silly", "config", "http", "success", "log"}
_KLOG = re.compile(
    rb"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} +(0|[1-9]\d{0,9}) ([^\x00-\x20\"=\x7f:\]]+):(0|[1-9]\d{0,9})\](?: .*)?",
    re.DOTALL,
)
_PAIR = rb'([A-Za-z_@][A-Za-z0-9_@./-]*)=(?:("(?:[^"\\\x00-\x1f]|\\.)*")|([^\x00-\x20"=\x7f]*))'
_LOGFMT = re.compile(rb"(?:" + _PAIR + rb"[ \t]+)+" + _PAIR, re.DOTALL)
_ONE_PAIR = re.compile(_PAIR, re.DOTALL)
KLOG_SEVERITY = {"I": "info", "W": "warn", "E": "error", "F": "fatal"}
LEVEL_KEYS = ("severity", "level", "lvl", "loglevel", "log.level", "levelname", "level_name", "Level", "LogLevel")
LEVEL_KEYS += ("@level", "@l", "severityText", "severity_text", "SeverityText", "Severity", "sev", "error_severity")
LEVEL_KEYS += ("syslogseverity", "syslogseverity-text")
LEVEL_PATHS = (("log", "level"), ("level", "levelStr"), ("level", "name"), ("record", "level", "name"))
LEVEL_PATHS += (("@fields", "levelname"),)


def enrich(message: str, pushed: dict[str, Any] | None, severity: str) -> tuple[dict[str, Any] | None, str]:
    """The attributes and severity of a record, by what its line says."""
    kind, said, letter = read_line(message.encode())
    attributes = said | (pushed or {})
    if severity:
        return attributes or None, severity
    values = [attributes.get(key) for key in LEVEL_KEYS]
    for value in sorted(values, key=lambda value: isinstance(value, Number)):
        if found := severity_of(value):
            return attributes or None, found
    if found := severity_of_shape(attributes):
        return attributes, found
    if letter:
        return attributes, KLOG_SEVERITY[letter]
    return attributes or None, severity_of_line(message.encode()) if kind == "plain" else ""


def severity_of_shape(attributes: dict[str, Any]) -> str:
    for head, *keys in LEVEL_PATHS:
        value = attributes.get(head)
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if found := severity_of(value):
            return found
    if isinstance(attributes.get("t"), dict) and "$date" in attributes["t"] and severity_of(attributes.get("s")):
        return severity_of(attributes["s"])
    if "@t" in attributes and "@l" not in attributes:
        return "info"
    caller, verbosity = attributes.get("caller"), attributes.get("v", "")
    if not isinstance(caller, str) or isinstance(caller, Number) or ".go:" not in caller:
        return ""
    return "info" if isinstance(verbosity, Number) else "error" if "v" not in attributes and "err" in attributes else ""


def read_line(line: bytes) -> tuple[str, dict[str, Any], str]:
    stripped = line.strip(SPACE.encode())
    if stripped.startswith(b"{"):
        try:
            return "json", {key: clean(value) for key, (value, _) in members_of(stripped).items()}, ""
        except Rejected:
            return _broken_json(stripped)
    if found := _KLOG.fullmatch(line):
        said = {"thread": Number(found[2].decode()), "source": found[3].decode(), "line": Number(found[4].decode())}
        return "klog", said, found[1].decode()
    if _LOGFMT.fullmatch(stripped):
        try:
            return "logfmt", dict(_pairs(stripped)), ""
        except ValueError:
            return "plain", {}, ""
    return "plain", {}, ""


def _broken_json(line: bytes) -> tuple[str, dict[str, Any], str]:
    text = readable(line)
    try:
        value, end = parse(text, 0)
    except ValueError:
        return "plain", {}, ""
    if depth(value) > DEPTH_MAX and skip(text, end) == len(text):
        return "deep", {"_ingest_error": "JSON nested deeper than 128 levels"}, ""
    return "plain", {}, ""


def _pairs(line: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(line):
        found = _ONE_PAIR.match(line, at)
        assert found
        value = parse(readable(found[2]), 0)[0] if found[2] else found[3].decode()
        yield found[1].decode(), value
        at = found.end()
        while at < len(line) and line[at : at + 1] in (b" ", b"\t"):
            at += 1


def severity_of_line(line: bytes) -> str:
    for found in re.finditer(rb"[A-Za-z]+", line):
        if found.start() >= 96:
            break
        word = found[0].decode()
        before = line[found.start() - 1 : found.start()] if found.start() else b" "
        after = line[found.end() : found.end() + 1] or b" "
        is_bracketed = after == b"]" and before in (b"[", b":")
        is_first = found.start() == 0 and after == b":"
        is_token = word.isupper() and before in b" \t[(<|" and after in b" \t])>|:,"
        if len(word) >= 3 and (is_bracketed or is_first or is_token) and word.lower() not in VAGUE:
            severity = SEVERITY_OF.get(word.lower(), "")
            if severity:
                return severity
    return ""
