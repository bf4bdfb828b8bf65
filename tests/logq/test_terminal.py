"""Nothing that a message holds can command the terminal it is shown on."""

import re

from hypothesis import given
from hypothesis import strategies as st

from logq.terminal import padded, safe, width

SGR = re.compile(r"\x1b\[[0-9;:]*m")


@given(st.text(st.characters() | st.sampled_from("\x1b[0;31mAJ\x07\n\r\t\x9b\u202e")), st.booleans())
def test_only_tabs_and_colours_pass(text: str, colours: bool) -> None:
    shown = safe(text, colours=colours)
    rest = SGR.sub("", shown) if colours else shown
    assert all(character == "\t" or character.isprintable() or ord(character) > 0x9F for character in rest)
    assert not set(rest) & set(map(chr, range(0x20))) - {"\t"}
    assert not re.search("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", rest)


def test_controls_are_shown_and_colours_end_with_the_message() -> None:
    assert safe("a\nb\r\x1b]0;title\x07\x1b[2J", colours=True) == "a\\nb\\r\\e]0;title\\a\\e[2J"
    assert safe("\x1b[31mred", colours=True) == "\x1b[31mred\x1b[0m"
    assert safe("\x1b[31mred", colours=False) == "\\e[31mred"
    assert safe("tab\there", colours=False) == "tab\there"


def test_width_counts_columns() -> None:
    assert [width(text) for text in ("abc", "日本", "e\u0301", "\x1b[31mred\x1b[0m")] == [3, 4, 1, 3]
    assert padded("日", 4) + "|" == "日  |"
    assert padded("7", 3, right=True) == "  7"
