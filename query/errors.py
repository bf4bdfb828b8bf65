"""How a query's errors read: what, where, and how to mend it."""

from collections.abc import Iterable
from difflib import get_close_matches

from logstore.errors import InvalidQuery, Position


def invalid(what: str, at: Position | None = None, hint: str = "") -> InvalidQuery:
    """An error whose text has all three parts: ``unknown function "cuont" at column 14; did you mean "count"?``."""
    return InvalidQuery(f"{what}{place(at)}{f'; {hint}' if hint else ''}", at, hint)


def place(at: Position | None) -> str:
    if at is None:
        return ""
    if at.line == 1:
        return f" at column {at.column}"
    return f" at line {at.line}, column {at.column}"


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint with the known word that is nearest to this one, if any is near."""
    near = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else otherwise


def shown(text: str, length: int = 40) -> str:
    """A piece of a query as an error quotes it: short, on one line."""
    short = text if len(text) <= length else text[: length - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in short)
