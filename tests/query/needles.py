"""Random texts full of odd cases, texts cut out of them, and random patterns with a text that they likely match."""

import re

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.numerals import rows_of_numbers

PIECES = ("error", "Err", "or", "e", "E", "s", "k", "4", "04", "x1", "7up", "_", "-", " ", ".", "/", "=", "\n", '"')
ODD_PIECES = tuple("\\²٣İßẞΣςéÉ日𐐀\u212a\u0131\u017f\u03c3\u0301\x1b\x00")

piece = st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), st.sampled_from(ODD_PIECES))
text = st.lists(st.one_of(*[piece] * 9, rows_of_numbers()), max_size=9).map("".join)


@st.composite
def cut(draw: st.DrawFn, texts: list[str]) -> str:
    """Mostly a part of one of the texts, as it is or in another case, or with something in its place."""
    whole = draw(st.sampled_from(texts)) if texts else ""
    start = draw(st.integers(0, len(whole)))
    part = whole[start : draw(st.integers(start, len(whole)))]
    match draw(st.integers(0, 9)):
        case 0:
            return draw(text)
        case 1:
            return part.swapcase()
        case 2:
            return part.lower()
        case 3:
            return part + draw(piece)
        case 4:
            return whole
        case 5:
            return part.replace(draw(st.sampled_from("14e. ")), draw(piece))
    return part


def escape(written: str) -> str:
    r"""Of RE2, in which `\` stands before ASCII punctuation only."""
    return "".join(f"\\{c}" if re.fullmatch(r"[!-/:-@\[-^`{-~]", c) else c for c in written)


Sample = tuple[str, str]
"""A pattern and a text that it likely matches."""


@st.composite
def _few(draw: st.DrawFn) -> Sample:
    members = draw(st.lists(st.sampled_from("aAeEsSkK4é ."), min_size=1, max_size=5))
    return f"[{''.join(members)}]", draw(st.sampled_from(members))


_ESCAPES = (
    (r"\d", "4"),
    (r"\D", "e"),
    (r"\w", "s"),
    (r"\W", "-"),
    (r"\s", " "),
    (".", "k"),
    (r"\S", "E"),
    (r"\t", "\t"),
)
_CODES = ((r"\pL", "e"), (r"\p{Greek}", "\u03c3"), (r"\PN", "k"), (r"\x41", "A"), (r"\x{e9}", "é"))
_CLASSES = (("[^a]", "4"), ("[]e]", "e"), ("[[:alpha:]s]", "k"), (r"[\]e]", "]"), ("[a-k]", "e"), ("[[:]", "["))
_EMPTY = tuple((pattern, "") for pattern in ("^", "$", r"\b", r"\B", "(?i)", "(?s)", "(?-i)", "()"))
_TIMES = (("*", 0), ("*", 2), ("+", 1), ("+", 2), ("?", 0), ("?", 1), ("{2}", 2), ("{0,2}", 0), ("{1,}", 1))

_single: SearchStrategy[Sample] = st.one_of(
    st.sampled_from("aAeEsSkK4é_ \u017f\u212a\u03c3ς").map(lambda c: (c, c)),
    st.sampled_from("aAeEsSkK4é_ -{}]\u017f").map(lambda c: (escape(c), c)),
    st.sampled_from(_ESCAPES + _CODES + _CLASSES),
    _few(),
)
_whole: SearchStrategy[Sample] = st.one_of(
    st.sampled_from(["error", "timeout", "id=4", "user 12 x", "a.b", "K\u0131sa"]).map(lambda c: (escape(c), c)),
    st.sampled_from(_EMPTY),
    st.sampled_from(["ab", "s*", "é+", "", "a|b", "(", "4"]).map(lambda c: (rf"\Q{c}\E", c)),
)


@st.composite
def _repeated(draw: st.DrawFn, inner: SearchStrategy[Sample]) -> Sample:
    pattern, sample = draw(inner)
    quantifier, times = draw(st.sampled_from(_TIMES))
    return f"{pattern}{quantifier}{draw(st.sampled_from(['', '?']))}", sample * times


@st.composite
def _either(draw: st.DrawFn, inner: SearchStrategy[Sample]) -> Sample:
    each = draw(st.lists(inner, min_size=2, max_size=4))
    return "|".join(pattern for pattern, _ in each), draw(st.sampled_from([sample for _, sample in each]))


def _grown(inner: SearchStrategy[Sample]) -> SearchStrategy[Sample]:
    opening = st.sampled_from(["(", "(?:", "(?P<n>", "(?i:", "(?s-i:"])
    grouped = st.tuples(opening, inner).map(lambda made: (f"{made[0]}{made[1][0]})", made[1][1]))
    several = st.lists(inner, min_size=2, max_size=4).map(_joined)
    return st.one_of(several, several, grouped, _repeated(grouped), _repeated(inner), _either(inner))


def _joined(parts: list[Sample]) -> Sample:
    return "".join(pattern for pattern, _ in parts), "".join(sample for _, sample in parts)


samples: SearchStrategy[Sample] = st.recursive(st.one_of(_single, _whole), _grown, max_leaves=8)


@st.composite
def pattern_of(draw: st.DrawFn, texts: list[str]) -> str:
    """A pattern with parts of these texts."""
    parts = [escape(part) for part in draw(st.lists(cut(texts), min_size=1, max_size=3))]
    start = draw(st.sampled_from(["", "", "(?i)", "^", "(?i)^"]))
    return start + draw(st.sampled_from(["", ".*", "|", r"\d", r"\w*", "[^ ]", "(?:x|4)", "+", "?"])).join(parts)
