"""What a terminal may be sent: colours, and text without the control characters that could command it."""

import os
import re
import sys
from argparse import Namespace
from typing import Final, TextIO

RESET: Final = "\x1b[0m"
DIM: Final = "\x1b[2m"
BOLD: Final = "\x1b[1m"
RED: Final = "\x1b[31m"
SEVERITY_COLOURS: Final = {
    "trace": "\x1b[2m",
    "debug": "\x1b[36m",
    "info": "\x1b[32m",
    "warn": "\x1b[33m",
    "error": "\x1b[31m",
    "fatal": "\x1b[1;35m",
}

_SGR: Final = r"\x1b\[[0-9;:]{0,64}m"
# C0 (but tab), DEL, C1, and the marks that turn text around: U+2028-202E, U+2066-2069; lone surrogates.
_CONTROL: Final = r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
_SHOWN: Final = re.compile(f"{_SGR}|{_CONTROL}")
_PLAIN: Final = re.compile(_CONTROL)
_SGR_ONLY: Final = re.compile(_SGR)
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\x1b": "\\e", "\x00": "\\0", "\x07": "\\a", "\x08": "\\b"}


def safe(text: str, *, colours: bool) -> str:
    """The text with control characters shown escaped; tab stays, and where `colours` SGR, reset after."""
    if not _PLAIN.search(text):
        return text
    if not colours:
        return _PLAIN.sub(_escaped, text)
    shown = _SHOWN.sub(lambda match: match[0] if len(match[0]) > 1 else _escaped(match), text)
    return f"{shown}{RESET}" if _SGR_ONLY.search(shown) else shown


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    return f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"\\u{ord(character):04x}"


def painted(text: str, colour: str) -> str:
    """The text in a colour; unchanged if that is empty."""
    return f"{colour}{text}{RESET}" if colour else text


def wants_colour(options: Namespace, stream: TextIO) -> bool:
    """Whether this output gets colours: as asked, else a terminal's that does not say no."""
    if options.color != "auto":
        return bool(options.color == "always")
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns() -> int:
    """The terminal's width in characters, 80 where it does not say."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(20, int(os.environ["COLUMNS"]))
    for stream in (sys.stdout, sys.stderr):
        try:
            return max(20, os.get_terminal_size(stream.fileno()).columns)
        except (OSError, ValueError):
            continue
    return 80


def width(text: str) -> int:
    """How many columns the text takes: two for wide characters, none for combining marks and colours."""
    if text.isascii():
        return len(_SGR_ONLY.sub("", text)) if "\x1b" in text else len(text)
    from unicodedata import combining, east_asian_width

    plain = _SGR_ONLY.sub("", text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in plain)


def padded(text: str, size: int, *, right: bool = False) -> str:
    """The text filled with spaces to a width."""
    spaces = " " * max(0, size - width(text))
    return spaces + text if right else text + spaces
