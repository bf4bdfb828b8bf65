"""Cursors: places in the total order of records, as texts. A page's is `<time in ns>.<number>`, a tail's a number."""

import re
from typing import Final

import pyarrow as pa

from logstore.errors import InvalidInput
from logstore.listing import Listing
from logstore.pruning import Bounds
from query.plan import plan
from query.session import Session
from query.sql import Compiled, Place
from query.view import define_records

_CURSOR: Final = re.compile(r"(?:(-?\d{1,19})\.)?(-?\d{1,19})", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)


def format_cursor(place: Place) -> str:
    return f"{place.time_ns}.{place.seq}"


def cursor_after(batch: pa.RecordBatch) -> str:
    """The cursor of a page that ends with this batch; its last two columns are time and `_seq`."""
    time_ns = batch.column(batch.num_columns - 2).cast(pa.int64())[-1].as_py()
    return format_cursor(Place(time_ns, batch.column(batch.num_columns - 1)[-1].as_py()))


def parse_cursor(text: str) -> tuple[int | None, int]:
    """The time, where the cursor has it, and the number of a record.

    Raises:
        InvalidInput: no cursor of ours.
    """
    found = _CURSOR.fullmatch(text.strip())
    numbers = [int(number) for number in found.groups("0")] if found else []
    if found is None or any(number not in _INT64 for number in numbers):
        raise InvalidInput(f"{text!r} is no cursor; take it from an @end or @tail line, or a record's _seq")
    return (numbers[0] if found[1] else None), numbers[1]


def place_of(session: Session, segments: Listing, buffer: pa.Table, cursor: str, compiled: Compiled) -> Place | None:
    """Where a page begins; None: at the beginning.

    Raises:
        InvalidInput: no cursor of ours, or the query's rows have no order to continue in.
    """
    if not cursor:
        return None
    if not compiled.is_rowwise:
        raise InvalidInput("`cursor` continues records; the rows of this query (sort, stats, uniq …) have no next page")
    time_ns, seq = parse_cursor(cursor)
    return Place(time_ns, seq) if time_ns is not None else find_place(session, segments, buffer, seq)


def find_place(session: Session, segments: Listing, buffer: pa.Table, seq: int) -> Place:
    """Where the record of a number stands in the total order; `records` is then what may hold it.

    Raises:
        InvalidInput: there is no such record.
    """
    found = plan(segments, buffer, Bounds(after_seq=seq - 1, up_to_seq=seq))
    define_records(session, found.pieces, found.buffer)
    times = session.fetch("SELECT time FROM records WHERE _seq = ?", [seq])["time"] if seq in _INT64 else []
    if not len(times):
        raise InvalidInput(f"no record has the number {seq}; it may have been deleted by retention")
    return Place(times[0].cast(pa.int64()).as_py(), seq)
