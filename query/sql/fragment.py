"""A piece of SQL with the parameters that its question marks stand for: user text never becomes SQL text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from query import limits
from query.errors import invalid

Bound: TypeAlias = str | int | float | bool

_INTERNAL_NAME: Final = re.compile(r"(?i)x[0-9]+(_json)?|column_[0-9]+|place_(time|seq)")
_QUOTED_OR_MARK: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ .@/-]{0,199}")


@dataclass(frozen=True, slots=True)
class Sql:
    text: str
    params: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class bind:  # noqa: N801 - reads as the function that it is used as
    """A value that goes into a piece as a parameter."""

    value: Bound


def sql(template: str, *parts: "Sql | bind") -> Sql:
    """`sql("contains({}, {})", value, bind("x"))`: the template's `{}` replaced in order. Braces mean nothing else.

    Raises:
        InvalidQuery: if the piece grows past what one query may be.
    """
    texts = template.split("{}")
    assert len(texts) == len(parts) + 1, template
    pieces = [texts[0]]
    params: list[Bound] = []
    for part, following in zip(parts, texts[1:], strict=True):
        if isinstance(part, Sql):
            pieces.append(part.text)
            params.extend(part.params)
        else:
            pieces.append("?")
            params.append(part.value)
        pieces.append(following)
    return _bounded(Sql("".join(pieces), tuple(params)))


def join(separator: str, pieces: Sequence[Sql]) -> Sql:
    texts = separator.join(piece.text for piece in pieces)
    return _bounded(Sql(texts, tuple(param for piece in pieces for param in piece.params)))


def joined(operator: str, conditions: Sequence[Sql]) -> Sql:
    """Conditions under AND or OR, as a tree of small depth: DuckDB bounds the depth of expressions."""
    if len(conditions) <= 32:
        return join(f" {operator} ", conditions)
    half = len(conditions) // 2
    parts = (joined(operator, conditions[:half]), joined(operator, conditions[half:]))
    return sql(f"({{}}) {operator} ({{}})", *parts)


def aliased(pieces: Sequence[tuple[str, Sql]], reserved: frozenset[str]) -> list[Sql]:
    """Expressions with their names, for SELECT: a field's own name where that is safe and unique, else `column_1` …

    ORDER BY takes a column of the answer before one of its source: none is called as one of the source (`reserved`).
    """
    taken: set[str] = set()
    selected = []
    for index, (name, piece) in enumerate(pieces, 1):
        is_safe = _PLAIN_NAME.fullmatch(name) is not None and _INTERNAL_NAME.fullmatch(name) is None
        is_own = is_safe and name.lower() not in taken | reserved
        chosen = name if is_own else f"column_{index}"
        taken.add(chosen.lower())
        selected.append(piece if piece.text == name else Sql(f'{piece.text} AS "{chosen}"', piece.params))
    return selected


def written(piece: Sql) -> str:
    """The piece with its parameters written out, for a view has none."""
    params = iter(piece.params)
    return _QUOTED_OR_MARK.sub(lambda found: literal(next(params)) if found[0] == "?" else found[0], piece.text)


def literal(value: Bound) -> str:
    """The value as SQL text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    text = value.replace("'", "''")
    return f"'{text}'"


def _bounded(piece: Sql) -> Sql:
    if len(piece.text) > limits.SQL_BYTES_MAX:
        raise invalid(f"the query's SQL is longer than {limits.SQL_BYTES_MAX} bytes", None, "use fewer parts")
    return piece
