"""What every match of a regular expression contains, read off its text without running it.

A part of a pattern is known by the ways in which it can match; a way is a tuple of texts that follow each other with
anything between them: `ab.c` is the one way ("ab", "c"), `.` is ("", ""), and what is empty is ("",).
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

_Ways: TypeAlias = tuple[tuple[str, ...], ...]

PATTERN_MAX: Final = 1000
"""Nothing is said of longer patterns."""
WAYS_MAX: Final = 16
TEXTS_MAX: Final = 4
"""Of one way; the longest are kept."""
_DEPTH_MAX: Final = 32

LONG_S: Final = "\u017f"
"""The one character that RE2 takes for an ASCII letter, where case does not count, and lower-casing does not."""

_EMPTY: Final[_Ways] = (("",),)
_ANYTHING: Final[_Ways] = (("", ""),)

_PLAIN: Final = re.compile(r"[^\\.^$*+?()\[\]{}]*")
_QUANTIFIER: Final = re.compile(r"(?:[*?]|(\+)|\{([0-9]+)(?:,[0-9]*)?\})\??")
_FLAGS: Final = re.compile(r"\(\?([imsU]*)-?[imsU]*\)")
_GROUP: Final = re.compile(r"\((?:\?(?:P?<\w+>|([imsU]*)(?:-[imsU]*)?:)|(?!\?))")
_FEW: Final = re.compile(r"\[([^\]\\\[^-]{1,4})\]")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*+\]", re.DOTALL)
_PROPERTY: Final = re.compile(r"\\[pP](?:\{[^}]*\}|.)")
_CODE: Final = re.compile(r"\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))")
_ASSERTION: Final = re.compile(r"(?<![^\\]\[)(?<!^\[)\^|\$|\\[bBAzQ]")
"""A `^` that does not begin a class for sure, and all else that might be one."""
_CONTROLS: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Needed:
    """Every match contains all texts of at least one of the alternatives; one without texts says nothing.

    `folded`: that is so of the match and the texts as `fold` makes them (the texts are so already).
    """

    alternatives: tuple[tuple[str, ...], ...]
    folded: bool = False


NOTHING: Final = Needed(((),))


def needed(pattern: str) -> Needed:
    """What every match of a valid RE2 pattern contains; NOTHING where that is not sure."""
    if len(pattern) > PATTERN_MAX:
        return NOTHING
    scanner = _Scanner(pattern)
    try:
        ways = scanner.whole()
    except _UnsureError:
        return NOTHING
    kept = tuple(dict.fromkeys(_longest(_folded(way) if scanner.folds else way) for way in ways))
    return Needed(kept, scanner.folds) if all(kept) else NOTHING


def plain(pattern: str) -> tuple[str, ...] | None:
    """The texts of a pattern that means just to find one of them, as `timeout|refused`; None for all others."""
    return tuple(pattern.split("|")) if _PLAIN.fullmatch(pattern) else None


def is_local(pattern: str) -> bool:
    """Whether a match depends on nothing but what is matched, so that a text has one where a part of it has: for sure
    where the pattern has neither `^`, `$` nor an escape that looks at what is next to it."""
    return _ASSERTION.search(pattern) is None


def fold(text: str) -> str:
    """Texts of ASCII characters match without case in RE2 where they are equal in this form; see `LONG_S`."""
    return "".join(character.lower()[0] for character in text).replace(LONG_S, "s")


class _UnsureError(Exception):
    """The pattern has something that is not known here."""


class _Scanner:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self.folds = False

    def whole(self) -> _Ways:
        found = self._alternatives(0)
        if self._at < len(self._pattern):
            raise _UnsureError
        return found

    def _alternatives(self, depth: int) -> _Ways:
        """All up to the end or to the bracket that closes this group."""
        if depth > _DEPTH_MAX:
            raise _UnsureError
        closed: _Ways = ()
        ways = _EMPTY
        while self._at < len(self._pattern) and self._pattern[self._at] != ")":
            if self._pattern[self._at] == "|":
                self._at += 1
                closed, ways = closed + ways, _EMPTY
            elif self._pattern.startswith(r"\Q", self._at):
                self._unquote()
            elif flags := self._take(_FLAGS):
                self.folds |= "i" in flags[1]
            else:
                ways = _then(ways, self._repeated(self._atom(depth)))
        ways = closed + ways
        return ways if len(ways) <= WAYS_MAX else _ANYTHING

    def _repeated(self, ways: _Ways) -> _Ways:
        while quantifier := self._take(_QUANTIFIER):
            at_least_once = quantifier[1] or (quantifier[2] or "").strip("0")
            ways = _then(ways, _ANYTHING) if at_least_once else _ANYTHING
        return ways

    def _atom(self, depth: int) -> _Ways:
        """A quantifier here is of what stands before flags, or is an error."""
        if self._take(_QUANTIFIER):
            raise _UnsureError
        character = self._pattern[self._at]
        match character:
            case "(":
                return self._group(depth)
            case "[":
                return self._class()
            case "\\":
                return self._escape()
        self._at += 1
        if character in "^$":
            return _EMPTY
        return _ANYTHING if character == "." else ((character,),)

    def _group(self, depth: int) -> _Ways:
        opening = self._expect(_GROUP)
        self.folds |= "i" in (opening[1] or "")
        ways = self._alternatives(depth + 1)
        if self._at == len(self._pattern):
            raise _UnsureError
        self._at += 1
        return ways

    def _class(self) -> _Ways:
        if few := self._take(_FEW):
            return tuple((character,) for character in few[1])
        self._expect(_CLASS)
        return _ANYTHING

    def _escape(self) -> _Ways:
        if self._take(_PROPERTY):
            return _ANYTHING
        if code := self._take(_CODE):
            return ((_character(int(code[1] or code[2], 16)),),)
        escaped = self._pattern[self._at + 1 : self._at + 2]
        self._at += 2
        if escaped and escaped in "dDsSwWC":
            return _ANYTHING
        if escaped and escaped in "bBAz":
            return _EMPTY
        if escaped in _CONTROLS:
            return ((_CONTROLS[escaped],),)
        if not escaped or not escaped.isascii() or escaped.isalnum():
            raise _UnsureError
        return ((escaped,),)

    def _unquote(self) -> None:
        r"""`\Q…\E` as single characters, so that what follows it repeats only the last."""
        quoted, _, rest = self._pattern[self._at + 2 :].partition(r"\E")
        self._pattern = "".join(_escaped(character) for character in quoted) + rest
        self._at = 0

    def _take(self, what: re.Pattern[str]) -> re.Match[str] | None:
        found = what.match(self._pattern, self._at)
        if found:
            self._at = found.end()
        return found

    def _expect(self, what: re.Pattern[str]) -> re.Match[str]:
        found = self._take(what)
        if found is None:
            raise _UnsureError
        return found


def _then(first: _Ways, second: _Ways) -> _Ways:
    """One after the other; what would be too many ways is anything."""
    if len(first) * len(second) > WAYS_MAX:
        second = _ANYTHING
    return tuple(dict.fromkeys((*a[:-1], a[-1] + b[0], *b[1:]) for a in first for b in second))


def _longest(way: tuple[str, ...]) -> tuple[str, ...]:
    texts = list(dict.fromkeys(text for text in way if text))
    apart = [text for text in texts if not any(text in other for other in texts if other != text)]
    return tuple(sorted(apart, key=len, reverse=True)[:TEXTS_MAX])


def _folded(way: tuple[str, ...]) -> tuple[str, ...]:
    """Without characters whose case RE2 may see otherwise than we do."""
    return tuple(fold(piece) for text in way for piece in re.split("[^\x00-\x7f]+", text))


def _character(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise _UnsureError
    return chr(code)


def _escaped(character: str) -> str:
    return character if not character.isascii() or character.isalnum() else f"\\{character}"
