"""A stream's labels as text, as Loki's protobuf and its old JSON have them: `{job="api", level="warn"}`.

The syntax is that of a PromQL selector with nothing but `=`; values, and names that are no plain words, are strings
of Go: interpreted ones with escapes, or raw ones in backquotes (Go specification, "String literals").
"""

import re
from typing import Final

from logstore.errors import InvalidInput

_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_PAIR: Final = re.compile(rf'\s*([^\s=,{{}}"`]+|{_STRING})\s*=\s*({_STRING}|`[^`]*`)\s*(?:,|$)', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_LETTERS: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_CODE_POINTS: Final = 0x110000
_SHOWN_CHARACTERS: Final = 80


def parse_labels(text: str) -> dict[str, str]:
    """The pairs in their order; of a repeated name the last counts.

    Raises:
        InvalidInput: not such a text.
    """
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        raise InvalidInput(f"labels stand in braces, this is {_shown(text)}")
    pairs = text[1:-1].strip()
    labels: dict[str, str] = {}
    at = 0
    while at < len(pairs):
        pair = _PAIR.match(pairs, at)
        if pair is None:
            raise InvalidInput(f'labels are name="value" pairs, this is {_shown(pairs[at:])}')
        labels[_unquoted(pair[1])] = _unquoted(pair[2])
        at = pair.end()
    return labels


def _unquoted(word: str) -> str:
    if word[0] == "`" or (word[0] == '"' and "\\" not in word):
        return word[1:-1]
    if word[0] != '"':
        return word
    return _ESCAPE.sub(_escaped, word[1:-1].encode("utf-8", "replace")).decode("utf-8", "replace")


def _escaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if code[:1] in b"uU" and len(code) > 1:
        point = int(code[1:], 16)
        return chr(point).encode("utf-8", "replace") if point < _CODE_POINTS else b"\xff"
    if code[:1] == b"x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if len(code) > 1:
        return bytes([int(code, 8) & 0xFF])
    return _LETTERS.get(code, code)


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
