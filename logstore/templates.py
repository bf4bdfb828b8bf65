"""Templates: messages that differ in nothing but words with a digit in them, which become wildcards.

A template is known by a number that depends on its text and the store's secret alone, so that it is the same in every
segment. Finding them needs, beyond what is given and returned, at most 16 MiB for texts, as much for words that became
wildcards, and about 120 bytes a distinct template: also of free text with as many templates as rows, the most frequent
are found.
"""

import ctypes
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logstore.native import KERNEL_OK, ColumnBuffer, TextColumn, address_of, kernel, text_addresses
from logstore.order import Ints

WILDCARD: Final = "\x1a"
UNASSIGNED: Final = 0
TEMPLATE_MAX_BYTES: Final = 4096
"""A message whose template is longer has none."""
SECRET_BYTES: Final = 16
AT_MOST_MAX: Final = 2**31 // TEMPLATE_MAX_BYTES - 1

_ID_MASK = 2**64 - 1
_ALL_VARY: Final = np.uint64(2**64 - 1)
_ENTRY: Final = np.dtype(
    [
        ("id", "<i8"),
        ("count", "<u4"),
        ("first_row", "<u4"),
        ("text_at", "<u4"),
        ("length", "<u4"),
        ("letters", "<i8"),
        ("varies", "<u8"),
        ("words_at", "<u8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Room:
    """What the templates of messages may take: so many of them, with so many bytes. Where that is too little for all,
    those have none that fewer than `rows_each` messages have."""

    count: int
    bytes: int
    rows_each: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """The templates of messages: the id of each row's, or `UNASSIGNED`, and its place among those kept, or their
    number; and of those kept, the most frequent first, the id, the number of rows, the text, the letters of the words
    that are wildcards in it (`letters_of`), and the text with those words in it that all of its messages have in the
    place of a wildcard: '' where there are none, where there is one message alone, or no room."""

    ids: Ints
    places: Ints
    distinct: Ints
    counts: Ints
    texts: pa.StringArray
    letters: Ints
    fuller: pa.StringArray


@dataclass(frozen=True, slots=True)
class Entries:
    """The distinct templates of messages, in the order of first appearance; and which each message has, -1: none."""

    distinct: npt.NDArray[np.void]
    of_row: npt.NDArray[np.int32]


TEMPLATE_BYTES: Final = 40
"""About what a template takes besides its text."""
NO_ENTRIES: Final = Entries(np.zeros(0, _ENTRY), np.zeros(0, np.int32))
BEYOND_ASCII: Final = 1 << 27


def letters_of(text: str) -> int:
    """A bit for each ASCII letter in the text, whatever its case, one for `_`, and one for all beyond ASCII."""
    letters = 0
    for byte in text.encode():
        if 0x61 <= byte | 0x20 <= 0x7A:
            letters |= 1 << ((byte | 0x20) - 0x61)
        elif byte == 0x5F or byte >= 0x80:
            letters |= 1 << 26 if byte == 0x5F else BEYOND_ASCII
    return letters


class _Request(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("offsets", ctypes.c_void_p),
        ("messages", ctypes.c_void_p),
        ("secret", ctypes.c_char_p),
        ("id_mask", ctypes.c_uint64),
    )


class FindResult(ctypes.Structure):
    """`struct find_result` of logstore/native/templates.h."""

    _fields_ = (("entries", ColumnBuffer), ("of_row", ColumnBuffer))

    def take(self) -> Entries:
        """What was found; call it once."""
        return Entries(np.frombuffer(self.entries.take_bytes(), _ENTRY), np.frombuffer(self.of_row.take(), np.int32))


_find: Final = kernel("kernel_templates_find", ctypes.POINTER(_Request), ctypes.POINTER(FindResult))
_texts: Final = kernel(
    "kernel_template_texts",
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.POINTER(TextColumn),
)


def find(messages: pa.StringArray, secret: bytes) -> Entries:
    """The templates of messages that are some, and none null.

    A row has none if its message has a `WILDCARD` of its own, if its template's text is longer than
    `TEMPLATE_MAX_BYTES`, or if another template has the same id; so rows with equal ids have equal templates.
    """
    check_secret(secret)
    request = _Request(len(messages), *text_addresses(messages), secret, _ID_MASK)
    result = FindResult()
    if _find(ctypes.byref(request), ctypes.byref(result)) != KERNEL_OK:
        raise MemoryError("templates")
    return result.take()


def check_secret(secret: bytes) -> None:
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret of {len(secret)} bytes")


def most_frequent(messages: pa.StringArray, entries: Entries, room: Room) -> Found:
    """The most frequent of the messages' templates that there is room for, and of equally frequent ones those seen
    first; rows with others have none."""
    if not 0 <= room.count <= AT_MOST_MAX:
        raise ValueError(f"at most {room.count} templates")
    counts = entries.distinct["count"]
    order = _by_frequency(entries)
    sizes = np.cumsum(entries.distinct["length"][order] + np.int64(TEMPLATE_BYTES))
    fitting = min(room.count, int(np.searchsorted(sizes, room.bytes, side="right")))
    if fitting < len(order):
        fitting = min(fitting, int(np.count_nonzero(counts >= room.rows_each)))
    return _found(messages, entries, order[:fitting], entries.of_row, room)


def told_by(messages: pa.StringArray, entries: Entries, ids: Ints, room: Room) -> Found:
    """The templates of messages of which it is known already what id each has, or `UNASSIGNED`; room is what fuller
    texts have."""
    order = _by_frequency(entries)
    kept = order[np.isin(entries.distinct["id"][order], ids)]
    return _found(messages, entries, kept, np.where(ids == UNASSIGNED, np.int32(-1), entries.of_row), room)


def _by_frequency(entries: Entries) -> Ints:
    return np.argsort(-entries.distinct["count"].astype(np.int64), kind="stable")


def _found(messages: pa.StringArray, entries: Entries, kept: Ints, of_row: npt.NDArray[np.int32], room: Room) -> Found:
    distinct: Ints = entries.distinct["id"][kept]
    place = np.full(len(entries.distinct) + 1, len(kept), np.int64)
    place[kept] = np.arange(len(kept))
    places = place[of_row]
    rows = entries.distinct["first_row"][kept].astype(np.int64)
    counts = entries.distinct["count"][kept].astype(np.int64)
    texts = _texts_of(messages, rows)
    varies = np.where(counts > 1, entries.distinct["varies"][kept], _ALL_VARY)
    fuller = _fitting(_texts_of(messages, rows, varies), room)
    ids = np.append(distinct, UNASSIGNED)[places]
    return Found(ids, places, distinct, counts, texts, entries.distinct["letters"][kept], fuller)


def _fitting(texts: pa.StringArray, room: Room) -> pa.StringArray:
    """The first ones that there is room for, '' for the others."""
    fits = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False), dtype=np.int64) <= room.bytes
    return pc.if_else(pa.array(fits), texts, "")


def ids(messages: pa.StringArray, secret: bytes) -> Ints:
    """The id of each message's template, or `UNASSIGNED`; of messages that are some, and none null."""
    entries = find(messages, secret)
    return np.append(entries.distinct["id"], UNASSIGNED)[entries.of_row]


def texts(messages: pa.StringArray) -> tuple[npt.NDArray[np.bool_], pa.StringArray]:
    """Which of the messages have a template, and the templates of those; of messages that are some, and none null."""
    has_one = find(messages, bytes(SECRET_BYTES)).of_row >= 0
    return has_one, _texts_of(messages, np.flatnonzero(has_one))


def _texts_of(messages: pa.StringArray, rows: Ints, varies: npt.NDArray[np.uint64] | None = None) -> pa.StringArray:
    """The templates of these rows, which have one; with the words that do not vary, where it is told which do."""
    column = TextColumn()
    rows = np.ascontiguousarray(rows)
    told = None if varies is None else np.ascontiguousarray(varies)
    asked = address_of(rows), None if told is None else address_of(told), len(rows)
    status = _texts(*text_addresses(messages), len(messages), *asked, ctypes.byref(column))
    if status != KERNEL_OK:
        raise MemoryError("template texts")
    return column.to_array(len(rows))
