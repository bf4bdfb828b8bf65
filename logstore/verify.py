"""Whether a segment's file is what was written, as far as reading all of it tells."""

from collections.abc import Callable

import pyarrow.compute as pc
import pyarrow.parquet as pq

from logstore.catalog import Segment
from logstore.native.arrays import int64s
from logstore.record import STORED
from logstore.segment import FORMAT_VERSION, TEMPLATE, footer, partition
from logstore.unreadable import naming


def verify(segment: Segment, is_over: Callable[[], bool] = lambda: False) -> None:
    """Reads a row group after the other, until `is_over`, against the checksums of its pages and its statistics.

    Raises:
        Damaged: the file cannot be read, or is not what it says.
    """
    with naming(segment.path), pq.ParquetFile(segment.path, page_checksum_verification=True) as file:
        names = {*STORED.names, *segment.columns.stored}.difference(partition(segment.path))
        if segment.format >= FORMAT_VERSION:
            names.add(TEMPLATE)
        if missing := names.difference(file.schema_arrow.names):
            raise KeyError(f"it has no column {min(missing)}")
        for group in range(file.num_row_groups):
            if is_over():
                return
            table = file.read_row_group(group, use_threads=False)
            for name in ("time", "_seq"):
                at = footer(segment).schema.names.index(name)
                told = footer(segment).row_group(group).column(at).statistics
                values = pc.min_max(int64s(table[name])).as_py()
                if told is not None and (told.min_raw, told.max_raw) != (values["min"], values["max"]):
                    raise ValueError(f"{name} of row group {group} is not what its statistics say")
