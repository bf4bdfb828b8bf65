"""A record's time that its attributes say again: agents that read files of container runtimes leave the member `time`
in a record, and send the record's time beside it, some of them cut to milliseconds or rounded to microseconds.

The finer of both is the record's time, and the attribute is dropped. Another time, or one that cannot be read, stays.
What is read as a document is spared this: the kernel does the same (`refine_time` in logstore/native/decode.c).
"""

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.lines_kernels import rows_holding
from ingest.times import rfc3339_ns

_NAME: Final = '"time":"'
_MEMBER: Final = re.compile(r',?"time":"(\d{4}-\d\d-\d\d[Tt ][\d:.,Zz+-]{8,32})"')
_NESTING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_UNITS_NS: Final = (1_000_000, 1_000, 1)
"""In which senders count, the coarsest first."""


def said_once(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The records without a `time` among the attributes that is their own."""
    is_there = rows_holding(batch.column("attributes"), (_NAME,))
    if not is_there.any():
        return batch
    times = batch.column("time").view(pa.int64()).to_numpy().copy()
    rows, texts = [], []
    for row in np.flatnonzero(is_there).tolist():
        text = batch.column("attributes")[row].as_py()
        found = _again(text, int(times[row]))
        if found is not None:
            times[row], rest = found
            rows.append(row)
            texts.append(rest)
    return _replaced(batch, times, rows, texts) if rows else batch


def _again(text: str, time_ns: int) -> tuple[int, str | None] | None:
    """The time, and the attributes without it, if they say it."""
    unit_ns = next(unit_ns for unit_ns in _UNITS_NS if time_ns % unit_ns == 0)
    for member in _MEMBER.finditer(text):
        said_ns = rfc3339_ns(member[1])
        if said_ns is not None and abs(said_ns - time_ns) < unit_ns and _depth(text, member.start()) == 1:
            rest = text[: member.start()] + text[member.end() :]
            rest = "{" + rest[2:] if rest.startswith("{,") else rest
            return said_ns, None if rest == "{}" else rest
    return None


def _depth(text: str, end: int) -> int:
    """In how many objects and arrays the place is."""
    return sum(
        1 if found[0] in "{[" else -1 for found in _NESTING.finditer(text, 0, end) if not found[0].startswith('"')
    )


def _replaced(batch: pa.RecordBatch, times: np.ndarray, rows: list[int], texts: list[str | None]) -> pa.RecordBatch:
    mask = np.zeros(batch.num_rows, np.bool_)
    mask[rows] = True
    attributes = pc.replace_with_mask(batch.column("attributes"), pa.array(mask), pa.array(texts, pa.string()))
    columns = {"time": pa.array(times).view(pa.timestamp("ns")), "attributes": attributes}
    arrays = [columns.get(name, batch.column(name)) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
