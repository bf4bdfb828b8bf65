"""What groups of entries say of where they come from, found again: most groups come again with every body.

A group is resolved once, and gets a number; of all that is known there is a column of words, so that the columns of a
body are taken out of these by number, whatever the number of its groups.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.identity import Resolved
from ingest.identity_table import Table
from ingest.json_text import clean, to_json
from ingest.rows import SEVERITY_CODES, WORDS, within_limits
from logstore.word_column import WordColumn

GROUPS_MAX: Final = 16_384
CHARACTERS_MAX: Final = 4 << 20
"""Beyond so many groups, or characters of them, everything is forgotten before the next body."""
LABELS: Final = "labels"
_TABLES: Final = 16
_FIRST_ROOM: Final = 64
_NULL: Final = -1
_Number = TypeVar("_Number", np.int32, np.bool_)

Resolve = Callable[[str, str, Table], Resolved]
"""Of a group's base and of the JSON object that was lifted, or nothing, by a table of identity."""
Group = tuple[str, str]
"""Base and what was lifted."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the groups of one body say, in their order."""

    words: dict[str, WordColumn]
    """Of the columns of identity, of `stream` and of `labels`."""
    severities: npt.NDArray[np.int32]
    more: list[Resolved] | None
    """All of them, if one says anything else."""


class _Words:
    """A column of words that grows."""

    def __init__(self) -> None:
        self._known: dict[str | None, int] = {None: _NULL}
        self._codes = np.zeros(_FIRST_ROOM, np.int32)
        self._words = pa.array([], pa.string())
        self._new: list[str] = []

    def put(self, number: int, word: str | None) -> None:
        code = self._known.get(word)
        if code is None:
            code = self._known[word] = len(self._known) - 1
            self._new.append(word or "")
        self._codes = _with_room(self._codes, number)
        self._codes[number] = code

    def of(self, numbers: npt.NDArray[np.int64]) -> WordColumn:
        if self._new:
            self._words = pa.concat_arrays([self._words, pa.array(self._new, pa.string())])
            self._new = []
        codes = self._codes[numbers]
        codes[codes == _NULL] = len(self._words)
        return WordColumn(self._words, codes)


class Known:
    """The groups that were resolved in one way; thread-safe."""

    def __init__(self, resolve: Callable[[str, str], Resolved], defaults: Mapping[str, str]) -> None:
        """`defaults` are the words of columns where a group has none."""
        self._resolve = resolve
        self._defaults = defaults
        self._lock = threading.Lock()
        self._forget()

    def tell(self, groups: Sequence[Group]) -> Told:
        """What each group says."""
        with self._lock:
            if len(self._resolved) > GROUPS_MAX or self._characters > CHARACTERS_MAX:
                self._forget()
            known = self._numbers.get
            numbers = np.array([self._add(group) if (n := known(group)) is None else n for group in groups], np.int64)
            words = {name: column.of(numbers) for name, column in self._words.items()}
            has_more = bool(self._has_more[numbers].any())
            more = [self._resolved[number] for number in numbers.tolist()] if has_more else None
            return Told(words, self._severities[numbers], more)

    def _forget(self) -> None:
        self._numbers: dict[Group, int] = {}
        self._resolved: list[Resolved] = []
        self._characters = 0
        self._words = {name: _Words() for name in (*WORDS, LABELS)}
        self._severities = np.zeros(_FIRST_ROOM, np.int32)
        self._has_more = np.zeros(_FIRST_ROOM, np.bool_)

    def _add(self, group: Group) -> int:
        resolved = self._resolve(*group)
        source = within_limits(resolved.source)
        number = len(self._resolved)
        for name in WORDS:
            self._words[name].put(number, clean(getattr(source, name) or self._defaults.get(name, "")))
        labels = to_json(source.labels, is_sorted=True) if source.labels else None
        self._words[LABELS].put(number, labels)
        self._severities = _with_room(self._severities, number)
        self._severities[number] = SEVERITY_CODES[resolved.severity]
        self._has_more = _with_room(self._has_more, number)
        self._has_more[number] = bool(resolved.rest or resolved.trace_id or resolved.span_id)
        self._resolved.append(resolved)
        self._characters += sum(map(len, group)) + len(labels or "")
        self._numbers[group] = number
        return number


@lru_cache(_TABLES)
def known(resolve: Resolve, table: Table, default_cluster: str, default_namespace: str) -> Known:
    """The groups that are resolved in this way."""
    defaults = {"cluster": default_cluster, "namespace": default_namespace}
    return Known(lambda base, lifted: resolve(base, lifted, table), defaults)


def _with_room(column: npt.NDArray[_Number], number: int) -> npt.NDArray[_Number]:
    return column if number < len(column) else np.concatenate([column, np.zeros_like(column)])
