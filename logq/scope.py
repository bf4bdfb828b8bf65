"""Narrowing a query by flags (`-n shop`) without changing what it means, and finding places of it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scoped:
    """A query as typed and as sent: with `added` characters before it and `closed` at its filter's end."""

    original: str
    text: str
    added: int
    filter_end: int
    closed: int

    def offset(self, line: int, column: int) -> int:
        """Where a place of the sent text (both from 1) lies in the original, as a character index."""
        lines = self.text.split("\n")
        sent = sum(len(each) + 1 for each in lines[: line - 1]) + column - 1
        typed = sent - self.added
        if typed > self.filter_end:
            typed = max(self.filter_end, typed - self.closed)
        return min(max(typed, 0), len(self.original))


def narrowed(query: str, identity: Mapping[str, Sequence[str]]) -> Scoped:
    """The query over only those records whose identity columns have one of the given values."""
    terms = [_term(column, values) for column, values in identity.items() if values]
    if not terms:
        return Scoped(query, query, 0, len(query), 0)
    condition = " and ".join(terms)
    end = filter_end(query)
    if not query[:end].strip():
        return Scoped(query, f"{condition} {query}", len(condition) + 1, end, 0)
    opening = f"{condition} and ("
    return Scoped(query, f"{opening}{query[:end]}){query[end:]}", len(opening), end, 1)


def filter_end(query: str) -> int:
    """The index of the first `|` outside strings and parentheses, or the length."""
    depth = 0
    index = 0
    while index < len(query):
        character = query[index]
        if character in '"`':
            index = _string_end(query, index)
            continue
        if character == "|" and depth <= 0:
            return index
        depth += (character == "(") - (character == ")")
        index += 1
    return len(query)


def quoted(value: str) -> str:
    """The value as a string of the query language."""
    return '"' + "".join(_escaped(character) for character in value) + '"'


def _term(column: str, values: Sequence[str]) -> str:
    if len(values) == 1:
        return f"{column}={quoted(values[0])}"
    return f"{column} in ({', '.join(map(quoted, values))})"


def _string_end(query: str, start: int) -> int:
    quote = query[start]
    index = start + 1
    while index < len(query) and query[index] != quote:
        index += 2 if quote == '"' and query[index] == "\\" else 1
    return index + 1


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character < " " or character == "\x7f":
        return f"\\x{ord(character):02x}"
    return character
