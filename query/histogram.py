"""How many records when: counts in buckets of time that are aligned to the epoch, the empty ones included."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from logstore.errors import InvalidInput
from logstore.store import Store
from query import ast
from query.engine import Engine
from query.execute import collect
from query.parser import parse
from query.plan import plan, time_span
from query.request import Request, bounds, record_part
from query.times import S_NS, UNITS_NS, format_time

DEFAULT_BUCKETS: Final = 60
MAX_BUCKETS: Final = 10_000
MAX_GROUPS: Final = 50
"""Values of `by` that are told apart; the less frequent ones are `other`."""
OTHER: Final = "other"
MAX_INTERVAL_NS: Final = 5_200 * UNITS_NS["w"]

_STEPS_NS: Final = tuple(
    amount * UNITS_NS[unit]
    for unit, amounts in (
        ("ms", (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        ("s", (1, 2, 5, 10, 15, 30)),
        ("m", (1, 2, 5, 10, 15, 30)),
        ("h", (1, 2, 3, 6, 12)),
        ("d", (1, 2, 7, 14, 28, 91, 365, 3_650, 36_500)),
    )
    for amount in amounts
)


@dataclass(frozen=True, slots=True)
class Buckets:
    """What is asked for: an interval (ns), or else how many buckets at most; `by` names a field or is ''."""

    interval_ns: int | None = None
    count: int = DEFAULT_BUCKETS
    by: str = ""


def histogram(store: Store, engine: Engine, request: Request, buckets: Buckets) -> dict[str, object]:
    """Counts of the records that the query finds (its `stats`, `sort`, `limit` … do not count).

    Without a start or end, the range is that of the records there are.

    Raises:
        InvalidInput: more than 10,000 buckets, or none.
    """
    query = record_part(parse(request.text, request.now_ns))
    span = time_range(store, query, request)
    if span is None:
        return {"interval_s": _seconds(buckets.interval_ns or S_NS), "buckets": []}
    interval_ns = _interval(span, buckets)
    first_ns = span[0] - span[0] % interval_ns
    count = -(-(span[1] - first_ns) // interval_ns)
    if count > MAX_BUCKETS:
        raise InvalidInput(
            f"this range has {count} buckets of that interval, and the limit is {MAX_BUCKETS}; ask for a longer one"
        )
    counted = _count(store, engine, query, request, interval_ns, buckets.by)
    groups = _groups(counted, buckets.by)
    return {
        "interval_s": _seconds(interval_ns),
        "buckets": [_bucket(first_ns + i * interval_ns, groups, is_grouped=bool(buckets.by)) for i in range(count)],
    }


def time_range(store: Store, query: ast.Query, request: Request) -> tuple[int, int] | None:
    """Start and end of the range, the end exclusive; None if there is nothing in it."""
    limits = bounds(query, request.start_ns, request.end_ns)
    start_ns, end_ns = limits.start_ns, limits.end_ns
    if start_ns is None or end_ns is None:
        with store.snapshot() as snapshot:
            planned = plan(snapshot.segments, snapshot.buffer, limits)
        found = planned.pieces.segments
        times = [(int(found.min_time_ns.min()), int(found.max_time_ns.max()))] if len(found) else []
        times += [buffered] if (buffered := time_span(planned.buffer)) else []
        if not times:
            return None
        start_ns = min(time[0] for time in times) if start_ns is None else start_ns
        end_ns = max(time[1] for time in times) + 1 if end_ns is None else end_ns
    return (start_ns, end_ns) if start_ns < end_ns else None


def _interval(span: tuple[int, int], buckets: Buckets) -> int:
    if buckets.interval_ns is not None:
        if not 0 < buckets.interval_ns <= MAX_INTERVAL_NS:
            raise InvalidInput("`interval` has to be longer than nothing and at most 5200w")
        return buckets.interval_ns
    if not 1 <= buckets.count <= MAX_BUCKETS:
        raise InvalidInput(f"`buckets` has to be from 1 to {MAX_BUCKETS}")
    fitting = (step for step in _STEPS_NS if span[1] // step - span[0] // step < buckets.count)
    return next(fitting, _STEPS_NS[-1])


def _count(store: Store, engine: Engine, query: ast.Query, request: Request, interval_ns: int, by: str) -> pa.Table:
    size = ast.Quantity(f"{interval_ns}ns", ast.Dimension.DURATION, interval_ns)
    keys = [ast.Key(ast.Call("bucket", (size,)), "bucket")]
    if by:
        keys.append(ast.Key(ast.Name(by), "by"))
    stats = ast.Stats((ast.Aggregate("count", None, "count"),), tuple(keys))
    counted = replace(query, pipes=(*query.pipes, stats))
    return collect(store, engine, counted, replace(request, dynamic="text"))


def _groups(counted: pa.Table, by: str) -> dict[int, Counter[str]]:
    """For each bucket's start, the counts by value; rare values are together."""
    times = counted["bucket"].cast(pa.int64()).to_pylist()
    values = [value if value is not None else "" for value in counted["by"].to_pylist()] if by else [""] * len(times)
    counts = counted["count"].to_pylist()
    totals: Counter[str] = Counter()
    for value, count in zip(values, counts, strict=True):
        totals[value] += count
    named = {value for value, _ in totals.most_common(MAX_GROUPS)}
    groups: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for time_ns, value, count in zip(times, values, counts, strict=True):
        groups[time_ns][value if value in named else OTHER] += count
    return groups


def _bucket(time_ns: int, groups: dict[int, Counter[str]], *, is_grouped: bool) -> dict[str, object]:
    found = groups.get(time_ns, Counter())
    bucket: dict[str, object] = {"time": format_time(time_ns), "count": found.total()}
    if is_grouped:
        bucket["by"] = dict(found.most_common())
    return bucket


def _seconds(interval_ns: int) -> int | float:
    return interval_ns // S_NS if interval_ns % S_NS == 0 else interval_ns / S_NS
