"""Rows of a table in another order, a part at a time, so that no second copy of the whole table is made."""

import ctypes
from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.native import KERNEL_OK, KERNEL_REFUSED, TextColumn, address_of, kernel, text_addresses
from logstore.order import Ints
from logstore.word_column import WordColumn

Take = Callable[[Ints], pa.Array]


class _Chunk(ctypes.Structure):
    _fields_ = (
        ("offsets", ctypes.c_void_p),
        ("text", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("validity_at", ctypes.c_int64),
        ("first_row", ctypes.c_int64),
    )


class _Request(ctypes.Structure):
    _fields_ = (
        ("chunks", ctypes.POINTER(_Chunk)),
        ("chunk_count", ctypes.c_int64),
        ("rows", ctypes.c_void_p),
        ("count", ctypes.c_int64),
    )


_gather_texts: Final = kernel("kernel_gather_texts", ctypes.POINTER(_Request), ctypes.POINTER(TextColumn))


class Rows:
    """The rows of one table, in any number of chunks."""

    def __init__(self, table: pa.Table) -> None:
        self._schema = table.schema
        is_word = pa.types.is_dictionary
        self.words = {name: WordColumn.of(table[name]) for name in table.column_names if is_word(table[name].type)}
        takes = {name: column.take for name, column in self.words.items()}
        self._takes = [takes.get(name) or _taker(table[name]) for name in table.column_names]

    def take(self, rows: Ints) -> pa.Table:
        """These rows, in this order, each column in one chunk, and its dictionary without other words than theirs.

        Raises:
            OverflowError: the texts are more than one array can hold.
        """
        return pa.table([take(rows) for take in self._takes], schema=self._schema)


def _taker(column: pa.ChunkedArray) -> Take:
    if column.null_count == len(column):
        return lambda rows: pa.nulls(len(rows), column.type)
    if pa.types.is_string(column.type):
        return _text_taker(column)
    whole = column.combine_chunks()
    return lambda rows: whole.take(pa.array(rows))


def _text_taker(column: pa.ChunkedArray) -> Take:
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    firsts = np.cumsum([0, *map(len, chunks)]).tolist()
    described = (_Chunk * len(chunks))(*map(_described, chunks, firsts))

    def take(rows: Ints) -> pa.Array:
        if not len(rows):
            return pa.array([], pa.string())
        rows = np.ascontiguousarray(rows, np.int64)
        # The chunks, whose memory is read, live as long as this function, which names them.
        request = _Request(described, len(chunks), address_of(rows), len(rows))
        texts = TextColumn()
        status = _gather_texts(ctypes.byref(request), ctypes.byref(texts))
        if status == KERNEL_REFUSED:
            raise OverflowError(f"the texts of {len(rows)} rows are more than one array can hold")
        if status != KERNEL_OK:
            raise MemoryError("gather")
        return texts.to_array(len(rows))

    return take


def _described(chunk: pa.StringArray, first_row: int) -> _Chunk:
    validity = chunk.buffers()[0]
    return _Chunk(*text_addresses(chunk), validity.address if validity else 0, chunk.offset, first_row)
