"""Bodies that are JSON objects one after the other, one at a time: with lines, commas, the separators of RFC 7464,
or nothing between them, or in an array.

An object that ends where it should is found without reading it twice: no beginning of a JSON object is one itself, so
what stands between two places where `}` and `{` meet is either an object or no whole one. What is none is given as it
was sent, and those after it are found again.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

_BETWEEN: Final = re.compile(rb"\}[\s,\x1e]*\{")
_NEXT: Final = re.compile(r"\}[\s,\x1e]*(?=\{)|\n\x1e?(?=\{)")
_SPACE: Final = re.compile(r"[\s,\x1e]*")
_AROUND: Final = b" \t\r\n,\x1e"
DEPTH_MAX: Final = 128
"""Levels of a value that is read at all."""
_SCANS_MAX: Final = 8
"""How many times the length of a body may be read in search of objects in it."""
_COUNTED_PER_READ: Final = 64
"""Python counts the lines before an error: so many characters for the price of reading one."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A piece of a body that is no JSON object, and why."""

    error: str


Found = tuple[dict[str, Any] | Unread, bytes]
"""An object, or why it is none, and its text as sent."""


def objects(body: bytes) -> Iterator[Found]:
    """The objects of a body in their order. Bytes that are not UTF-8 are lone surrogates in their strings (PEP 383,
    `surrogateescape`). Reads the body a bounded number of times, whatever is in it."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip(_AROUND)
    if text.startswith(b"[") and text.endswith(b"]"):
        text = text[1:-1].strip(_AROUND)
    at = 0
    for between in _BETWEEN.finditer(text):
        piece = text[at : between.start() + 1]
        try:
            value = orjson.loads(piece)
        except ValueError:
            break
        yield _judged(value, piece), piece
        at = between.end() - 1
    if at < len(text):
        yield from _rest(text[at:])


def on_one_line(text: bytes) -> bytes:
    """What was found, without line ends: in JSON they stand between members only, and never in a text."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ")


def _rest(text: bytes) -> Iterator[Found]:
    """The last object, or all from the first that did not end where it seemed to."""
    try:
        value = orjson.loads(text)
    except ValueError:
        yield from _search(text.decode("utf-8", "surrogateescape"))
    else:
        yield _judged(value, text), text


def _search(text: str) -> Iterator[Found]:
    """Reads each object to its own end, which takes longer."""
    decoder = json.JSONDecoder(strict=False)
    at, left = 0, _SCANS_MAX * len(text)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            left -= _read_until(error, len(text)) - at + at // _COUNTED_PER_READ
            end = _next_start(text, at) if left > 0 else _line_end(text, at)
            yield Unread(_reason(error)), _sent(text[at:end])
        else:
            piece = _sent(text[at:end])
            yield _judged(value, piece), piece
        at = _SPACE.match(text, end).end()  # type: ignore[union-attr]


def _judged(value: Any, text: bytes) -> dict[str, Any] | Unread:
    if not isinstance(value, dict):
        return Unread("not an object")
    if text.count(b"{") + text.count(b"[") > DEPTH_MAX and is_deeper(value, DEPTH_MAX):
        return Unread(f"nested deeper than {DEPTH_MAX} levels")
    return value


def is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays stand inside each other so often."""
    level = [value]
    for _ in range(levels):
        level = [member for outer in level for member in _members(outer) if isinstance(member, dict | list)]
        if not level:
            return False
    return True


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _sent(text: str) -> bytes:
    return text.rstrip(", \t\r\n").encode("utf-8", "surrogateescape")


def _read_until(error: ValueError | RecursionError, end: int) -> int:
    is_told = isinstance(error, json.JSONDecodeError) and not error.msg.startswith("Unterminated")
    return error.pos + 1 if is_told and isinstance(error, json.JSONDecodeError) else end


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return f"nested deeper than {DEPTH_MAX} levels"
    return f"not JSON: {error.msg if isinstance(error, json.JSONDecodeError) else error}"


def _next_start(text: str, at: int) -> int:
    """Where the next object may begin: where `}` meets `{`, or a line with `{`."""
    found = _NEXT.search(text, at + 1)
    return found.end() if found else len(text)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
