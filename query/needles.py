"""A text that a query looks for, as the words it is made of: what they are in templates, which of them are whole."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import groupby, product
from operator import or_
from typing import Final

from logstore.templates import WILDCARD, letters_of
from logstore.words import is_word_character

_ADDRESS: Final = re.compile(r"[0-9]{1,3}([.-])[0-9]{1,3}\1[0-9]{1,3}\1[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Form:
    """What a text is in a template, and the letters that the words have which are wildcards there (`letters_of`)."""

    text: str
    letters: int


def forms(text: str, *, opens_left: bool = False, opens_right: bool = False) -> tuple[Form, ...]:
    """What the text can be in the template of a message that contains it: one of these stands there in its place.

    `opens_left`, `opens_right`: its first or last word may be part of a longer one, and so of one with a digit.
    """
    runs = _runs(text)
    last = len(runs) - 1
    choices = [
        _choices(run, is_open=(index == 0 and opens_left) or (index == last and opens_right))
        for index, run in enumerate(runs)
    ]
    return tuple(
        Form("".join(form.text for form in chosen), reduce(or_, (form.letters for form in chosen), 0))
        for chosen in product(*choices)
    )


def whole_words(text: str, *, opens_left: bool = False, opens_right: bool = False) -> Iterator[str]:
    """The words that are whole words wherever the text stands; of open ends they may be parts."""
    return filter(_is_word, _whole_runs(text, opens_left=opens_left, opens_right=opens_right))


def whole_addresses(text: str, *, opens_left: bool = False, opens_right: bool = False) -> Iterator[str]:
    """All four numbers in a row that filters hold as one (logstore/native/addresses.h), of numbers that are whole."""
    runs = list(_whole_runs(text, opens_left=opens_left, opens_right=opens_right))
    for first in range(len(runs) - 6):
        address = "".join(runs[first : first + 7])
        if _ADDRESS.fullmatch(address) and _is_word(runs[first]):
            yield address


def _whole_runs(text: str, *, opens_left: bool, opens_right: bool) -> Iterator[str]:
    """All that follow each other in the text, but for a word at an open end."""
    runs = _runs(text)
    for index, run in enumerate(runs):
        is_open = (index == 0 and opens_left) or (index == len(runs) - 1 and opens_right)
        if not (is_open and _is_word(run)):
            yield run


def has_digit(text: str) -> bool:
    return any(character in "0123456789" for character in text)


def _choices(run: str, *, is_open: bool) -> tuple[Form, ...]:
    literal, wildcard = Form(run, 0), Form(WILDCARD, letters_of(run))
    if not _is_word(run):
        return (literal,)
    if has_digit(run):
        return (wildcard,)
    return (literal, wildcard) if is_open else (literal,)


def _runs(text: str) -> list[str]:
    """Words, and what is between them, in order; joined they are the text."""
    return ["".join(run) for _, run in groupby(text, is_word_character)]


def _is_word(run: str) -> bool:
    return is_word_character(run[0])
