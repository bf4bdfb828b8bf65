"""Single texts out of a column chunk of a segment: only the pages that have them are decompressed and read.

For columns of plain texts, none of them null, as segments' messages are. Format: parquet.thrift
(https://github.com/apache/parquet-format), data pages of version 1.
"""

import ctypes
import os
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from logstore.native import KERNEL_OK, KERNEL_REFUSED, ColumnBuffer, TextColumn, address_of, kernel
from logstore.order import Ints

_PAGE: Final = np.dtype([(name, "<i8") for name in ("begin", "size", "plain_size", "values")])


class _PageText(ctypes.Structure):
    """`struct page_text`."""

    _fields_ = (("content", ctypes.c_char_p), ("size", ctypes.c_int64), ("values", ctypes.c_int64))


_pages: Final = kernel("kernel_pages", ctypes.c_char_p, ctypes.c_int64, ctypes.POINTER(ColumnBuffer))
_page_texts: Final = kernel(
    "kernel_page_texts",
    ctypes.POINTER(_PageText),
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.POINTER(TextColumn),
)


def texts(file: int, metadata: pq.FileMetaData, group: int, name: str, rows: Ints) -> pa.StringArray | None:
    """The texts of these rows (ascending) of a row group's column in an open file; None where it is laid out otherwise,
    which is for whoever reads the whole of it.

    Raises OSError, ArrowInvalid where it cannot be read.
    """
    at = metadata.schema.names.index(name)
    chunk = metadata.row_group(group).column(at)
    if (
        metadata.schema.column(at).max_definition_level
        or chunk.physical_type != "BYTE_ARRAY"
        or chunk.has_dictionary_page
        or chunk.compression != "ZSTD"
    ):
        return None
    content = os.pread(file, chunk.total_compressed_size, chunk.data_page_offset)
    pages = _pages_of(content)
    if pages is None or pages["values"].sum() != chunk.num_values:
        return None
    needed, _, _, places = spread(pages["values"], rows)
    return _texts_of(_plain(content, pages[needed]), pages["values"][needed], places)


def spread(sizes: Ints, rows: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Of rows (ascending) of consecutive parts of these sizes: which parts have some; and of each row, the position of
    its part among these, its place in its part, and its place among all rows of these parts."""
    begins = np.cumsum(sizes) - sizes
    parts = np.searchsorted(begins, rows, side="right") - 1
    needed, which = np.unique(parts, return_inverse=True)
    kept = sizes[needed]
    places = rows - begins[parts]
    return needed, which, places, places + (np.cumsum(kept) - kept)[which]


def _pages_of(content: bytes) -> "np.ndarray[tuple[int], np.dtype[np.void]] | None":
    result = ColumnBuffer()
    status = _pages(content, len(content), ctypes.byref(result))
    if status == KERNEL_REFUSED:
        return None
    if status != KERNEL_OK:
        raise MemoryError("pages")
    return np.frombuffer(result.take_bytes(), _PAGE)


def _plain(content: bytes, pages: "np.ndarray[tuple[int], np.dtype[np.void]]") -> list[bytes]:
    """The pages without their compression. Raises OSError."""
    decompress = zstandard.ZstdDecompressor().decompress
    plain: list[bytes] = []
    try:
        for begin, size, plain_size, _ in pages.tolist():
            compressed = content[begin : begin + size]
            # Where the frame says a size, it is that much memory that is taken.
            if zstandard.frame_content_size(compressed) not in (-1, plain_size):
                raise OSError(f"a page is not of the {plain_size} bytes that its header says")
            plain.append(decompress(compressed, max_output_size=plain_size))
    except zstandard.ZstdError as error:
        raise OSError(f"a page cannot be decompressed: {error}") from error
    return plain


def _texts_of(plain: list[bytes], values: Ints, places: Ints) -> pa.StringArray | None:
    described = (_PageText(one, len(one), count) for one, count in zip(plain, values.tolist(), strict=True))
    told = (_PageText * len(plain))(*described)
    at = np.ascontiguousarray(places, np.int64)
    result = TextColumn()
    status = _page_texts(told, len(plain), address_of(at), len(at), ctypes.byref(result))
    if status == KERNEL_REFUSED:
        return None
    if status != KERNEL_OK:
        raise MemoryError("pages")
    return result.to_array(len(at))
