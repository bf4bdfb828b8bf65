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


def is_json(numeral: str) -> bool:
    """Whether JSON has it as a number, too."""
    return re.match("-?0[0-9]", numeral) is None
