"""The C kernel that cuts streams into messages, as typed functions. Mirrors logstore/native/frames.c."""

import ctypes
from dataclasses import dataclass
from typing import Final

from logstore.native import KERNEL_OUT_OF_MEMORY, ColumnBuffer, address_of, kernel

_SYSLOG: Final = -1
_frames: Final = kernel(
    "kernel_frames",
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int32,
    ctypes.POINTER(ctypes.c_int32),
    ctypes.POINTER(ctypes.c_int64),
    ctypes.POINTER(ColumnBuffer),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages, packed (`ingest.messages`); where what follows them begins; whether the last was counted."""

    packed: bytes
    end: int
    was_counted: bool


def take_ended(chunk: bytes, at: int, max_bytes: int, last: int) -> Taken:
    """The messages that are whole and end with this byte, without blanks around them, up to one that is too long."""
    return _take(chunk, at, max_bytes, last, was_counted=False)


def take_syslog(chunk: bytes, at: int, max_bytes: int, *, was_counted: bool) -> Taken:
    """The messages of syslog that are whole and either counted or a line that begins with `<`, up to one of another
    kind or too long, without trailers. `chunk` has no NUL."""
    return _take(chunk, at, max_bytes, _SYSLOG, was_counted=was_counted)


def _take(chunk: bytes, at: int, max_bytes: int, last: int, *, was_counted: bool) -> Taken:
    counted, used, packed = ctypes.c_int32(was_counted), ctypes.c_int64(), ColumnBuffer()
    status = _frames(
        address_of(chunk) + at,
        len(chunk) - at,
        max_bytes,
        last,
        ctypes.byref(counted),
        ctypes.byref(used),
        ctypes.byref(packed),
    )
    if status == KERNEL_OUT_OF_MEMORY:
        raise MemoryError("frames")
    return Taken(packed.take_bytes(), at + used.value, bool(counted.value))
