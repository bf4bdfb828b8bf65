"""Conditions of rules: which records of a batch are meant, decided column by column.

A condition is a mapping; all of its entries must hold, and an empty one holds for every record:

- `cluster`, `namespace`, `pod`, `container`, `stream`: a glob (`*` any text, `?` one character, `[ab]` one of
  these) or a list of them;
- `severity`: a word or a list of words, or `{at_least: warn}`, `{at_most: debug}`; a record without one has no order;
- `message`: a text that it contains, or `{contains: …}`, `{regex: …}`, `{equals: …}`; a list: any of them;
- `attributes`: key to value or list of values, compared as texts (so 404 is "404"), or `{regex: …}`;
- `labels`: key to glob or list of globs;
- `any`: a list of conditions of which one must hold; `not`: a condition that must not.

Regular expressions are RE2: time is linear in the text. Severity and attributes are those that a query would see: also
what the line itself says.
"""

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest.lines_kernels import Mask
from ingest.rules_view import View
from logstore.attributes import line_text
from logstore.errors import InvalidSettings
from logstore.record import IDENTITY, SEVERITIES

REGEX_MAX: Final = 1_000
CHOICES_MAX: Final = 1_000
DEPTH_MAX: Final = 8
_WORDS: Final = (*IDENTITY, "stream")

Condition = Callable[[View], Mask]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file something stands, for errors."""

    path: str
    depth: int = 0

    def into(self, name: str) -> "Place":
        if self.depth >= DEPTH_MAX:
            raise InvalidSettings(f"{self.path}: nested deeper than {DEPTH_MAX} levels")
        return Place(f"{self.path}: {name}", self.depth + 1)

    def fail(self, message: str) -> InvalidSettings:
        return InvalidSettings(f"{self.path}: {message}")


def condition_of(value: Any, place: Place) -> Condition:
    """The condition that stands in a file. Raises InvalidSettings."""
    if not isinstance(value, Mapping):
        raise place.fail("must be a mapping, such as {namespace: shop}")
    parts = [_part(str(name), wanted, place) for name, wanted in value.items()]
    if len(parts) == 1:
        return parts[0]
    return lambda view: reduce(np.logical_and, (part(view) for part in parts), np.ones(view.rows, bool))


def regex_of(value: Any, place: Place) -> str:
    """The text, if it is an RE2 that is not too long. Raises InvalidSettings."""
    if not isinstance(value, str) or not value:
        raise place.fail("must be a regular expression")
    if len(value) > REGEX_MAX:
        raise place.fail(f"longer than {REGEX_MAX} characters")
    try:
        pc.match_substring_regex(pa.array([""]), value)
    except pa.ArrowInvalid as error:
        raise place.fail(f"no regular expression that RE2 takes: {error}") from None
    return value


def _part(name: str, wanted: Any, place: Place) -> Condition:
    inside = place.into(name)
    if name in _WORDS:
        return _word_condition(name, _globs(wanted, inside))
    builder = _BUILDERS.get(name)
    if builder is None:
        known = ", ".join((*_WORDS, *_BUILDERS))
        raise place.fail(f"unknown condition {name!r}; there are {known}")
    return builder(wanted, inside)


def _any(wanted: Any, place: Place) -> Condition:
    parts = [condition_of(item, place) for item in _list(wanted, place)]
    return lambda view: reduce(np.logical_or, (part(view) for part in parts))


def _not(wanted: Any, place: Place) -> Condition:
    inner = condition_of(wanted, place)
    return lambda view: ~inner(view)


def _word_condition(name: str, is_meant: Callable[[str], bool]) -> Condition:
    return lambda view: view.by_word(name, lambda word: word is not None and is_meant(word))


def _severity(wanted: Any, place: Place) -> Condition:
    words = _severities(wanted, place)
    return lambda view: view.seen.by_word("severity", lambda word: word in words)


def _severities(wanted: Any, place: Place) -> frozenset[str]:
    if not isinstance(wanted, Mapping):
        words = [str(word) for word in _list(wanted, place)]
        for word in words:
            if word and word not in SEVERITIES:
                raise place.fail(f"{word!r} is none of {', '.join(SEVERITIES)}")
        return frozenset(words)
    if len(wanted) != 1 or not wanted.keys() <= {"at_least", "at_most"}:
        raise place.fail("must be a severity, a list of them, {at_least: …} or {at_most: …}")
    (how, word), *_ = wanted.items()
    if word not in SEVERITIES:
        raise place.fail(f"{word!r} is none of {', '.join(SEVERITIES)}")
    at = SEVERITIES.index(word)
    return frozenset(SEVERITIES[at:] if how == "at_least" else SEVERITIES[: at + 1])


def _message(wanted: Any, place: Place) -> Condition:
    tests = [_text_test(item, place, "contains") for item in _list(wanted, place)]
    return lambda view: reduce(np.logical_or, (_holds(test(view.batch.column("message"))) for test in tests))


def _attributes(wanted: Any, place: Place) -> Condition:
    if not isinstance(wanted, Mapping) or not wanted:
        raise place.fail("must be a mapping of keys to values")
    parts = [_attribute(str(key), value, place.into(str(key))) for key, value in wanted.items()]
    return lambda view: reduce(np.logical_and, (part(view) for part in parts))


def _attribute(key: str, wanted: Any, place: Place) -> Condition:
    tests = [_text_test(item, place, "equals") for item in _list(wanted, place)]

    def holds(view: View) -> Mask:
        values = line_text(view.seen.batch.column("attributes"), [(key,)])
        return reduce(np.logical_or, (_holds(test(values)) for test in tests))

    return holds


def _labels(wanted: Any, place: Place) -> Condition:
    if not isinstance(wanted, Mapping) or not wanted:
        raise place.fail("must be a mapping of keys to globs")
    globs = {str(key): _globs(value, place.into(str(key))) for key, value in wanted.items()}

    def holds(text: str | None) -> bool:
        labels = orjson.loads(text) if text else {}
        return all(key in labels and is_meant(str(labels[key])) for key, is_meant in globs.items())

    return lambda view: view.by_word("labels", holds)


_BUILDERS: Final[dict[str, Callable[[Any, Place], Condition]]] = {
    "severity": _severity,
    "message": _message,
    "attributes": _attributes,
    "labels": _labels,
    "any": _any,
    "not": _not,
}

TextTest = Callable[[pa.StringArray], pa.BooleanArray]


def _text_test(wanted: Any, place: Place, usual: str) -> TextTest:
    """`usual` is what a text alone stands for."""
    if not isinstance(wanted, Mapping):
        wanted = {usual: wanted}
    if len(wanted) != 1:
        raise place.fail("must be a text, or one of {contains: …}, {equals: …}, {regex: …}")
    (how, value), *_ = wanted.items()
    if how == "regex":
        pattern = regex_of(value, place)
        return lambda texts: pc.match_substring_regex(texts, pattern)
    text = _text(value, place)
    if how == "contains":
        return lambda texts: pc.match_substring(texts, text)
    if how == "equals":
        return lambda texts: pc.equal(texts, text)
    raise place.fail(f"unknown test {how!r}; there are contains, equals, regex")


def _text(value: Any, place: Place) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise place.fail(f"must be a text or a number, not {type(value).__name__}")


def _holds(found: pa.BooleanArray) -> Mask:
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _globs(wanted: Any, place: Place) -> Callable[[str], bool]:
    globs = [_text(item, place) for item in _list(wanted, place)]
    if max(map(len, globs)) > REGEX_MAX:
        raise place.fail(f"longer than {REGEX_MAX} characters")
    patterns = [re.compile(fnmatch.translate(glob)) for glob in globs]
    return lambda word: any(pattern.match(word) for pattern in patterns)


def _list(wanted: Any, place: Place) -> list[Any]:
    items = wanted if isinstance(wanted, list) else [wanted]
    if not items or len(items) > CHOICES_MAX:
        raise place.fail(f"must have 1 to {CHOICES_MAX} entries")
    return items
