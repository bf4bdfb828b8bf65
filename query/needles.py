"""A text that a query looks for, as the words it is made of: what they are in templates, which of them are whole."""

from collections.abc import Iterator
from itertools import groupby, product

from logstore.templates import WILDCARD
from logstore.words import is_word_character


def forms(text: str, *, opens_left: bool = False, opens_right: bool = False) -> tuple[str, ...]:
    """What the text can be in the template of a message that contains it: one of these stands there in its place.

    `opens_left`, `opens_right`: its first or last word may be part of a longer one, and so of one with a digit.
    """
    runs = _runs(text)
    last = len(runs) - 1
    choices = [
        _choices(run, is_open=(index == 0 and opens_left) or (index == last and opens_right))
        for index, run in enumerate(runs)
    ]
    return tuple("".join(chosen) for chosen in product(*choices))


def whole_words(text: str, *, opens_left: bool = False, opens_right: bool = False) -> Iterator[str]:
    """The words that are whole words wherever the text stands; of open ends they may be parts."""
    runs = _runs(text)
    for index, run in enumerate(runs):
        is_open = (index == 0 and opens_left) or (index == len(runs) - 1 and opens_right)
        if _is_word(run) and not is_open:
            yield run


def has_digit(text: str) -> bool:
    return any(character in "0123456789" for character in text)


def _choices(run: str, *, is_open: bool) -> tuple[str, ...]:
    if not _is_word(run):
        return (run,)
    if has_digit(run):
        return (WILDCARD,)
    return (run, WILDCARD) if is_open else (run,)


def _runs(text: str) -> list[str]:
    """Words, and what is between them, in order; joined they are the text."""
    return ["".join(run) for _, run in groupby(text, is_word_character)]


def _is_word(run: str) -> bool:
    return is_word_character(run[0])
