"""What metadata has told before, remembered over bodies.

Agents send the same metadata with every record of a container, and many containers in a body: each that is different is
read once, and what is done for each body is a kernel's work. Mirrors logstore/native/places.h.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ingest.decoding import WORD_COLUMNS
from ingest.exact_json import members_text, read_exactly, write_exactly
from ingest.identity import resolve
from ingest.identity_table import RECORD, Table
from ingest.json_text import clean
from ingest.rows import within_limits
from logstore.native import KERNEL_OK, ColumnBuffer, WordBuffers, kernel

PLACES_MAX_BYTES: Final = 32 << 20
"""Of what is remembered for one table; what is over it is forgotten as a whole, and read again when it comes."""
_TABLES_MAX: Final = 8

COLUMNS: Final = (*WORD_COLUMNS, "labels", *RECORD, "members")
"""What is told of a record: identity and `stream`; `labels`, which are JSON or null; severity and ids; what is left of
its metadata, as JSON without braces."""

Keys = tuple[str | None, ...]
"""The JSON texts of metadata and labels, and the words of `WORD_COLUMNS`."""
Defaults = tuple[str, str]
"""What stands for an empty cluster and namespace."""
Told = dict[str, pa.DictionaryArray]
"""By `COLUMNS`."""


class _Text(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("length", ctypes.c_int64))


class _KeyColumn(ctypes.Structure):
    _fields_ = (
        ("codes", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("at", ctypes.c_int64),
        ("offsets", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("is_told_apart", ctypes.c_int64),
    )

    @classmethod
    def of(cls, column: pa.DictionaryArray) -> "_KeyColumn":
        validity, codes = column.indices.buffers()
        words = column.dictionary
        _, offsets, text = words.buffers()
        return cls(
            codes.address + 4 * column.offset,
            validity.address if validity else None,
            column.offset,
            offsets.address + 4 * words.offset,
            text.address if text else None,
            len(words) + (column.null_count > 0) > 1,
        )


class _TellRequest(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("keys", ctypes.POINTER(_KeyColumn)),
        ("key_count", ctypes.c_int64),
        ("defaults", ctypes.POINTER(_Text)),
    )


class _TellResult(ctypes.Structure):
    _fields_ = (("unknown", ColumnBuffer), ("columns", ctypes.POINTER(WordBuffers)))


_new: Final = kernel("kernel_places_new", ctypes.c_int64, ctypes.POINTER(ctypes.c_void_p))
_free: Final = kernel("kernel_places_free", ctypes.c_void_p, is_short=True)
_add: Final = kernel(
    "kernel_places_add",
    ctypes.c_void_p,
    ctypes.POINTER(_Text),
    ctypes.c_int64,
    ctypes.POINTER(_Text),
    ctypes.POINTER(ctypes.c_int64),
)
_tell: Final = kernel("kernel_places_tell", ctypes.c_void_p, ctypes.POINTER(_TellRequest), ctypes.POINTER(_TellResult))
_NO_COLUMN: Final = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))


class Places:
    """What the rows of one table make of metadata. What is there does not change, so that it is read while others
    add."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._places = ctypes.c_void_p()
        self.bytes = 0
        _check(_new(len(COLUMNS), ctypes.byref(self._places)))

    def __del__(self, _free: Callable[..., int] = _free) -> None:
        if self._places:
            _free(self._places)

    def add(self, keys: Keys) -> None:
        words = _read(self._table, keys)
        size_bytes = ctypes.c_int64()
        told = _texts([words[name] for name in COLUMNS])
        _check(_add(self._places, _texts(keys), len(keys), told, ctypes.byref(size_bytes)))
        self.bytes = size_bytes.value

    def tell(self, parts: Sequence[pa.DictionaryArray], defaults: Defaults) -> Told | list[int]:
        """The columns of rows whose keys are in `parts`; without any row where no row has a word. If some are not
        known, a row of each of those."""
        rows = len(parts[0])
        keys = (_KeyColumn * len(parts))(*map(_KeyColumn.of, parts))
        request = _TellRequest(rows, keys, len(parts), _of_columns(defaults))
        columns = (WordBuffers * len(COLUMNS))()
        result = _TellResult(columns=columns)
        _check(_tell(self._places, ctypes.byref(request), ctypes.byref(result)))
        if result.unknown.length:
            unknown: list[int] = np.frombuffer(result.unknown.take_bytes(), np.int64).tolist()
            return unknown
        return {
            name: column.to_array(rows) if column.words else _NO_COLUMN
            for name, column in zip(COLUMNS, columns, strict=True)
        }


_latest: Final[dict[Table, Places]] = {}


def tell(table: Table, parts: Sequence[pa.DictionaryArray], defaults: Defaults) -> Told:
    """What the table makes of the keys of some rows; see `Places.tell`."""
    places = _latest.get(table) or Places(table)
    while isinstance(told := places.tell(parts, defaults), list):
        unknown: list[Keys] = [tuple(part[row].as_py() for part in parts) for row in told]
        if places.bytes and places.bytes + _size_bytes(unknown) > PLACES_MAX_BYTES:
            places = Places(table)
            continue
        for keys in unknown:
            places.add(keys)
        _keep(table, places)
    return told


def _keep(table: Table, places: Places) -> None:
    if places.bytes > PLACES_MAX_BYTES:
        return
    if table not in _latest and len(_latest) >= _TABLES_MAX:
        _latest.clear()
    _latest[table] = places


def _size_bytes(rows: Sequence[Keys]) -> int:
    return sum(len(text) for keys in rows for text in keys if text)


def _texts(texts: Sequence[str | None]) -> Any:
    encoded = [None if text is None else clean(text).encode() for text in texts]
    return (_Text * len(texts))(*(_Text(text, len(text or b"")) for text in encoded))


@lru_cache(maxsize=64)
def _of_columns(defaults: Defaults) -> Any:
    cluster, namespace = defaults
    return _texts([{"cluster": cluster, "namespace": namespace}.get(name, "") for name in COLUMNS])


def _check(status: int) -> None:
    if status != KERNEL_OK:
        raise MemoryError("places")


def _read(table: Table, keys: Keys) -> dict[str, str | None]:
    """The words of all columns."""
    metadata, labels, *words = keys
    said = {name: word for name, word in zip(WORD_COLUMNS, words, strict=True) if word}
    resolved = resolve({**(read_exactly(metadata) if metadata else {}), **said}, table)
    source = resolved.source
    pushed = read_exactly(labels) if labels else {}
    all_labels = {**{name: str(text) for name, text in source.labels.items()}, **pushed}
    source = within_limits(replace(source, labels=all_labels))
    return {
        **{name: getattr(source, name) for name in WORD_COLUMNS},
        **{name: getattr(resolved, name) or None for name in RECORD},
        "labels": write_exactly(source.labels, is_sorted=True) if source.labels else None,
        "members": members_text(resolved.rest),
    }
