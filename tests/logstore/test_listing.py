"""Columns of segments say what a plain loop over the segments says."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore import compact, retain
from logstore.catalog import Segment
from logstore.listing import CODES_SPARE, Codes, Listing
from logstore.pruning import Bounds, prune
from logstore.segment import FORMAT_VERSION
from logstore.settings import StoreSettings
from tests.logstore.segments import ROOT, SMALL, segments

LIMIT = st.one_of(st.none(), SMALL, st.sampled_from((-(2**63), 2**63 - 1, 2**80, -(2**80))))
IDENTITY = st.fixed_dictionaries(
    {},
    optional={
        "cluster": st.frozensets(st.sampled_from("abc")),
        "namespace": st.frozensets(st.sampled_from("xyzw")),
        "pod": st.just(frozenset("p")),
    },
)
BOUNDS = st.builds(Bounds, LIMIT, LIMIT, IDENTITY, LIMIT, LIMIT)


@given(segments(), BOUNDS)
def test_pruning_is_what_a_loop_over_the_segments_does(found: list[Segment], bounds: Bounds) -> None:
    pruned = prune(Listing.of(ROOT, found), bounds)
    reasons = [_reason_to_skip(segment, bounds) for segment in found]
    assert list(pruned.segments) == [segment for segment, reason in zip(found, reasons, strict=True) if not reason]
    assert pruned.skipped == Counter(reason for reason in reasons if reason)


def _reason_to_skip(segment: Segment, bounds: Bounds) -> str:
    if bounds.start_ns is not None and segment.max_time_ns < bounds.start_ns:
        return "time"
    if bounds.end_ns is not None and segment.min_time_ns >= bounds.end_ns:
        return "time"
    if bounds.after_seq is not None and segment.max_seq <= bounds.after_seq:
        return "seq"
    if bounds.up_to_seq is not None and segment.min_seq > bounds.up_to_seq:
        return "seq"
    for column, value in (("cluster", segment.cluster), ("namespace", segment.namespace)):
        allowed = bounds.identity.get(column)
        if allowed is not None and value not in allowed:
            return column
    return ""


@given(segments(), st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(1, 12))), max_size=6))
def test_a_listing_changes_as_a_list_does_and_the_old_one_stays(
    found: list[Segment], changes: list[tuple[int, set[int]]]
) -> None:
    waiting, expected, listing = list(found), list[Segment](), Listing.empty(ROOT)
    for count, gone in changes:
        added, waiting = waiting[:count], waiting[count:]
        removed = [segment for segment in expected if segment.id in gone]
        before, was = listing, list(expected)
        listing = listing.changed(added, removed)
        expected = [segment for segment in expected if segment.id not in gone] + added
        assert list(listing) == expected
        assert list(before) == was
    assert [listing[at] for at in range(-len(expected), len(expected))] == expected * 2
    assert list(listing[1:-1]) == expected[1:-1]
    assert listing.paths() == [str(segment.path.relative_to(ROOT)) for segment in expected]
    assert listing.rows.sum() == sum(segment.rows for segment in expected)
    with pytest.raises(IndexError):
        listing[len(expected)]


def test_values_without_a_segment_are_forgotten() -> None:
    codes = Codes(f"date={day}" for day in range(CODES_SPARE + 4))
    kept, numbers = codes.used(np.array([7, 7, 5]))
    assert [kept.values[number] for number in numbers] == ["date=7", "date=7", "date=5"]
    assert len(kept.values) == 2
    assert codes.used(np.array([7, 7, 5, 1]))[0] is codes, "few enough to stay"


@given(segments(), st.integers(2, 4), st.integers(2, 70), SMALL, st.sampled_from(((), ("hour",))))
def test_short_segments_are_rewritten_that_a_loop_finds(
    found: list[Segment], at_least: int, at_most_bytes: int, settled_before_ns: int, inner: tuple[str, ...]
) -> None:
    settings = StoreSettings(
        ("cluster", "namespace", *inner),
        row_group_rows=1_000,
        compact_files=at_least,
        compact_bytes=at_most_bytes,
        compact_settle_s=0,
    )
    planned = compact.plan(Listing.of(ROOT, found), settings, settled_before_ns)
    assert planned.joined == []
    assert planned.rewritten == _rewritten(
        found, ("cluster", "namespace", "date", *inner), at_least, at_most_bytes, settled_before_ns
    )


def _rewritten(
    found: list[Segment], columns: tuple[str, ...], at_least: int, at_most_bytes: int, settled_before_ns: int
) -> list[tuple[Segment, ...]]:
    groups: defaultdict[tuple[object, ...], list[Segment]] = defaultdict(list)
    stale: defaultdict[tuple[object, ...], list[Segment]] = defaultdict(list)
    for segment in found:
        if _is_stale(segment, columns):
            stale[segment.cluster, segment.namespace, segment.window_ns].append(segment)
        else:
            groups[segment.path.parent, segment.window_ns].append(segment)
    worth = [part for group in groups.values() for part in _packed(group, at_most_bytes)]
    settled = [all(segment.received_ns < settled_before_ns for segment in part) for part in worth]
    worth = [
        part for part, is_settled in zip(worth, settled, strict=True) if len(part) >= (2 if is_settled else at_least)
    ]
    return worth + [part for group in stale.values() for part in _packed(group, at_most_bytes)]


def _is_stale(segment: Segment, columns: tuple[str, ...]) -> bool:
    names = tuple(part.partition("=")[0] for part in segment.path.relative_to(ROOT).parent.parts)
    return segment.format < FORMAT_VERSION or names != columns


@given(segments(), st.integers(2, 4), st.integers(2, 40), SMALL)
def test_segments_are_joined_with_their_like(
    found: list[Segment], at_least: int, at_most_bytes: int, settled_before_ns: int
) -> None:
    settings = StoreSettings(
        row_group_rows=4, join_files=at_least, join_bytes=at_most_bytes, compact_settle_s=0, compact_files=100
    )
    planned = compact.plan(Listing.of(ROOT, found), settings, settled_before_ns)
    together = [segment.id for part in planned.joined for segment in part]
    assert len(set(together)) == len(together)
    for part in planned.joined:
        assert len({(segment.path.parent, segment.window_ns) for segment in part}) == 1
        assert sum(segment.bytes for segment in part) <= at_most_bytes
        largest = max(segment.bytes for segment in part)
        assert largest <= compact.DOMINANT * (sum(segment.bytes for segment in part) - largest)
        assert list(part) == sorted(part, key=lambda segment: (segment.min_time_ns, segment.min_seq))
        assert not any(_is_stale(segment, ("cluster", "namespace", "date")) or segment.rows < 2 for segment in part)
        is_settled = all(segment.received_ns < settled_before_ns for segment in part)
        assert len(part) >= (2 if is_settled else at_least)


def _packed(group: list[Segment], at_most_bytes: int) -> list[tuple[Segment, ...]]:
    packed: list[list[Segment]] = [[]]
    for segment in sorted(group, key=lambda segment: segment.plain_bytes):
        if packed[-1] and sum(one.plain_bytes for one in packed[-1]) + segment.plain_bytes > at_most_bytes:
            packed.append([])
        packed[-1].append(segment)
    return [tuple(part) for part in packed]


@given(segments(), SMALL, st.one_of(st.none(), st.integers(0, 9)), st.one_of(st.none(), st.integers(0, 90)))
def test_retention_takes_the_oldest_one_by_one(
    found: list[Segment], now_ns: int, age_ns: int | None, total_bytes: int | None
) -> None:
    age_s = None if age_ns is None else age_ns / 1e9
    left = sorted(found, key=lambda segment: max(segment.max_time_ns, segment.received_ns))
    gone = []
    while left:
        is_old = age_s is not None and max(left[0].max_time_ns, left[0].received_ns) < now_ns - int(age_s * 1e9)
        is_too_much = total_bytes is not None and sum(segment.bytes for segment in left) > total_bytes
        if not is_old and not is_too_much:
            break
        gone.append(left.pop(0))
    assert list(retain.expired(Listing.of(ROOT, found), now_ns, age_s, total_bytes)) == gone
