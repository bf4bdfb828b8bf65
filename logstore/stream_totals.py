"""How many records each stream has in segments, and from when to when: summed up once, then added to by flushes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa

from logstore import tables
from logstore.order import Ints
from logstore.streams import STREAM_TOTALS

_READ_AT_ONCE: Final = 16_384
_NEVER: Final = np.iinfo(np.int64)
_NAMES: Final = ("cluster", "namespace", "pod", "container", "labels")


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """By the number of the stream in the catalog; of streams past the end there are no records. Immutable."""

    records: Ints
    first_ns: Ints
    last_ns: Ints

    @staticmethod
    def read(connection: sa.Connection) -> "StreamTotals":
        """Of all that the catalog has."""
        ranges = tables.ranges.c
        sums = sa.func.sum(ranges.rows), sa.func.min(ranges.min_time_ns), sa.func.max(ranges.max_time_ns)
        found = connection.execute(sa.select(ranges.stream, *sums).group_by(ranges.stream)).all()
        none = np.zeros(0, np.int64)
        return StreamTotals(none, none, none).plus(found)

    def plus(self, ranges: Sequence[Sequence[int]]) -> "StreamTotals":
        """With more ranges of rows: (stream, rows, first time, last time)."""
        if not ranges:
            return self
        streams, rows, first_ns, last_ns = np.array(ranges, np.int64).T
        size = max(len(self.records), int(streams.max()) + 1)
        total = StreamTotals(
            _grown(self.records, size, 0),
            _grown(self.first_ns, size, _NEVER.max),
            _grown(self.last_ns, size, _NEVER.min),
        )
        np.add.at(total.records, streams, rows)
        np.minimum.at(total.first_ns, streams, first_ns)
        np.maximum.at(total.last_ns, streams, last_ns)
        return total

    def named(self, connection: sa.Connection) -> pa.Table:
        """The streams that have records, in the schema `STREAM_TOTALS`."""
        columns = [tables.streams.c.id, *(tables.streams.c[name] for name in _NAMES)]
        found = connection.execution_options(yield_per=_READ_AT_ONCE).execute(sa.select(*columns))
        return pa.concat_tables([STREAM_TOTALS.empty_table(), *(self._of(rows) for rows in found.partitions())])

    def _of(self, rows: Sequence[Any]) -> pa.Table:
        ids, *names = zip(*rows, strict=True)
        streams = np.array(ids, np.int64)
        has_records: npt.NDArray[np.bool_] = streams < len(self.records)
        has_records[has_records] = self.records[streams[has_records]] > 0
        kept = streams[has_records]
        texts = [pa.array(texts, pa.string()).filter(pa.array(has_records)) for texts in names]
        return pa.table([*texts, self.records[kept], self.first_ns[kept], self.last_ns[kept]], schema=STREAM_TOTALS)


def _grown(values: Ints, size: int, none: int) -> Ints:
    return np.concatenate((values, np.full(size - len(values), none, np.int64)))
