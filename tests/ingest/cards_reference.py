"""Which payment card numbers stand in a text, digit by digit."""

from collections.abc import Iterator

DIGITS = "0123456789"


def is_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: from the right, every second digit is doubled, and the digits of all are added up."""
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def is_issued(digits: str) -> bool:
    length, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[0] == "4":
        return length in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (34, 37):
        return length == 15
    if four == 6011 or two == 65 or 644 <= three <= 649 or 3528 <= four <= 3589 or two == 62:
        return length >= 16
    if 300 <= three <= 305 or two in (36, 38, 39):
        return length >= 14
    return two == 50 or 56 <= two <= 58


def runs_from(text: str, at: int) -> Iterator[int]:
    """The ends of the digits that begin here, wherever no digit follows, over single blanks and hyphens."""
    while at < len(text) and text[at] in DIGITS:
        while at < len(text) and text[at] in DIGITS:
            at += 1
        yield at
        if at >= len(text) or text[at] not in " -":
            return
        at += 1


def masked(text: str) -> str:
    found, at = "", 0
    while at < len(text):
        is_start = text[at] in DIGITS and (at == 0 or text[at - 1] not in DIGITS)
        ends = [end for end in runs_from(text, at) if is_card(text[at:end])] if is_start else []
        if ends:
            found, at = found + "[card]", max(ends)
        else:
            found, at = found + text[at], at + 1
    return found


def is_card(text: str) -> bool:
    digits = "".join(char for char in text if char in DIGITS)
    return 13 <= len(digits) <= 19 and is_issued(digits) and is_luhn(digits)
