"""Why a query cannot be read, in words."""

import re
from typing import Final

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from logstore.errors import InvalidQuery, Position
from query.errors import did_you_mean, invalid, shown

PIPES: Final = ("where", "fields", "extend", "stats", "sort", "limit", "top", "uniq", "patterns")

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_WORD: Final = re.compile(r"\w+")
_PIECE: Final = re.compile(r"=~|!~|!=|==|\*=|\^=|\$=|<=|>=|[()|,:=<>*^$]|[^\s()|,\"`:=<>*^$]+|.", re.DOTALL)
_OPERATORS: Final = frozenset((":", "=", "==", "!=", "=~", "!~", "*=", "^=", "$=", "<", "<=", ">", ">="))
_QUOTES: Final = {'"': "string", "`": "raw string"}

_WANTED: Final = (
    ("INTEGER", "a whole number"),
    ("TERM", "a word or a field"),
    ("NAME", "a field, a number or a quoted text"),
    ("OPERATOR", "an operator"),
    ("EOPERATOR", "an operator"),
    ("ASSIGN", '"="'),
    ("LPAR", '"("'),
    ("RPAR", '")"'),
    ("VBAR", 'a pipe, which begins with "|"'),
)


def explain(text: str, error: UnexpectedInput) -> InvalidQuery:
    """The error for a text that is not in the grammar."""
    wanted = _wanted_terminals(error)
    index = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return _ended(text, wanted)
    place = Position(error.line, error.column)
    rest = text[index:]
    if _CONTROL.match(rest):
        hint = r"inside quotes it may be written as \xNN"
        return invalid(f'a control character "{shown(rest[0])}" outside quotes', place, hint)
    if rest[0] in _QUOTES and not _is_closed(rest):
        return invalid(f"the {_QUOTES[rest[0]]} has no end", place, f"it begins here; close it with {rest[0]}")
    if "_WHERE" in wanted:
        return _no_pipe(rest, place)
    return _unexpected(text, index, place, wanted)


def _wanted_terminals(error: UnexpectedInput) -> frozenset[str]:
    if isinstance(error, UnexpectedCharacters):
        return frozenset(error.allowed or ())
    if isinstance(error, UnexpectedToken):
        return frozenset(error.accepts or error.expected)
    return frozenset()


def _is_closed(rest: str) -> bool:
    return re.match(r'"(?:[^"\\]|\\[\s\S])*"|`[^`]*`', rest) is not None


def _ended(text: str, wanted: frozenset[str]) -> InvalidQuery:
    lines = text.split("\n")
    place = Position(len(lines), len(lines[-1]) + 1)
    if "_WHERE" in wanted:
        return invalid("a pipe is missing at the end", place, f"pipes are {_listed(PIPES)}")
    return invalid("the query ends too early", place, _expectation(wanted))


def _no_pipe(rest: str, place: Position) -> InvalidQuery:
    word = _WORD.match(rest)
    if word is None:
        return invalid(f'a pipe is missing before "{_piece(rest)}"', place, f"pipes are {_listed(PIPES)}")
    hint = did_you_mean(word[0], PIPES, f"pipes are {_listed(PIPES)}")
    return invalid(f'unknown pipe "{shown(word[0])}"', place, hint)


def _unexpected(text: str, index: int, place: Position, wanted: frozenset[str]) -> InvalidQuery:
    piece = _piece(text[index:])
    return invalid(f'unexpected "{piece}"', place, _mend(text[:index], piece, wanted))


def _mend(before: str, piece: str, wanted: frozenset[str]) -> str:
    if piece == ")" and "RPAR" not in wanted and before.count("(") <= before.count(")"):
        return 'there is no "(" that it would close'
    if piece in _OPERATORS and "TERM" in wanted and not wanted & {"OPERATOR", "COLON"}:
        return f'a text that has "{piece}" in it must be quoted'
    if piece.lower() in ("and", "or", "not"):
        return f'it joins filters; to search for the word, quote it: "{piece}"'
    return _expectation(wanted)


def _expectation(wanted: frozenset[str]) -> str:
    words = list(dict.fromkeys(word for terminal, word in _WANTED if terminal in wanted))
    return f"expected {_listed(words)}" if words else ""


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _piece(rest: str) -> str:
    found = _PIECE.match(rest)
    return shown(found[0] if found else rest[:1])
