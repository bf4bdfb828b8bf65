"""`filter_path`: which members of an answer its client wants (Elasticsearch, Common options, Response filtering)."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, Final

PATTERNS_MAX: Final = 64
_MISSING: Final = object()

Pattern = tuple[str, ...]


def filtered(answer: Any, filter_path: str) -> Any:
    """The answer with the members that the filter names: paths with commas between; `*` is any key, `**` any number of
    keys, a dash before a path leaves it out. Of more than 64 paths the first count."""
    paths = [tuple(path.split(".")) for path in filter_path.split(",") if path.strip("-")][:PATTERNS_MAX]
    wanted = [path for path in paths if not path[0].startswith("-")]
    unwanted = [(path[0][1:], *path[1:]) for path in paths if path[0].startswith("-")]
    if wanted:
        kept = _kept(answer, wanted)
        answer = {} if kept is _MISSING else kept
    return _left(answer, unwanted) if unwanted else answer


def _kept(value: Any, patterns: list[Pattern]) -> Any:
    if () in patterns:
        return value
    if isinstance(value, list):
        members = [kept for member in value if (kept := _kept(member, patterns)) is not _MISSING]
        return members or _MISSING
    if not isinstance(value, dict):
        return _MISSING
    found = {key: _kept(member, below) for key, member in value.items() if (below := _below(key, patterns))}
    return {key: member for key, member in found.items() if member is not _MISSING} or _MISSING


def _left(value: Any, patterns: list[Pattern]) -> Any:
    if isinstance(value, list):
        return [_left(member, patterns) for member in value]
    if not isinstance(value, dict):
        return value
    below = {key: _below(key, patterns) for key in value}
    return {key: _left(member, below[key]) for key, member in value.items() if () not in below[key]}


def _below(key: str, patterns: Iterable[Pattern]) -> list[Pattern]:
    """What is left of the patterns after the key."""
    below: list[Pattern] = []
    for pattern in patterns:
        first, *rest = pattern
        if first == "**":
            below.append(pattern)
            pattern = tuple(rest)
        if pattern and fnmatchcase(key, pattern[0]):
            below.append(pattern[1:])
    return below
