"""What metadata has told before: each that is different has a number, and columns are made of numbers.

Agents send the same metadata with every record of a container, and many containers in a body: what is done for each
of them is done here once, and what is done for each body is arithmetic.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from threading import Lock
from typing import Final

import numpy as np
import pyarrow as pa

from ingest.decoding import WORD_COLUMNS
from ingest.exact_json import members_text, read_exactly, write_exactly
from ingest.identity import resolve
from ingest.identity_table import RECORD, Table
from ingest.placing_kernels import Codes, take_words
from ingest.rows import dictionary, within_limits

PLACES_MAX_BYTES: Final = 32 << 20
"""Of what is remembered for one table; what is over it is forgotten as a whole, and read again when it comes."""
_PLACE_BYTES: Final = 1 << 10
"""About what a place takes beside its texts, for what tells it and for what it says."""
_TABLES_MAX: Final = 8

Told = tuple[str | None, ...]
"""The JSON texts of metadata and labels, and the words of `WORD_COLUMNS`."""


@dataclass(frozen=True, slots=True)
class Words:
    """The different words that some rows have of one kind, and which each has."""

    words: Sequence[str | None]
    codes: pa.Int32Array


class _Column:
    """The different words of all places, of one kind, and the code of each place's."""

    def __init__(self) -> None:
        self.words: list[str | None] = []
        self._code_of: dict[str | None, int] = {}
        self._codes: Codes = np.zeros(64, np.int32)
        self._outgrown: list[Codes] = []
        """Kept, since they may be being read."""
        self.address: int = self._codes.ctypes.data
        self.last: tuple[bytes, str, pa.DictionaryArray] | None = None

    def add(self, place: int, word: str | None) -> None:
        code = self._code_of.setdefault(word, len(self.words))
        if code == len(self.words):
            self.words.append(word)
        if place == len(self._codes):
            self._outgrown.append(self._codes)
            self._codes = np.concatenate((self._codes, np.zeros_like(self._codes)))
            self.address = self._codes.ctypes.data
        self._codes[place] = code


class Tale:
    """What is known of the rows of a batch."""

    def __init__(self, columns: Mapping[str, _Column], places: Codes, which: Codes) -> None:
        layout = [(column.address, len(column.words)) for column in columns.values()]
        self._columns = columns
        ends = accumulate(words for _, words in layout)
        self._words = {name: slice(end - size, end) for name, end, (_, size) in zip(columns, ends, layout, strict=True)}
        self._rows = len(which)
        self._is_used, self._codes = take_words(np.array(layout, np.int64), places, which)

    def words(self, name: str) -> Words:
        """Of `severity`, `trace_id`, `span_id`, or `members`: what is left of the metadata, as JSON without braces."""
        is_used, codes = self._taken(name)
        return Words(_used(self._columns[name], is_used), codes)

    def column(self, name: str, default: str = "") -> pa.DictionaryArray:
        """Of identity, `stream` or `labels`, which are JSON or null; the default stands for an empty word. What a
        batch uses the next one often uses too."""
        (is_used, codes), column = self._taken(name), self._columns[name]
        last = column.last
        if last is None or last[:2] != (is_used, default):
            words = [word or default if word is not None else None for word in _used(column, is_used)]
            last = column.last = (is_used, default, dictionary(words, np.arange(len(words), dtype=np.int32)))
        words = last[2]
        if len(words.dictionary) < len(words):
            return words.take(codes)
        return pa.DictionaryArray.from_arrays(codes, words.dictionary, safe=False)

    def _taken(self, name: str) -> tuple[bytes, pa.Int32Array]:
        """Which of a column's words are used, a byte for each, and the rows' codes among those."""
        size_bytes = 4 * self._rows
        codes = self._codes.slice(list(self._columns).index(name) * size_bytes, size_bytes)
        return self._is_used[self._words[name]], pa.Array.from_buffers(pa.int32(), self._rows, [None, codes])


def _used(column: _Column, is_used: bytes) -> list[str | None]:
    return list(map(column.words.__getitem__, np.flatnonzero(np.frombuffer(is_used, np.uint8)).tolist()))


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

    def tell(self, places: Codes, which: Codes) -> Tale:
        """What is known of rows, of each of which `which` says whose of the places it has."""
        return Tale(self._columns, places, which)

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
