"""A message's template, said plainly: every word with a digit in it becomes a wildcard."""

import re
import unicodedata

WILDCARD = "\x1a"


def is_word_character(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LN"


def words(text: str) -> list[str]:
    """The runs of word characters, and the runs of others between them, in order; joined they are the text."""
    found: list[str] = []
    for character in text:
        if found and is_word_character(found[-1][-1]) == is_word_character(character):
            found[-1] += character
        else:
            found.append(character)
    return found


def template(message: str) -> str:
    return "".join(WILDCARD if is_word_character(run[0]) and re.search("[0-9]", run) else run for run in words(message))
