"""What was probably meant by a query that is right but odd: the header `Logstore-Hint`."""

from difflib import get_close_matches
from typing import Final

from logstore.record import COLUMNS
from query.parser import parse
from query.walk import names

HEADER: Final = "logstore-hint"
_KNOWN: Final = frozenset({*COLUMNS, "level"})
_NEAR: Final = 0.8
_LENGTH_MAX: Final = 60


def hint_of(text: str, now_ns: int) -> str:
    """A field that is no column but nearly one, and that column; nothing where there is none such.

    It may be an attribute all the same: an unknown field is never an error.
    """
    for name in names(parse(text, now_ns)):
        if name.name in _KNOWN or "." in name.name:
            continue
        near = get_close_matches(name.name.lower(), _KNOWN, n=1, cutoff=_NEAR)
        if near:
            return f'no column is called "{_shown(name.name)}"; did you mean "{near[0]}"?'
    return ""


def _shown(name: str) -> str:
    """As a header can carry it."""
    return "".join(char if " " <= char <= "~" else "?" for char in name[:_LENGTH_MAX])
