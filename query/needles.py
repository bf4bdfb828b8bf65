"""A text that a query looks for, as the words it is made of: what they are in templates, which of them are whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import groupby, product
from operator import or_

from logstore.templates import WILDCARD, letters_of
from logstore.words import is_word_character


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
    runs = _runs(text)
    for index, run in enumerate(runs):
        is_open = (index == 0 and opens_left) or (index == len(runs) - 1 and opens_right)
        if _is_word(run) and not is_open:
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
