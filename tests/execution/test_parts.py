"""Answers merged of remembered parts against the reference evaluator: whatever is remembered, is new, or has gone."""

import contextlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from logstore import segment as segments
from logstore.enrich import whole
from logstore.order import Ints
from logstore.record import SCHEMA
from logstore.settings import StoreSettings
from logstore.store import Store
from query import ast, parts
from query.answer import Answer
from query.engine import Engine
from query.execute import run, run_parsed
from query.format import format  # noqa: A004
from query.request import Request, split_limit
from query.sql.parts import split
from tests.execution.records import S_NS, START_NS, append, random_records, record
from tests.query import strategies
from tests.query.test_meaning import SLOW, compiles, same
from tests.reference import evaluator

ALL_ROWS = (0, 1_000_000)
"""Limits that cut nothing: an answer that is remembered whole is one for its limit."""


UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example takes a store; shrinking one takes many minutes."""


@dataclass(frozen=True)
class Filled:
    store: Store
    engine: Engine

    def records(self) -> list[dict[str, Any]]:
        """All records, as they are stored now."""
        with self.store.snapshot() as snapshot:
            tables = [whole(snapshot.buffer), *(segments.read(segment) for segment in snapshot.segments)]
            return [row for table in tables for row in _plain(table).to_pylist()]

    def remembered(self) -> float:
        """How many segments were not read since something of them was remembered."""
        return self.engine.parts.readings()["query_parts_remembered"]


@contextlib.contextmanager
def filled() -> Iterator[Filled]:
    never_s = 3_600
    with (
        tempfile.TemporaryDirectory() as directory,
        Store.open(
            Path(directory), StoreSettings(flush_age_s=never_s, compact_interval_s=never_s, compact_files=2)
        ) as store,
    ):
        engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
        yield Filled(store, engine)
        engine.close()


def _plain(table: pa.Table) -> pa.Table:
    names = table.column_names
    columns = [table[name].cast(pa.int64() if name == "time" else table.schema.field(name).type) for name in names]
    return pa.table([c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in columns], names)


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Records whose labels and attributes are JSON texts."""
    arrays = []
    for field in SCHEMA:
        plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        arrays.append(pa.array([row[field.name] for row in rows], plain).cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def values(answer: Answer) -> list[tuple[Any, ...]]:
    table = pa.Table.from_batches(answer.batches(), schema=answer.schema)
    columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in table.columns]
    return list(zip(*(column.to_pylist() for column in columns), strict=True)) if columns else []


# Against the reference evaluator

before = st.lists(
    st.one_of(
        st.builds(ast.Where, strategies.conditions),
        st.builds(ast.Extend, st.lists(strategies.assignment, min_size=1, max_size=2).map(tuple)),
        st.builds(ast.Fields, strategies.names),
    ),
    max_size=1,
)
grouped = strategies.stats() | st.builds(ast.Top, st.integers(1, 3), strategies.some_names)
after = st.lists(strategies.pipes.filter(lambda pipe: not isinstance(pipe, ast.Patterns)), max_size=1)
statistics = st.builds(
    lambda kept, first, made, last: ast.Query(kept, (*first, made, *last), strategies.NOW_NS),
    st.just(ast.All()) | strategies.filters,
    before,
    grouped,
    after,
).filter(lambda query: split(query) is not None)
bound = st.none() | st.sampled_from(strategies.TIMES)
changes = st.lists(st.sampled_from(["flush", "compact", "neither"]), min_size=2, max_size=4)


@settings(max_examples=40, deadline=None, phases=UNSHRUNK, suppress_health_check=SLOW)
@given(st.data(), statistics, bound, bound, changes)
def test_answers_are_the_reference_evaluators_whatever_is_remembered(
    data: st.DataObject, query: ast.Query, start_ns: int | None, end_ns: int | None, steps: list[str]
) -> None:
    assume(compiles(query))
    with filled() as found:
        for step in steps:
            if rows := data.draw(strategies.records(5)):
                found.store.append(batch(rows)).result()
            if step != "neither":
                found.store.flush()
            if step == "compact":
                found.store.compact()
            check(found, query, start_ns, end_ns)
            check(found, query, None, None)


def check(found: Filled, query: ast.Query, start_ns: int | None, end_ns: int | None) -> None:
    """Twice, since a question is remembered in parts when it comes again."""
    within = [
        row
        for row in found.records()
        if (start_ns is None or row["time"] >= start_ns) and (end_ns is None or row["time"] < end_ns)
    ]
    expected = evaluator.answer(query, within)
    shorter, own_rows = split_limit(query)
    for limit in ALL_ROWS:
        request = Request("", start_ns, end_ns, limit, now_ns=strategies.NOW_NS)
        with run_parsed(found.store, found.engine, shorter, own_rows, request) as answer:
            assert tuple(column.name for column in answer.columns) == expected.names, format(query)
            rows = values(answer)
        assert len(rows) == len(expected.rows), format(query)
        for got, wanted in zip(rows, expected.rows, strict=True):
            assert all(map(same, got, wanted)), (format(query), got, wanted)


# What is read again, and what is not

QUERIES = (
    "* | stats count() as n by bucket(1h), stream",
    "stream=stderr | top 3 pod",
    "status:* | stats avg(status) as a, min(user) as u, max(time) as t, count_distinct(status) as d by severity",
    "status:* | stats median(status) as m, p99(status) as p, avg(status) as a, count() as n by severity, bucket(1h)",
    "timeout | stats count() as n",
    'message=~"reset [0-9]*5" | stats count() as n',
    "namespace!=shop | stats sum(status) as s by namespace | where s > 0 | limit 5",
)


@pytest.fixture
def days() -> Iterator[Filled]:
    """Records of five hours, in a segment or more each hour, and none in the buffer."""
    with filled() as found:
        by_time = sorted(random_records(3_000, seed=11, hours=5), key=lambda row: row["time"])
        for _, of_hour in groupby(by_time, key=lambda row: row["time"] // (3_600 * S_NS)):
            append(found.store, list(of_hour))
            found.store.flush()
        yield found


def ask(found: Filled, text: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with run(found.store, found.engine, Request(text, **parameters)) as answer:
        return values(answer)


def fresh(found: Filled, text: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The answer where nothing is remembered."""
    engine = Engine(found.store.path / "segments", found.store.path / "spill-2", secret=found.store.catalog.secret())
    with contextlib.closing(engine), run(found.store, engine, Request(text, **parameters)) as answer:
        return values(answer)


def alike(left: list[tuple[Any, ...]], right: list[tuple[Any, ...]]) -> bool:
    return len(left) == len(right) and all(all(map(same, *rows)) for rows in zip(left, right, strict=True))


def grow(found: Filled) -> None:
    row = record(START_NS + 60 * S_NS, "timeout reset 15", stream="stderr", namespace="late", attributes={"status": 7})
    append(found.store, [row])


def damage(found: Filled) -> None:
    """Makes all segments that there are unreadable."""
    with found.store.snapshot() as snapshot:
        for segment in snapshot.segments:
            segment.path.write_bytes(b"not to be read")


@pytest.mark.parametrize("text", QUERIES)
def test_a_question_that_comes_again_reads_no_segment_twice(days: Filled, text: str) -> None:
    for _ in range(2):
        ask(days, text)
        grow(days)
    wanted = fresh(days, text)
    damage(days)
    assert alike(ask(days, text), wanted)


def test_a_new_segment_alone_is_read(days: Filled) -> None:
    for _ in range(2):
        ask(days, QUERIES[0])
        grow(days)
    damage(days)
    days.store.flush()
    with days.store.snapshot() as snapshot:
        new = snapshot.segments[-1].path
    grow(days)
    first = ask(days, QUERIES[0])
    new.write_bytes(b"not to be read")
    grow(days)
    second = ask(days, QUERIES[0])
    hour = START_NS // (3_600 * S_NS) * 3_600 * S_NS
    late = [n for rows in (first, second) for time_ns, stream, n in rows if (time_ns, stream) == (hour, "stderr")]
    assert late[1] == late[0] + 1


def test_a_range_that_moves_reads_what_it_cuts(days: Filled) -> None:
    text = QUERIES[0]
    span_ns = 3 * 3_600 * S_NS
    for minutes in (20, 30):
        ask(days, text, start_ns=START_NS + minutes * 60 * S_NS, end_ns=START_NS + minutes * 60 * S_NS + span_ns)
    before = days.remembered()
    start_ns = START_NS + 40 * 60 * S_NS
    found = ask(days, text, start_ns=start_ns, end_ns=start_ns + span_ns)
    assert found == fresh(days, text, start_ns=start_ns, end_ns=start_ns + span_ns)
    assert days.remembered() - before == 2 * 4, "two whole hours of four partitions"
    in_text = f'time>="{start_ns}" time<"{start_ns + span_ns}" | stats count() as n by bucket(1h), stream'
    assert ask(days, in_text, limit=ALL_ROWS[1]) == found
    assert days.remembered() - before == 2 * 2 * 4, "a range that the query says is none of the question either"


def test_records_after_a_number_are_not_counted_among_those_before_it(days: Filled) -> None:
    with days.store.snapshot() as snapshot:
        middle = snapshot.last_seq - 1_000
    text = "* | stats count() as n by stream"
    whole = [ask(days, text, limit=limit) for limit in ALL_ROWS]
    assert whole[0] == whole[1]
    assert sum(n for _, n in ask(days, text, up_to_seq=middle)) == 2_000
    assert ask(days, text, limit=50_000) == whole[0]


@pytest.mark.parametrize("text", QUERIES)
def test_segments_that_were_merged_are_read_anew(days: Filled, text: str) -> None:
    for step in ("grow", "flush", "grow", "flush", "compact", "grow", "compact"):
        {"grow": lambda: grow(days), "flush": days.store.flush, "compact": days.store.compact}[step]()
        assert alike(ask(days, text), fresh(days, text)), step


def test_parts_that_are_nearly_as_many_as_records_are_not_remembered(store: Store, engine: Engine) -> None:
    append(store, [record(START_NS + i, f"line {i}", severity=["info", "warn"][i % 2]) for i in range(2_000)])
    store.flush()
    found = Filled(store, engine)
    for n in range(3):
        assert ask(found, "* | stats count_distinct(message) as n, count() as all") == [(2_000 + (n > 0), 2_000 + n)]
        assert ask(found, "* | stats count_distinct(severity) as n, count() as all") == [(2, 2_000 + n)]
        append(store, [record(START_NS, "late")])
    assert found.remembered() == 1, "the one segment, of the second question"


def test_many_who_ask_at_once_while_segments_come_and_go_see_every_record_once(days: Filled) -> None:
    text = "* | stats count() as n, count(status) as s by stream"

    def totals(limit: int) -> list[int]:
        return [sum(n for _, n, _ in ask(days, text, limit=limit + step)) for step in range(12)]

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(totals, limit) for limit in (1_000, 2_000, 3_000)]
        for _ in range(6):
            grow(days)
            days.store.flush()
            days.store.compact()
        seen = [one.result() for one in asking]
    for counts in seen:
        assert counts == sorted(counts)
        assert counts[0] >= 3_000
    assert alike(ask(days, text), fresh(days, text))
    assert sum(n for _, n, _ in ask(days, text)) == 3_006
    assert days.remembered() > 0


# Bounds


def made(segments: list[int], rows: int) -> pa.Table:
    return pa.table({"segment": pa.array(segments * rows, pa.int64()), "p0": pa.array(range(len(segments) * rows))})


def ids(*numbers: int) -> Ints:
    return np.array(numbers, np.int64)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ALL_MAX_BYTES", 20_000)
    monkeypatch.setattr(parts, "QUESTION_MAX_BYTES", 8_000)
    memory = parts.Parts()
    for question in (bytes([number]) for number in range(20)):
        memory.recall(question, ids(1))
        memory.note(question, [1], made([1], 200), ids(1))
        assert memory.readings()["query_parts_bytes"] <= 20_000
    assert memory.recall(bytes([19]), ids(1)).known.tolist() == [1]
    assert memory.recall(bytes([0]), ids(1)).state is parts.State.NEW, "the one that was asked longest ago went first"
    memory.note(bytes([19]), [2], made([2], 1_000), ids(1, 2))
    assert memory.recall(bytes([19]), ids(1)).state is parts.State.LARGE


def test_a_part_that_two_found_at_once_counts_once() -> None:
    memory = parts.Parts()
    memory.note(b"question", [1, 2], made([1, 2], 10), ids(1, 2, 3))
    memory.note(b"question", [2, 3], made([2, 3], 10), ids(1, 2, 3))
    found = memory.recall(b"question", ids(1, 2, 3))
    assert found.known.tolist() == [1, 2, 3]
    assert found.parts is not None
    assert found.parts.num_rows == 30


def test_segments_that_are_gone_are_forgotten_with_the_next_that_come() -> None:
    memory = parts.Parts()
    memory.note(b"question", [1, 2], made([1, 2], 100), ids(1, 2))
    size = memory.readings()["query_parts_bytes"]
    memory.note(b"question", [3], made([3], 100), ids(2, 3))
    found = memory.recall(b"question", ids(1, 2, 3))
    assert found.known.tolist() == [2, 3]
    assert found.parts is not None
    assert found.parts.num_rows == 200
    assert memory.readings()["query_parts_bytes"] == size
    some = memory.recall(b"question", ids(3, 4))
    assert some.known.tolist() == [3]
    assert some.parts is not None
    assert some.parts.num_rows == 100
