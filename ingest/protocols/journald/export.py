"""Journal Export Format, cut into entries as it comes (systemd.io/JOURNAL_EXPORT_FORMATS). Mirrors
logstore/native/journald_export.c.

What is no field, or too large for one, is left out of its entry, which says so in a field of its own.
"""

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from logstore.native import KERNEL_OUT_OF_MEMORY, ColumnBuffer, address_of, kernel

_FIELD_MAX_BYTES: Final = 768 << 20
"""The largest field that systemd writes."""
_HEAD: Final = struct.Struct("=ii")
_END_BYTES: Final = 4


class _State(ctypes.Structure):
    _fields_ = (
        ("field_max_bytes", ctypes.c_int64),
        ("entry_max_bytes", ctypes.c_int64),
        ("skip_bytes", ctypes.c_int64),
        ("skips_line", ctypes.c_int64),
        ("entry_bytes", ctypes.c_int64),
        ("fields", ctypes.c_int64),
        ("is_told", ctypes.c_int64),
    )


_export: Final = kernel(
    "kernel_journald_export",
    ctypes.POINTER(_State),
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.POINTER(ctypes.c_int64),
    ctypes.POINTER(ColumnBuffer),
    ctypes.POINTER(ColumnBuffer),
)

Entry = bytes
"""The fields of one, as `logstore/native/journald.h` has them."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries one after the other, and where each ends."""

    fields: bytes = b""
    ends: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.ends)

    def __iter__(self) -> Iterator[Entry]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Entry:
        return self.fields[self._end(place) : self._end(place + 1)]

    def first(self, count: int) -> "Entries":
        return Entries(self.fields[: self._end(count)], self.ends[:count])

    def after(self, count: int) -> "Entries":
        """Without the first of them."""
        at = self._end(count)
        return Entries(self.fields[at:], self.ends[count:] - at)

    def and_then(self, others: "Entries") -> "Entries":
        if not len(self) or not len(others):
            return self if len(self) else others
        return Entries(self.fields + others.fields, np.concatenate([self.ends, others.ends + len(self.fields)]))

    def _end(self, count: int) -> int:
        """Of so many entries; all, where there are fewer."""
        return int(self.ends[min(count, len(self)) - 1]) if count and len(self) else 0


class Export:
    """The entries of one stream. Keeps what has come of an entry that is not complete: no field over `field_max_bytes`,
    and of all its fields together no more than `entry_max_bytes`."""

    def __init__(self, field_max_bytes: int, entry_max_bytes: int) -> None:
        self._state = _State(min(field_max_bytes, _FIELD_MAX_BYTES), entry_max_bytes)
        self._left = b""
        self._open: list[bytes] = []

    @property
    def held_bytes(self) -> int:
        """What is kept of an entry that is not complete."""
        return len(self._left) + sum(map(len, self._open))

    def feed(self, data: bytes) -> Entries:
        """The entries that are complete with this."""
        text = self._left + data if self._left else data
        used, fields, ends = ctypes.c_int64(), ColumnBuffer(), ColumnBuffer()
        status = _export(
            ctypes.byref(self._state),
            address_of(text),
            len(text),
            ctypes.byref(used),
            ctypes.byref(fields),
            ctypes.byref(ends),
        )
        if status == KERNEL_OUT_OF_MEMORY:
            raise MemoryError("journald")
        self._left = text[used.value :]
        return self._complete(memoryview(fields.take()), np.frombuffer(ends.take_bytes(), np.int64))

    def end(self) -> Entries:
        """The last entry, should no empty line have ended it."""
        entries = self.feed(b"\n\n")
        self._left, self._open = b"", []
        return entries

    def _complete(self, fields: memoryview, ends: npt.NDArray[np.int64]) -> Entries:
        complete_bytes = int(ends[-1]) if len(ends) else 0
        entries = Entries()
        if complete_bytes:
            begun_bytes = sum(map(len, self._open))
            entries = Entries(b"".join((*self._open, fields[:complete_bytes])), ends + begun_bytes)
            self._open = []
        if complete_bytes < len(fields):
            self._open.append(bytes(fields[complete_bytes:]))
        return entries


def fields_of(entry: Entry) -> Iterator[tuple[str, bytes]]:
    """Names and values, in their order."""
    at, end = 0, len(entry) - _END_BYTES
    while at < end:
        name_bytes, value_bytes = _HEAD.unpack_from(entry, at)
        value_at = at + _HEAD.size + name_bytes + 1
        at = value_at + value_bytes
        yield entry[value_at - 1 - name_bytes : value_at - 1].decode(), entry[value_at:at]
