"""Kubernetes' label selectors."""

import pytest

from logq.errors import UsageError
from logq.selector import selector

WEB = {"app": "web", "tier": "front", "zone": "a"}


@pytest.mark.parametrize(
    ("text", "is_selected"),
    [
        ("app=web", True),
        ("app==web", True),
        ("app = web", True),
        ("app=web,tier=front", True),
        ("app=web, tier=back", False),
        ("app!=web", False),
        ("color!=red", True),
        ("zone in (a, b)", True),
        ("zone in (b)", False),
        ("zone notin (b,c),app=web", True),
        ("color notin (red)", True),
        ("color in (red)", False),
        ("zone", True),
        ("color", False),
        ("!color", True),
        ("!zone", False),
        ("app=web,!color,zone in (a,b)", True),
    ],
)
def test_selection(text: str, is_selected: bool) -> None:
    assert selector(text)(WEB) is is_selected


@pytest.mark.parametrize("text", ["app in a", "a=b=c", "zone in (a", "a b"])
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(UsageError, match="selector"):
        selector(text)
