"""Made-up segments of a few partitions, hours and layouts, for what only the catalog's facts decide."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from logstore.attributes import Kind
from logstore.catalog import Segment
from logstore.columns import AttributeColumns

ROOT = Path("/data/segments")
HOUR_NS = 3_600 * 10**9
SMALL = st.integers(-3, 12)
LAYOUTS = (AttributeColumns(), AttributeColumns((("status", Kind.INTEGER),)), AttributeColumns(omitted=("trace",)))


@st.composite
def segments(draw: Callable[[st.SearchStrategy[Any]], Any], most: int = 12) -> list[Segment]:
    """Segments with distinct ids, in order of id; bounds of time and of `_seq` lie close together."""
    return [draw(_segment(number)) for number in range(draw(st.integers(0, most)))]


@st.composite
def _segment(draw: Callable[[st.SearchStrategy[Any]], Any], number: int) -> Segment:
    cluster, namespace = draw(st.sampled_from("ab")), draw(st.sampled_from("xyz"))
    times, seqs = sorted(draw(st.tuples(SMALL, SMALL))), sorted(draw(st.tuples(SMALL, SMALL)))
    inner = draw(st.sampled_from(("", "/hour=01", "/hour=02")))
    directory = f"cluster={cluster}/namespace={namespace}/date=2026-01-0{draw(st.integers(1, 2))}{inner}"
    return Segment(
        id=number + 1,
        path=ROOT / directory / f"{number:04x}.parquet",
        cluster=cluster,
        namespace=namespace,
        window_ns=draw(st.sampled_from((-1, 0, HOUR_NS))),
        min_time_ns=times[0],
        max_time_ns=times[1],
        min_seq=seqs[0],
        max_seq=seqs[1],
        rows=draw(st.integers(1, 5)),
        bytes=draw(st.integers(1, 9)),
        plain_bytes=draw(st.integers(1, 60)),
        received_ns=draw(SMALL),
        format=draw(st.sampled_from((1, 2, 2, 2))),
        columns=draw(st.sampled_from(LAYOUTS)),
    )
