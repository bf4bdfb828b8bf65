"""The C kernels for what is common, as typed functions. Mirrors logstore/native/forward.c and forward_messages.c."""

import ctypes
from dataclasses import dataclass
from typing import Final

from logstore.native import KERNEL_OUT_OF_MEMORY, KERNEL_REFUSED, ColumnBuffer, address_of, kernel


@dataclass(frozen=True, slots=True)
class Lines:
    """So many JSON documents, each with its line's end."""

    text: bytes
    count: int


class _Request(ctypes.Structure):
    _fields_ = (
        ("entries", ctypes.c_void_p),
        ("length", ctypes.c_int64),
        ("origin", ctypes.c_char_p),
        ("origin_length", ctypes.c_int64),
        ("line_bytes", ctypes.c_int64),
        ("max_bytes", ctypes.c_int64),
        ("max_lines", ctypes.c_int64),
    )


_documents: Final = kernel(
    "kernel_forward_documents",
    ctypes.POINTER(_Request),
    ctypes.POINTER(ctypes.c_int64),
    ctypes.POINTER(ColumnBuffer),
)


def common_documents(entries: bytes, origin: bytes, line_bytes: int, max_bytes: int, max_lines: int) -> Lines | None:
    """The documents of entries, in one pass without the GIL; None if there is anything uncommon among them, or more
    than the bounds allow: then they are to be read one by one.

    `origin`: a member, with a comma before it, for records that do not say themselves where they come from;
    `line_bytes`: what each line counts for besides its own bytes.
    """
    request = _Request(address_of(entries), len(entries), origin, len(origin), line_bytes, max_bytes, max_lines)
    count, text = ctypes.c_int64(), ColumnBuffer()
    status = _documents(ctypes.byref(request), ctypes.byref(count), ctypes.byref(text))
    if status == KERNEL_REFUSED:
        return None
    if status == KERNEL_OUT_OF_MEMORY:
        raise MemoryError("forward")
    return Lines(text.take_bytes(), count.value)


@dataclass(frozen=True, slots=True)
class Joined:
    """Messages of one record each that had one tag: how many bytes they were, the tag as msgpack, their entries."""

    size_bytes: int
    tag: bytes
    entries: bytes


_messages: Final = kernel(
    "kernel_forward_messages",
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.POINTER(ctypes.c_int64),
    ctypes.POINTER(ColumnBuffer),
    ctypes.POINTER(ColumnBuffer),
)


def join_messages(content: bytearray, at: int) -> Joined | None:
    """The complete messages of one record and one tag that stand at a place, if there are any."""
    first = ctypes.c_uint8.from_buffer(content, at)
    size, tag, entries = ctypes.c_int64(), ColumnBuffer(), ColumnBuffer()
    status = _messages(
        ctypes.addressof(first), len(content) - at, ctypes.byref(size), ctypes.byref(tag), ctypes.byref(entries)
    )
    if status == KERNEL_REFUSED:
        return None
    if status == KERNEL_OUT_OF_MEMORY:
        raise MemoryError("forward")
    return Joined(size.value, tag.take_bytes(), entries.take_bytes())
