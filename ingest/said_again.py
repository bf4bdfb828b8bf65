"""A record's time that its attributes say again: agents that read files of container runtimes leave the member `time`
in a record, and send the record's time beside it, some of them cut to milliseconds or rounded to microseconds.

The finer of both is the record's time, and the attribute is dropped. Another time, or one that cannot be read, stays.
What is read as a document is spared this: the kernel does the same (`refine_time` in logstore/native/decode_fields.c).
"""

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.json_body import read_json
from ingest.lines_kernels import rows_holding
from logstore.native import parse_time

_NAME: Final = '"time":"'
_NESTING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_UNITS_NS: Final = (1_000_000, 1_000, 1)
"""In which senders count, the coarsest first."""


def said_once(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The records without a `time` among the attributes that is their own."""
    rows = np.flatnonzero(rows_holding(batch.column("attributes"), (_NAME,)))
    if not len(rows):
        return batch
    times = batch.column("time").view(pa.int64()).to_numpy().copy()
    texts = batch.column("attributes").take(pa.array(rows)).to_pylist()
    again = {}
    for row, text, time_ns in zip(rows.tolist(), texts, times[rows].tolist(), strict=True):
        if found := _again(text, time_ns):
            times[row], again[row] = found
    return _replaced(batch, times, again) if again else batch


def _again(text: str, time_ns: int) -> tuple[int, str | None] | None:
    """The time, and the attributes without it, if they say it."""
    said = read_json(text.encode()).get("time")
    if not isinstance(said, str) or f'{_NAME}{said}"' not in text:
        return None
    trouble, said_ns = parse_time(said.encode())
    unit_ns = next(unit_ns for unit_ns in _UNITS_NS if time_ns % unit_ns == 0)
    if trouble or abs(said_ns - time_ns) >= unit_ns:
        return None
    return said_ns, _without(text, f'{_NAME}{said}"')


def _without(text: str, member: str) -> str | None:
    """The attributes without a member of theirs; None if they have no other."""
    start = text.find(member)
    while text.find(member, start + 1) > 0 and _depth(text, start) != 1:
        start = text.find(member, start + 1)
    before, after = text[:start].removesuffix(","), text[start + len(member) :]
    rest = before + (after.removeprefix(",") if before == "{" else after)
    return None if rest == "{}" else rest


def _depth(text: str, end: int) -> int:
    """In how many objects and arrays the place is."""
    return sum(
        1 if found[0] in "{[" else -1 for found in _NESTING.finditer(text, 0, end) if not found[0].startswith('"')
    )


def _replaced(batch: pa.RecordBatch, times: np.ndarray, again: dict[int, str | None]) -> pa.RecordBatch:
    mask = np.zeros(batch.num_rows, np.bool_)
    mask[list(again)] = True
    texts = pa.array(again.values(), pa.string())
    attributes = pc.replace_with_mask(batch.column("attributes"), pa.array(mask), texts)
    columns = {"time": pa.array(times).view(pa.timestamp("ns")), "attributes": attributes}
    arrays = [columns.get(name, batch.column(name)) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
