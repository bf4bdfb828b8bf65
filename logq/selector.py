"""Kubernetes label selectors: `app=web, tier!=db, zone in (a,b), !canary`.

Reference: kubernetes.io/docs/concepts/overview/working-with-objects/labels, "Label selectors".
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from logq.errors import UsageError

Labels = Mapping[str, str]
Requirement = Callable[[Labels], bool]

_SET: Final = re.compile(r"([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)")
_EQUALITY: Final = re.compile(r"([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)")
_EXISTS: Final = re.compile(r"(!?)\s*([^\s!=,()]+)")
_TERM: Final = re.compile(r"\s*((?:[^,()]|\([^()]*\))*?)\s*(?:,|$)")


def selector(text: str) -> Requirement:
    """Whether labels satisfy all of the selector's terms.

    Raises:
        UsageError: it is no selector.
    """
    requirements: list[Requirement] = []
    index = 0
    while index < len(text):
        match = _TERM.match(text, index)
        if match is None or match.end() == index:
            raise UsageError(f"-l: cannot read the selector {text!r}")
        requirements.append(_requirement(match[1], text))
        index = match.end()
    return lambda labels: all(requirement(labels) for requirement in requirements)


def _requirement(term: str, text: str) -> Requirement:
    if match := _SET.fullmatch(term):
        key, operator = match[1], match[2]
        values = frozenset(value.strip() for value in match[3].split(","))
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUALITY.fullmatch(term):
        key, value = match[1], match[3]
        if match[2] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.fullmatch(term):
        key, is_absent = match[2], bool(match[1])
        return lambda labels: (key not in labels) == is_absent
    raise UsageError(f"-l: cannot read {term!r} in the selector {text!r}")
