"""Words, comparisons and other tests, one value at a time."""

import operator
import re
import unicodedata
from typing import Any

from query import ast
from tests.reference.values import INTEGER, NUMBER, Cell, amount, number, text

OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def is_word(char: str) -> bool:
    return char == "_" or unicodedata.category(char)[0] in "LN"


def lower(form: str) -> str:
    return "".join(char.lower()[0] for char in form)


def has_phrase(form: str | None, phrase: str, prefix: bool) -> bool:
    if form is None:
        return False
    hay, needle = lower(form), lower(phrase)
    for start in range(len(hay) - len(needle) + 1):
        end = start + len(needle)
        if hay[start:end] == needle and not _inside(hay, start) and (prefix or not _inside(hay, end)):
            return True
        if not needle:
            return True
    return False


def _inside(hay: str, index: int) -> bool:
    """Whether the place before this character is inside a word."""
    return 0 < index < len(hay) and is_word(hay[index - 1]) and is_word(hay[index])


def with_literal(left: Cell, sign: str, right: ast.Literal, time_of: Any) -> bool:
    if left.value is None:
        return False
    compare = OPERATORS[sign]
    if left.kind == "time":
        return compare(left.value, time_of(right))
    if isinstance(right, ast.Text):
        return compare(text(left), right.value)
    if left.verbatim:
        return compare(text(left), right.text)
    if left.kind == "boolean":
        return False
    if isinstance(right, ast.Quantity):
        found = amount(left, right.dimension.value)
        return found is not None and compare(found, float(right.amount))
    if left.kind == "float":
        return compare(left.value, float(right.text))
    form = text(left)
    return form is not None and NUMBER.fullmatch(form) is not None and _numbers(form, sign, right.text)


def between(left: Cell, sign: str, right: Cell) -> bool:
    if left.value is None or right.value is None:
        return False
    compare, kinds = OPERATORS[sign], {left.kind, right.kind}
    if kinds == {"time"}:
        return compare(left.value, right.value)
    texts = text(left), text(right)
    if left.verbatim or right.verbatim or kinds & {"boolean", "time"}:
        return compare(*texts)
    if kinds & {"integer", "float"}:
        numbers = number(left), number(right)
        return None not in numbers and compare(*numbers)
    if all(form is not None and NUMBER.fullmatch(form) for form in texts):
        return _numbers(str(texts[0]), sign, str(texts[1]))
    return compare(*texts)


def _numbers(left: str, sign: str, right: str) -> bool:
    if INTEGER.fullmatch(left) and INTEGER.fullmatch(right):
        return bool(OPERATORS[sign](int(left), int(right)))
    return bool(OPERATORS[sign](float(left), float(right)))


def matches(form: str | None, pattern: str) -> bool:
    """Python's `re` in place of RE2: tests use what both have in common."""
    return form is not None and re.search(pattern.replace("$", r"\Z"), form) is not None


def contains(form: str | None, affix: ast.Affix, part: str) -> bool:
    if form is None:
        return False
    return {"*=": part in form, "^=": form.startswith(part), "$=": form.endswith(part)}[affix.value]
