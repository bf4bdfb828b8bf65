"""Journal Export Format, cut into entries as it comes (systemd.io/JOURNAL_EXPORT_FORMATS). Mirrors
logstore/native/journald_export.c.

What is no field, or too large for one, is left out of its entry, which says so in a field of its own.
"""

import ctypes
import struct
from collections.abc import Iterator
from typing import Final

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

    def feed(self, data: bytes) -> list[Entry]:
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
        return self._cut(fields.take_bytes(), memoryview(ends.take_bytes()).cast("q").tolist())

    def end(self) -> list[Entry]:
        """The last entry, should no empty line have ended it."""
        entries = self.feed(b"\n\n")
        self._left, self._open = b"", []
        return entries

    def _cut(self, fields: bytes, ends: list[int]) -> list[Entry]:
        entries: list[Entry] = []
        at = 0
        for end in ends:
            entries.append(b"".join((*self._open, fields[at:end])))
            self._open = []
            at = end
        if at < len(fields):
            self._open.append(fields[at:])
        return entries


def fields_of(entry: Entry) -> Iterator[tuple[str, bytes]]:
    """Names and values, in their order."""
    at, end = 0, len(entry) - _END_BYTES
    while at < end:
        name_bytes, value_bytes = _HEAD.unpack_from(entry, at)
        value_at = at + _HEAD.size + name_bytes
        at = value_at + value_bytes
        yield entry[value_at - name_bytes : value_at].decode(), entry[value_at:at]
