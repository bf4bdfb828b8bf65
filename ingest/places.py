"""What metadata has told before: each that is different has a number, and columns are made of numbers.

Agents send the same metadata with every record of a container, and many containers in a body: what is done for each
of them is done here once, and what is done for each body is arithmetic.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

import numpy as np

from ingest.decoding import WORD_COLUMNS
from ingest.exact_json import members_text, read_exactly, write_exactly
from ingest.identity import resolve
from ingest.identity_table import RECORD, Table
from ingest.rows import within_limits

PLACES_MAX_BYTES: Final = 32 << 20
"""Of what is remembered for one table; what is over it is forgotten as a whole, and read again when it comes."""
_PLACE_BYTES: Final = 1 << 10
"""About what a place takes beside its texts, for what tells it and for what it says."""
_TABLES_MAX: Final = 8

Told = tuple[str | None, ...]
"""The JSON texts of metadata and labels, and the words of `WORD_COLUMNS`."""
Codes = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True)
class Words:
    """The different words that some places have of one kind, and which of them each has."""

    words: Sequence[str | None]
    codes: Codes


class _Column:
    """The different words of all places, of one kind; `codes` has for each place where its word stands."""

    def __init__(self) -> None:
        self.words: list[str | None] = []
        self.codes = np.zeros(64, np.int32)
        self._code_of: dict[str | None, int] = {}

    def add(self, place: int, word: str | None) -> None:
        code = self._code_of.setdefault(word, len(self.words))
        if code == len(self.words):
            self.words.append(word)
        if place == len(self.codes):
            self.codes = np.concatenate((self.codes, np.zeros_like(self.codes)))
        self.codes[place] = code

    def of(self, places: Codes) -> Words:
        if len(self.words) == 1:
            return Words(self.words[:1], np.zeros_like(places))
        codes = self.codes[places]
        is_used = np.zeros(len(self.words), bool)
        is_used[codes] = True
        words = list(map(self.words.__getitem__, np.flatnonzero(is_used).tolist()))
        number = np.cumsum(is_used, dtype=np.int32) - 1
        return Words(words, number[codes])


class Places:
    """What the rows of one table make of metadata. What is there does not change, so that it is read while others
    add."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = Lock()
        self._numbers: dict[Told, int] = {}
        self._columns = {name: _Column() for name in (*WORD_COLUMNS, "labels", *RECORD, "members")}
        self.bytes = 0

    def numbers(self, rows: Iterable[Told]) -> list[int | None]:
        """Of each row the number of its place; None where it is not known."""
        return list(map(self._numbers.get, rows))

    def add(self, rows: Iterable[Told]) -> None:
        for told in rows:
            words = _read(self._table, told)
            with self._lock:
                if told not in self._numbers:
                    self._append(told, words)

    def words(self, name: str, places: Codes) -> Words:
        """A word of identity or `stream`; `labels`, as JSON; `severity`, `trace_id`, `span_id`; or `members`: what is
        left of the metadata, as JSON without its braces."""
        return self._columns[name].of(places)

    def _append(self, told: Told, words: Mapping[str, str | None]) -> None:
        place = len(self._numbers)
        for name, column in self._columns.items():
            column.add(place, words[name])
        self.bytes += _size_bytes((told, tuple(words.values())))
        self._numbers[told] = place


_latest: Final[dict[Table, Places]] = {}


def known(table: Table, rows: Sequence[Told]) -> tuple[Places, Codes]:
    """Places among which are those of all rows, and their numbers."""
    places = _latest.get(table) or Places(table)
    numbers = places.numbers(rows)
    if None in numbers:
        unknown = [told for told, number in zip(rows, numbers, strict=True) if number is None]
        if places.bytes + _size_bytes(unknown) > PLACES_MAX_BYTES:
            places, unknown = Places(table), list(rows)
        places.add(unknown)
        numbers = places.numbers(rows)
        _keep(table, places)
    return places, np.array(numbers, np.int32)


def _keep(table: Table, places: Places) -> None:
    if places.bytes > PLACES_MAX_BYTES:
        return
    if table not in _latest and len(_latest) >= _TABLES_MAX:
        _latest.clear()
    _latest[table] = places


def _size_bytes(rows: Iterable[Told]) -> int:
    return sum(_PLACE_BYTES + sum(map(len, filter(None, told))) for told in rows)


def _read(table: Table, told: Told) -> dict[str, str | None]:
    """The words of all columns."""
    metadata, labels, *words = told
    said = {name: word for name, word in zip(WORD_COLUMNS, words, strict=True) if word}
    resolved = resolve({**(read_exactly(metadata) if metadata else {}), **said}, table)
    source = resolved.source
    pushed = read_exactly(labels) if labels else {}
    all_labels = {**{name: str(text) for name, text in source.labels.items()}, **pushed}
    source = within_limits(replace(source, labels=all_labels))
    return {
        **{name: getattr(source, name) for name in WORD_COLUMNS},
        **{name: getattr(resolved, name) for name in RECORD},
        "labels": write_exactly(source.labels, is_sorted=True) if source.labels else None,
        "members": members_text(resolved.rest),
    }
