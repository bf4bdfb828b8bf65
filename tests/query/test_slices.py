"""Slices of time are those of a plain walk over all spans."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from logstore.catalog import Segment
from logstore.columns import AttributeColumns
from logstore.listing import Listing
from logstore.record import STORED, TIME_MAX_NS, TIME_MIN_NS
from query.groups import Piece, Whole
from query.slices import FIRST_BYTES, WHOLE_BYTES, Order, slices
from tests.logstore.segments import ROOT, SMALL, segments

ORDERS: st.SearchStrategy[Order] = st.sampled_from(("asc", "desc"))
Found = tuple[list[int], int, tuple[int, int] | None]
Span = tuple[int, int, int, int]
"""First and last time, bytes, and the segment's number; 0 is the buffer."""


def _buffer(times_ns: Sequence[int]) -> pa.Table:
    empty = STORED.empty_table()
    if not times_ns:
        return empty
    columns = [
        pa.array(times_ns, pa.int64()).cast(field.type)
        if field.name == "time"
        else pa.array(range(len(times_ns)), field.type)
        if field.name == "_seq"
        else pa.array([""] * len(times_ns), pa.string()).cast(field.type)
        for field in empty.schema
    ]
    return pa.table(columns, schema=empty.schema)


WITHIN = st.just((TIME_MIN_NS, TIME_MAX_NS)) | st.tuples(SMALL, SMALL)


@given(segments(), st.lists(SMALL, max_size=3), ORDERS, st.booleans(), st.booleans(), WITHIN)
def test_slices_are_those_of_a_plain_walk(
    drawn: list[Segment],
    buffered: list[int],
    order: Order,
    is_bounded: bool,
    is_whole: bool,
    within_ns: tuple[int, int],
) -> None:
    found = [replace(segment, plain_bytes=segment.plain_bytes * FIRST_BYTES // 8) for segment in drawn]
    pieces = Whole(Listing.of(ROOT, found)) if is_whole else [Piece(segment) for segment in found]
    spans = [(one.min_time_ns, one.max_time_ns, one.plain_bytes, one.id) for one in found]
    if buffered:
        spans.append((min(buffered), max(buffered), FIRST_BYTES, 0))
    first_ns, last_ns = within_ns
    spans = [(max(begin, first_ns), min(end, last_ns), size, owner) for begin, end, size, owner in spans]
    spans = [span for span in spans if span[0] <= span[1]]
    parts = slices(pieces, _buffer(buffered), order, is_bounded=is_bounded, within_ns=within_ns)
    of = [([piece.segment.id for piece in part.pieces], part.buffer.num_rows, part.between_ns) for part in parts]
    target = FIRST_BYTES if is_bounded else WHOLE_BYTES
    assert of == list(_walk(spans, len(buffered), order, target, is_bounded=is_bounded))


def test_a_first_slice_has_as_many_records_as_are_wanted_if_they_come_evenly() -> None:
    """Of ten that end at nearly one time the newest records are read at once, not one segment after the other."""
    second_ns = 10**9
    found = [_segment(number, 0, 1_000 * second_ns - number, rows=10_000) for number in range(10)]
    first = next(slices([Piece(one) for one in found], _buffer([]), "desc", is_bounded=True, wanted=100))
    assert len(first.pieces) == 10
    older = [*found, _segment(11, 0, 500 * second_ns, rows=10_000)]
    first = next(slices([Piece(one) for one in older], _buffer([]), "desc", is_bounded=True, wanted=100))
    assert len(first.pieces) == 10
    assert first.between_ns == (500 * second_ns + 1, 1_000 * second_ns)


def _segment(number: int, min_time_ns: int, max_time_ns: int, rows: int) -> Segment:
    facts = {"window_ns": 0, "min_seq": 0, "max_seq": rows, "bytes": 1, "received_ns": 0, "format": 2}
    return Segment(
        id=number,
        path=ROOT / f"{number}.parquet",
        cluster="c",
        namespace="n",
        min_time_ns=min_time_ns,
        max_time_ns=max_time_ns,
        rows=rows,
        plain_bytes=FIRST_BYTES,
        columns=AttributeColumns(),
        **facts,
    )


def _walk(spans: list[Span], buffered: int, order: Order, target: int, *, is_bounded: bool) -> Iterator[Found]:
    begin, end = (1, 0) if order == "desc" else (0, 1)
    if not spans:
        return
    spans = sorted(spans, key=lambda span: span[begin], reverse=order == "desc")
    edge_ns = spans[0][begin]
    size, left = 0, list[Span]()
    for span, following in zip(spans, [*spans[1:], None], strict=True):
        left.append(span)
        size += span[2]
        if following is not None and (size < target or following[begin] == edge_ns):
            continue
        ends = [one[end] for one in left]
        if following is None:
            between = (min(ends), edge_ns) if order == "desc" else (edge_ns, max(ends))
        else:
            next_ns = following[begin]
            between = (next_ns + 1, edge_ns) if order == "desc" else (edge_ns, next_ns - 1)
        numbers = dict.fromkeys(one[3] for one in left)
        yield [number for number in numbers if number], buffered if 0 in numbers else 0, between
        if following is None:
            return
        edge_ns = following[begin]
        left = [one for one in left if (one[end] <= edge_ns if order == "desc" else one[end] >= edge_ns)]
        size = 0
        target = target * 4 if is_bounded else target
