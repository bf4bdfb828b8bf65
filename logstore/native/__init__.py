"""Plain C kernels in a shared library, called through ctypes, which releases the GIL meanwhile.

The library is built twice, for two kinds of processors. Each module that uses a kernel declares its structures and
calls it through `kernel`; what is useful to several stands here as a typed function.
"""

import ctypes
import os
import sysconfig
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
import pyarrow as pa

KERNEL_OK: Final = 0
KERNEL_OUT_OF_MEMORY: Final = 1
KERNEL_REFUSED: Final = 2
KERNEL_TOO_MANY_RECORDS: Final = 3

TIME_OK: Final = 0
TIME_UNREADABLE: Final = 1


_V3: Final = frozenset({"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
"""What /proc/cpuinfo calls the features of x86-64-v3 (x86-64 psABI, section 3.1.1)."""


def library_name(cpu_flags: Iterable[str], asked: str) -> str:
    """Which of the libraries runs fastest on a machine; `asked` to be "baseline", the one that runs on any."""
    return "kernels_v3" if asked != "baseline" and _V3.issubset(cpu_flags) else "kernels"


def _cpu_flags() -> list[str]:
    with suppress(OSError), Path("/proc/cpuinfo").open() as lines:
        return next((line.split() for line in lines if line.startswith("flags")), [])
    return []


def _path(name: str) -> str:
    path = Path(__file__).parent / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not path.exists():
        raise ImportError(f"{path} is missing; build it with `python setup.py build_ext --inplace`")
    return str(path)


_PATH: Final = _path(library_name(_cpu_flags(), os.environ.get("LOGSTORE_KERNELS", "")))
_library: Final = ctypes.CDLL(_PATH)
_at_once: Final = ctypes.PyDLL(_PATH)
"""For what takes less than giving the GIL away, and getting it back from a thread that has taken it."""
_release: Final = _at_once.kernel_release
_release.argtypes = [ctypes.c_void_p]
_release.restype = None


def kernel(name: str, *argument_types: Any, is_short: bool = False) -> Callable[..., int]:
    """The exported C function of this name, which returns an `int32_t`; the GIL is kept where it `is_short`."""
    function = getattr(_at_once if is_short else _library, name)
    function.argtypes = list(argument_types)
    function.restype = ctypes.c_int32
    return function  # type: ignore[no-any-return]


class ColumnBuffer(ctypes.Structure):
    """`struct column_buffer`: memory that a kernel allocated and whoever takes it must release."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_int64))

    def take(self) -> pa.Buffer:
        """Its content without a copy; the memory lives as long as the buffer, or an array on it, does."""
        return pa.foreign_buffer(self.data, self.length, base=_Allocation(self.data))

    def take_bytes(self) -> bytes:
        """A copy of its content; the memory is released."""
        allocation = _Allocation(self.data)
        return ctypes.string_at(allocation.address, self.length)

    def to_array(self, rows: int, of: pa.DataType) -> pa.Array:
        """The numbers, which own their memory; call it once."""
        return _imported(_numbers, self, rows, of)


class TextColumn(ctypes.Structure):
    """`struct text_column`: strings that a kernel wrote."""

    _fields_ = (
        ("validity", ColumnBuffer),
        ("offsets", ColumnBuffer),
        ("text", ColumnBuffer),
        ("nulls", ctypes.c_int64),
    )

    def to_array(self, rows: int) -> pa.StringArray:
        """The column, which owns its memory; call it once."""
        return _imported(_texts, self, rows, _TEXT)


class WordBuffers(ctypes.Structure):
    """`struct word_column_buffers`: a dictionary column that a kernel wrote."""

    _fields_ = (
        ("validity", ColumnBuffer),
        ("codes", ColumnBuffer),
        ("offsets", ColumnBuffer),
        ("text", ColumnBuffer),
        ("nulls", ctypes.c_int64),
        ("words", ctypes.c_int64),
    )

    def to_array(self, rows: int) -> pa.DictionaryArray:
        """The column, which owns its memory; call it once."""
        return _imported(_words, self, rows, _WORD)


class ArrowArray(ctypes.Structure):
    """`struct ArrowArray` of logstore/native/arrow.h, which Arrow takes over as it is; do that once."""

    _fields_ = (("content", ctypes.c_int64 * 10),)

    def to_array(self, of: pa.DataType) -> pa.Array:
        return pa.Array._import_from_c(ctypes.addressof(self), of)

    def to_batch(self, schema: pa.Schema) -> pa.RecordBatch:
        return pa.RecordBatch._import_from_c(ctypes.addressof(self), schema)


def _make_array(name: str, column: Any) -> Callable[..., int]:
    return kernel(name, ctypes.POINTER(column), ctypes.c_int64, ctypes.POINTER(ArrowArray), is_short=True)


_TEXT: Final = pa.string()
_WORD: Final = pa.dictionary(pa.int32(), _TEXT)
_numbers: Final = _make_array("kernel_arrow_numbers", ColumnBuffer)
_texts: Final = _make_array("kernel_arrow_texts", TextColumn)
_words: Final = _make_array("kernel_arrow_words", WordBuffers)


def _imported(make: Callable[..., int], column: ctypes.Structure, rows: int, of: pa.DataType) -> pa.Array:
    array = ArrowArray()
    if make(ctypes.byref(column), rows, ctypes.byref(array)) != KERNEL_OK:
        raise MemoryError("arrow")
    return array.to_array(of)


class _Allocation:
    """Owns one block of a kernel's memory."""

    __slots__ = ("address",)

    def __init__(self, address: int) -> None:
        self.address = address

    def __del__(self, _release: Callable[[int], None] = _release) -> None:
        _release(self.address)


def address_of(content: "bytes | pa.Buffer | npt.NDArray[Any]") -> int:
    """Where the bytes, or the values of a contiguous array, stand in memory; valid while the object lives."""
    if isinstance(content, bytes):
        return ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value or 0
    if isinstance(content, pa.Buffer):
        return int(content.address)
    return int(pa.py_buffer(content).address)  # five times as fast as `content.ctypes.data`


def text_addresses(column: pa.StringArray) -> tuple[int, int]:
    """Where the offsets of the first row, and the text, stand in memory; valid while the column lives."""
    _, offsets, text = column.buffers()
    return offsets.address + 4 * column.offset, text.address if text else 0


_seed = _library.kernel_seed
_seed.argtypes = [ctypes.c_uint64]
_seed.restype = None
_seed(int.from_bytes(os.urandom(8), "little"))

_time_parse = kernel(
    "kernel_time_parse", ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64), is_short=True
)
_json_canonical = kernel(
    "kernel_json_canonical", ctypes.c_char_p, ctypes.c_int64, ctypes.c_int32, ctypes.POINTER(ColumnBuffer)
)
_utf8_is_valid = kernel("kernel_utf8_is_valid", ctypes.c_char_p, ctypes.c_int64)
_holds = kernel("kernel_holds", ctypes.c_char_p, ctypes.c_int64, ctypes.c_char_p, ctypes.c_int64)


def parse_time(text: bytes) -> tuple[int, int]:
    """A time as senders write it: (status, nanoseconds since 1970 UTC).

    RFC 3339 with any offset, or an epoch number whose unit is told by its magnitude: seconds below 10^11,
    milliseconds below 10^14, microseconds below 10^17, else nanoseconds. The status is `TIME_OK`,
    `TIME_UNREADABLE`, or 2 for a time outside 1678-2261; the number means something only with `TIME_OK`.
    """
    time_ns = ctypes.c_int64()
    status = _time_parse(text, len(text), ctypes.byref(time_ns))
    return status, time_ns.value


def canonical_json(text: bytes, *, is_sorted: bool = False) -> bytes | None:
    """The JSON text without blanks and with unique keys (the last value counts), lone surrogates and bytes that
    are not UTF-8 replaced by U+FFFD, numbers as they were written; None if it is not JSON (RFC 8259) or nested
    deeper than 128 levels. `is_sorted`: keys in the order of their bytes, so that equal objects are equal texts.
    """
    out = ColumnBuffer()
    status = _json_canonical(text, len(text), int(is_sorted), ctypes.byref(out))
    if status == KERNEL_REFUSED:
        return None
    if status == KERNEL_OUT_OF_MEMORY:
        raise MemoryError("canonical_json")
    return out.take_bytes()


def is_utf8(content: bytes) -> bool:
    """Whether the bytes are valid UTF-8 (RFC 3629)."""
    return bool(_utf8_is_valid(content, len(content)))


def holds(content: bytes, literal: bytes) -> bool:
    """Whether the literal, which is not empty, stands in the bytes; several times as fast as `in` for megabytes."""
    return bool(_holds(content, len(content), literal, len(literal)))
