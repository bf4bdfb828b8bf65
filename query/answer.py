"""What a query answers: columns and a stream of Arrow batches, and how it ended."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from query.sql import Column, Kind

SETTLED_BYTES: Final = 8 << 20

_ARROW: Final = {
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.string(),
    Kind.TIME: pa.timestamp("ns"),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class End:
    """How an answer ended: whether the default limit cut it, and where the next page begins ('' where it has none)."""

    truncated: bool
    cursor: str


class Answer:
    """Columns and a stream of Arrow batches. Holds its snapshot until it is drained or closed. One thread reads it at a
    time."""

    def __init__(self, columns: tuple[Column, ...], is_grouped: bool) -> None:
        self.columns = columns
        self.is_grouped = is_grouped
        """Whether rows are results of `stats`, `top` or `patterns` rather than records."""
        self.schema = schema(columns)
        self.end = End(truncated=False, cursor="")
        """Final once `batches` is drained."""
        self._resources = contextlib.ExitStack()
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def begin(self, batches: Iterator[pa.RecordBatch], resources: contextlib.ExitStack) -> None:
        """Gives the answer its rows, and what it has to let go of afterwards."""
        self._batches = batches
        self._resources = resources

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows; closes the answer when they are drained.

        Raises:
            QueryTimeout, QueryTooExpensive, QueryCancelled: before the first batch or later.
        """
        try:
            yield from self._batches
        finally:
            self.close()

    def settle(self, limit_bytes: int = SETTLED_BYTES) -> bool:
        """Reads ahead, at most so much, and says whether `end` is final already: before anything is sent."""
        ahead: list[pa.RecordBatch] = []
        size = 0
        try:
            for batch in self._batches:
                ahead.append(batch)
                size += batch.nbytes
                if size > limit_bytes:
                    self._batches = itertools.chain(ahead, self._batches)
                    return False
        except BaseException:
            self.close()
            raise
        self._batches = iter(ahead)
        return True

    def close(self) -> None:
        """Lets go of the snapshot and the query's turn."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([pa.field(column.name, _ARROW[column.kind]) for column in columns])


def shape(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    """A batch of DuckDB's under the answer's names and types, without the columns that are only for paging."""
    columns = [
        column if column.type == field.type else pc.cast(column, field.type)
        for column, field in zip(batch.columns, wanted, strict=False)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)
