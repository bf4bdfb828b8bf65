"""Words that every record which a condition accepts has: what is looked up in filters before any record is read.

What a token filter of some records has to hold, in lower case (`query.sql.filters.lower`):

- of `message`, `trace_id` and `span_id` every word,
- of `attributes` every word of every string, decoded, and of every number, as it is written, however deep inside;
- of each of these any four numbers in a row that are looked for as one: "10.0.0.7";
- of those that are numbers, in whatever way they are written (`4.711e3`, "04711"), the digits of the integer that they
  equal; `LARGE` in their place, if one has a fraction or an exponent and may equal integers of more than 15 digits;
- `NESTED`, if an attribute of any of them is an object or a list: what is found in such a value's text may be a key,
  or have an escape right before it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum, auto
from functools import partial
from typing import Final, TypeAlias

from logstore import tokens
from logstore.record import COLUMNS
from logstore.tokens import LARGE, NESTED
from query import ast, literals, regexes
from query.needles import has_digit, whole_addresses, whole_words
from query.sql.fields import ALIASES, SOURCES, Source, key_paths
from query.sql.filters import lower

SETS_MAX: Final = 16
ALTERNATIVES_MAX: Final = 256

Words: TypeAlias = frozenset[str]
"""Alternatives: at least one of them is in the record."""
WITHOUT_NUMBERS: Final = "?numbers"
WITHOUT_ADDRESSES: Final = "?addresses"
WITHOUT_LETTERS: Final = "?letters"
UNTOLD: Final = {
    WITHOUT_NUMBERS: tokens.WITH_NUMBERS,
    WITHOUT_ADDRESSES: tokens.WITH_ADDRESSES,
    WITHOUT_LETTERS: tokens.WITH_ALL_WORDS,
}
"""Alternatives that it is one of those whose filter is of a version before this one."""

_PART_OF_NUMBER: Final = re.compile(r"[-+]?[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]*)?")
_BOOLEANS: Final = ("true", "false")
_IDENTIFIERS: Final = ("trace_id", "span_id")


class _Field(Enum):
    MESSAGE = auto()
    TEXT = auto()
    """The message itself, not what a filter holds of it."""
    ATTRIBUTE = auto()


def required_words(condition: ast.Expression, labels: Collection[str] | None = None) -> tuple[Words, ...]:
    """Of each of these sets every record that the filter accepts has at least one word, those likely rarest first.

    Args:
        condition: a filter; its names are the record's own fields.
        labels: all keys that `labels` of the records have at the top, or None where they are not known. A name that
            could be one of them is looked up there too, and nothing follows from it.
    """
    return _best(_sets(condition, partial(_field, labels=labels)))


def words_of_message(condition: ast.Expression) -> tuple[Words, ...]:
    """The same, of words that stand in `message`, with or without a digit."""
    return _best(_sets(condition, lambda name: _Field.TEXT if name == "message" else None))


def _best(found: Iterable[Words]) -> tuple[Words, ...]:
    return tuple(sorted(dict.fromkeys(found), key=_commonness)[:SETS_MAX])


def _sets(condition: ast.Expression, field: Callable[[str], _Field | None]) -> Iterable[Words]:
    match condition:
        case ast.And(items):
            return [words for item in items for words in _sets(item, field)]
        case ast.Or(items):
            return _either([_sets(item, field) for item in items])
        case ast.Comparison(ast.Operator.EQ, ast.Name(name), right) | ast.Comparison(
            ast.Operator.EQ, right, ast.Name(name)
        ) if isinstance(right, ast.Literal):
            return _of_equal(field(name), _compared(name, right))
        case ast.OneOf(ast.Name(name), values):
            return _either([_of_equal(field(name), ast.Text(value)) for value in values])
        case ast.Phrase(ast.Name(name), text, prefix):
            return _of_found(field(name), text, _whole(text, opens_right=prefix))
        case ast.Contains(ast.Name(name), affix, text):
            opens_left, opens_right = affix is not ast.Affix.START, affix is not ast.Affix.END
            return _of_found(field(name), text, _whole(text, opens_left=opens_left, opens_right=opens_right))
        case ast.Match(ast.Name(name), pattern):
            return _of_match(field(name), pattern)
    return ()


def _field(name: str, labels: Collection[str] | None) -> _Field | None:
    """What the filter holds of this field's value; None: not all that could be searched for."""
    if name == "message":
        return _Field.MESSAGE
    if (name in COLUMNS and name not in _IDENTIFIERS) or name in ALIASES:
        return None
    source, dot, _ = name.partition(".")
    if dot and source in SOURCES:
        return _Field.ATTRIBUTE if source == Source.ATTRIBUTES else None
    if labels is None or any(path[0] in labels for path in key_paths(name)):
        return None
    return _Field.ATTRIBUTE


def _compared(name: str, right: ast.Literal) -> ast.Literal:
    """What the field is compared with: identifiers are texts, whatever they look like."""
    return ast.Text(right.text) if name in _IDENTIFIERS and not isinstance(right, ast.Text) else right


def _of_equal(field: _Field | None, right: ast.Literal) -> Iterable[Words]:
    """The whole value is this text, or this number. An attribute of this text is then a string or a number written like
    that, or nothing follows."""
    if field is _Field.ATTRIBUTE and not isinstance(right, ast.Text):
        return _of_number(right.text) if isinstance(right, ast.Number) else ()
    value = right.value if isinstance(right, ast.Text) else right.text
    if field is _Field.ATTRIBUTE and _may_be_written_otherwise(value):
        return ()
    return _kept(field, _whole(value))


def _of_number(text: str) -> Iterable[Words]:
    """An attribute equals this number: exactly, where both are written as integers, else as floating point."""
    if literals.is_large_integer(text):
        return [frozenset((text.lstrip("-0"), LARGE, WITHOUT_NUMBERS))]
    size = abs(float(text))
    is_exact = size.is_integer() and 0 < size < 10**literals.EXACT_DIGITS
    return [frozenset((str(int(size)), WITHOUT_NUMBERS))] if is_exact else ()


def _of_found(field: _Field | None, text: str, sets: Iterable[Words]) -> Iterable[Words]:
    """The text, in which these are whole, is somewhere in the value."""
    if field is not _Field.ATTRIBUTE:
        return _kept(field, sets)
    if _PART_OF_NUMBER.fullmatch(text) or lower(text) in _BOOLEANS:
        return ()
    return [words | {NESTED} for words in _kept(field, sets)]


def _of_match(field: _Field | None, pattern: str) -> Iterable[Words]:
    needed = regexes.needed(pattern)
    return _either(
        [
            [words for text in texts for words in _of_found(field, text, _inner(text, folded=needed.folded))]
            for texts in needed.alternatives
        ]
    )


def _inner(text: str, *, folded: bool) -> list[Words]:
    """In a text that is compared folded, an `s` may stand for another letter."""
    sets = _whole(text, opens_left=True, opens_right=True)
    return [words for words in sets if not (folded and any("s" in word for word in words - UNTOLD.keys()))]


def _whole(text: str, *, opens_left: bool = False, opens_right: bool = False) -> list[Words]:
    """What is whole wherever this text stands, each for itself."""
    text = lower(text)
    words = whole_words(text, opens_left=opens_left, opens_right=opens_right)
    addresses = whole_addresses(text, opens_left=opens_left, opens_right=opens_right)
    return [*(frozenset((word,)) for word in words), *(frozenset((one, WITHOUT_ADDRESSES)) for one in addresses)]


def _kept(field: _Field | None, sets: Iterable[Words]) -> list[Words]:
    """Those of them that are held of this field."""
    match field:
        case None:
            return []
        case _Field.TEXT:
            return [words for words in sets if WITHOUT_ADDRESSES not in words]
        case _Field.MESSAGE:
            return [words if any(map(has_digit, words)) else words | {WITHOUT_LETTERS} for words in sets]
    return list(sets)


def _may_be_written_otherwise(value: str) -> bool:
    """Whether an attribute of this text form may be one that is no string and whose words are not in the filter."""
    is_decimal = literals.is_number(value) and not literals.is_integer(value)
    return is_decimal or value in _BOOLEANS or value.startswith(("{", "["))


def _either(branches: Sequence[Iterable[Words]]) -> list[Words]:
    """One set of them all, of the best of each; nothing if one of them says nothing."""
    if len(branches) == 1:
        return list(branches[0])
    best = [min(branch, key=_commonness, default=frozenset[str]()) for branch in branches]
    both = frozenset[str]().union(*best)
    return [both] if best and all(best) and len(both - UNTOLD.keys()) <= ALTERNATIVES_MAX else []


def _commonness(words: Words) -> tuple[int, bool, int]:
    """Less is better: few alternatives, such as have digits, and long ones."""
    told = words - UNTOLD.keys()
    spelled = told - {NESTED, LARGE}
    return len(told), not all(map(has_digit, spelled)), -min(map(len, spelled))
