"""Numbers as senders may write them, for tests."""

import re

from hypothesis import strategies as st

digits = st.text("0123456789", min_size=1, max_size=5)
_exponents = st.tuples(st.sampled_from(["e", "E"]), st.sampled_from(["", "+", "-"]), st.integers(0, 20).map(str))


@st.composite
def numerals(draw: st.DrawFn) -> str:
    """Mostly of integers, or next to them."""
    whole = draw(st.sampled_from(["", "0", "000"])) + draw(digits | st.integers(10**14, 10**19).map(str))
    ends = st.sampled_from(["", "." + "0" * 18, "." + "9" * 18]) | digits.map(".{}".format)
    exponent = draw(st.just("") | _exponents.map("".join))
    return draw(st.sampled_from(["", "-"])) + whole + draw(ends) + exponent


@st.composite
def rows_of_numbers(draw: st.DrawFn) -> str:
    """Such as "10.0.0.7", and what nearly is."""
    number = st.sampled_from(["4", "04", "255", "404", "4", "04", "4040", "4e", "4²"])
    between = draw(st.sampled_from([".", "-", ".", "..", " "]))
    joined = between.join(draw(st.lists(number, min_size=3, max_size=6)))
    ends = st.sampled_from(["", "", " ", ".", "-", "x", "é", ":80", "\n"])
    return draw(ends) + joined + draw(ends)


def is_json(numeral: str) -> bool:
    """Whether JSON has it as a number, too."""
    return re.match("-?0[0-9]", numeral) is None
