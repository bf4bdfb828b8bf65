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


def letters(message: str) -> int:
    """A bit for each letter of its words with a digit: a to z in either case, `_`, and any other that is no digit."""
    found = {c for run in words(message) if re.search("[0-9]", run) for c in run if is_word_character(run[0])}
    places = "abcdefghijklmnopqrstuvwxyz_"
    known = [places.index(c.lower()) for c in found if c.isascii() and not c.isdigit()]
    return sum(1 << place for place in set(known)) | (1 << 27 if any(not c.isascii() for c in found) else 0)


def template(message: str) -> str:
    return "".join(WILDCARD if has_digit(run) else run for run in words(message))


def has_digit(run: str) -> bool:
    return is_word_character(run[0]) and re.search("[0-9]", run) is not None


def fuller(messages: list[str]) -> str:
    """The template of messages that have the same, with those words in it that all of them have; '' without such, or of
    one message."""
    if len(messages) == 1:
        return ""
    each = [[run for run in words(message) if has_digit(run)] for message in messages]
    common = [
        same[0] if len(set(same)) == 1 and is_kept(at, same[0]) else WILDCARD
        for at, same in enumerate(zip(*each, strict=True))
    ]
    left = iter(common)
    text = "".join(next(left) if has_digit(run) else run for run in words(messages[0]))
    return text if set(common) - {WILDCARD} and len(text.encode()) <= 4096 else ""


def is_kept(at: int, word: str) -> bool:
    return at < 63 and len(word.encode()) <= 255


def pattern_key(message: str) -> tuple[str, str]:
    """What messages of one pattern have in common: their template; for those that have none, all of their text."""
    found = template(message)
    is_own = WILDCARD in message or len(found.encode()) > 4096
    return ("message", message) if is_own else ("template", found)


def shown(kind: str, said: str) -> str:
    """The pattern's text."""
    return said.replace(WILDCARD, "<*>") if kind == "template" else said
