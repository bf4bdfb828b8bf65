"""A naive reading of bodies, one record at a time, without the kernels: the oracle of their tests."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

SPACE = " \t\r\n"
DEPTH_MAX = 128
DAY_NS = 86_400 * 10**9
FIRST_NS = int((datetime(1678, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9
END_NS = int((datetime(2262, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9
IDENTITY = ("cluster", "namespace", "pod", "container")
NAMES = {
    "time": ("time", "_time", "ts", "timestamp", "@timestamp"),
    "message": ("message", "msg", "log", "_msg"),
    "severity": ("severity", "level"),
}
LEVELS = {
    "trace": ("trace trc t", "finest finer verbose silly"),
    "debug": ("debug dbg d", "fine config http"),
    "info": ("info information informational inf i", "notice success log"),
    "warn": ("warn warning wrn w", ""),
    "error": ("error err e", "severe"),
    "fatal": ("fatal ftl f", "critical crit panic dpanic emerg emergency alert"),
}
STEPPED = re.compile(r"^([a-z]+)[+-]?[0-9]+\Z")
PLAIN = {word for plain, _ in LEVELS.values() for word in plain.split()}
SEVERITY_OF = {word: severity for severity, words in LEVELS.items() for word in " ".join(words).split()}
SEVERITY_OF |= dict(zip("01234567", ("fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug"), strict=True))
SEVERITY_OF |= {str(10 * (i + 1)): severity for i, severity in enumerate(LEVELS)}


class Rejected(Exception):
    """The line is no record."""


class Number(str):
    """A JSON number as it was written."""


@dataclass
class Read:
    """What a body gave: records as dicts (attributes and labels as dicts), and the numbers of rejected lines."""

    records: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    now_ns: int
    params: Mapping[str, str] = field(default_factory=dict)
    max_line_bytes: int = 1 << 24


def decode(body: bytes, settings: Settings, *, is_text: bool = False) -> Read:
    """The records of a body of POST /api/v1/logs."""
    read = Read()
    if is_text:
        lines = body.split(b"\n")
        for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
            _take(read, number, lambda line=line: text_record(line, settings))
        return read
    body = body.removeprefix(b"\xef\xbb\xbf")
    if body.strip(SPACE.encode()).startswith(b"["):
        for number, element in elements(body):
            _take(read, number, lambda element=element: json_record(element, settings))
        return read
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip(SPACE.encode()):
            _take(read, number, lambda line=line: json_record(line, settings))
    return read


def _take(read: Read, number: int, record: Any) -> None:
    try:
        read.records.append(record())
    except Rejected:
        read.rejected.append(number)


def text_record(line: bytes, settings: Settings) -> dict[str, Any]:
    if len(line) > settings.max_line_bytes:
        raise Rejected
    return record_of({}, {}, line, settings)


def json_record(line: bytes | None, settings: Settings) -> dict[str, Any]:
    if line is None or len(line) > settings.max_line_bytes:
        raise Rejected
    members = members_of(line)
    own = line.strip(SPACE.encode())
    return record_of({key: value for key, (value, _) in members.items()}, members, own, settings)


def record_of(members: dict[str, Any], spans: dict[str, Any], own: bytes, settings: Settings) -> dict[str, Any]:
    """The record that these members are; `spans` has each one's text too."""
    rest = dict(members)
    attributes: dict[str, Any] = {}
    record: dict[str, Any] = {}

    for name in (
        *NAMES["time"],
        *NAMES["severity"],
        *IDENTITY,
        "stream",
        "trace_id",
        "span_id",
        "labels",
        "attributes",
    ):
        if name in rest and rest[name] is None:
            del rest[name]

    time_ns: int | None = settings.now_ns
    sent_time = None
    for name in NAMES["time"]:
        if name in rest:
            sent_time = rest.pop(name)
            time_ns = read_time(sent_time)
            break
    is_kept = time_ns is not None and FIRST_NS <= time_ns < END_NS and time_ns <= settings.now_ns + DAY_NS
    record["time"] = time_ns if is_kept else settings.now_ns

    for name in (*IDENTITY, "stream"):
        word = settings.params.get(name, "")
        if name in rest and not isinstance(rest[name], (dict, list)):
            word = as_text(rest.pop(name))
            if name != "stream" and len(word.encode()) > 253:
                raise Rejected
            if not word and name in ("cluster", "namespace"):
                word = settings.params.get(name, "")
        record[name] = word or ("default" if name in ("cluster", "namespace") else "")

    record["severity"] = ""
    for name in NAMES["severity"]:
        if name in rest:
            record["severity"] = severity_of(rest[name])
            if rest[name] == "" or (record["severity"] and rest[name].lower() in PLAIN):
                del rest[name]
            break

    message = own
    for name in NAMES["message"]:
        if name in rest:
            value = rest.pop(name)
            is_string = isinstance(value, str) and not isinstance(value, Number)
            message = value.encode("utf-8", "surrogateescape") if is_string else spans[name][1]
            break
    message = message.removesuffix(b"\n")
    record["message"] = message.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    is_escaped = not is_utf8(message)
    if not is_escaped:
        record["message"] = message.decode()

    labels = rest.pop("labels") if isinstance(rest.get("labels"), dict) else {}
    record["labels"] = clean(labels) or None
    for name in ("trace_id", "span_id"):
        record[name] = None
        if name in rest and not isinstance(rest[name], (dict, list)):
            record[name] = as_text(rest.pop(name)) or None

    for key, value in rest.items():
        if key == "attributes" and isinstance(value, dict):
            attributes |= clean(value)
        else:
            attributes |= clean({key: value})
    if not is_kept:
        attributes["_time"] = clean(sent_time)
    if is_escaped:
        attributes["_escape"] = "backslash"
    record["attributes"] = attributes or None
    return record


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(clean(value))


def clean(value: Any) -> Any:
    """The value with U+FFFD for bytes that were not UTF-8."""
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, str) and not isinstance(value, Number):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value


def severity_of(value: Any) -> str:
    if not isinstance(value, str) or not value.isascii():
        return ""
    return SEVERITY_OF.get(value.lower(), "") or SEVERITY_OF.get(STEPPED.sub(r"\1", value.lower()), "")


# JSON


def _constant(_: str) -> Any:
    raise ValueError("not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {clean(key): value for key, value in pairs}


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_constant)
_SURROGATES = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|(\\.)", re.DOTALL
)


def parse(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at this place, and its end. Raises ValueError."""
    return _DECODER.raw_decode(text, at)


def readable(text: bytes) -> str:
    """For the JSON parser: lone surrogates' escapes as that of U+FFFD (of equal length), bad bytes as surrogates."""
    fixed = _SURROGATES.sub(lambda found: rb"\ufffd" if found[2] else found[0], text)
    return fixed.decode("utf-8", "surrogateescape")


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def members_of(line: bytes) -> dict[str, tuple[Any, bytes]]:
    """The members of an object, each with its text. Raises Rejected."""
    text = readable(line)
    try:
        whole, end = parse(text, skip(text, 0))
    except ValueError:
        raise Rejected from None
    if not isinstance(whole, dict) or skip(text, end) != len(text) or depth(whole) > DEPTH_MAX:
        raise Rejected
    members: dict[str, tuple[Any, bytes]] = {}
    for key, value, start, stop in _spans(text):
        before, inside = text[:start], text[start:stop]
        at = len(before.encode("utf-8", "surrogateescape"))
        members[key] = (value, line[at : at + len(inside.encode("utf-8", "surrogateescape"))])
    return members


def _spans(text: str) -> Iterator[tuple[str, Any, int, int]]:
    at = skip(text, skip(text, 0) + 1)
    while text[at] != "}":
        key, at = parse(text, at)
        start = skip(text, skip(text, at) + 1)
        value, stop = parse(text, start)
        yield clean(key), value, start, stop
        at = skip(text, stop)
        if text[at] == ",":
            at = skip(text, at + 1)


def _goes_on(value: Any, after: str) -> bool:
    """Is the value a number that the parser ended too early, since what follows makes it none?"""
    if not isinstance(value, Number) or not after:
        return False
    if after in "eE":
        return not set(value) & set("eE")
    return (after == "." and not set(value) & set(".eE")) or (after.isdigit() and value in ("0", "-0"))


def elements(body: bytes) -> Iterator[tuple[int, bytes | None]]:
    """The elements of an array by number; None where it breaks off, or text follows it."""
    text = readable(body)
    original = body.decode("utf-8", "surrogateescape")
    at = skip(text, skip(text, 0) + 1)
    number = 1
    if at < len(text) and text[at] == "]":
        if skip(text, at + 1) != len(text):
            yield number, None
        return
    while True:
        try:
            value, end = parse(text, at)
        except ValueError:
            yield number, None
            return
        if _goes_on(value, text[end : end + 1]) or depth(value) > DEPTH_MAX:
            yield number, None
            return
        yield number, original[at:end].encode("utf-8", "surrogateescape")
        number += 1
        at = skip(text, end)
        if at < len(text) and text[at] == ",":
            at = skip(text, at + 1)
            continue
        if at == len(text) or text[at] != "]" or skip(text, at + 1) != len(text):
            yield number, None
        return


# times

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|([+-])(\d\d):?(\d\d))", re.ASCII
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def read_time(value: Any) -> int | None:
    """Nanoseconds since 1970, None if that is far out of range. Raises Rejected for what is no time."""
    if not isinstance(value, str):
        raise Rejected
    found = _RFC3339.fullmatch(value)
    if found:
        return _calendar_ns(found)
    if not _NUMBER.fullmatch(value):
        raise Rejected
    with localcontext(prec=10_000, Emax=10**9, Emin=-(10**9)):
        number = Decimal(value)
        if number == 0 or number.adjusted() < -30:
            return 0
        if number.adjusted() > 30:
            return None
        size = abs(number)
        scale = 9 if size < 10**11 else 6 if size < 10**14 else 3 if size < 10**17 else 0
        return int(number * 10**scale)


def _calendar_ns(found: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    if second > 60:
        raise Rejected
    try:
        # The calendar repeats every 400 years; datetime has no year 0.
        moment = datetime(year + 400 * (year == 0), month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        raise Rejected from None
    offset = 0
    if found[9]:
        if int(found[10]) > 23 or int(found[11]) > 59:
            raise Rejected
        offset = (int(found[10]) * 60 + int(found[11])) * (-60 if found[9] == "-" else 60)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) - 146_097 * 86_400 * (year == 0)
    nanoseconds = int(((found[7] or "") + "0" * 9)[:9])
    return (seconds + second - offset) * 10**9 + nanoseconds
