"""What segments' indexes count, without any record being read, is what counting the records gives: whatever the range,
wherever the records are, and whatever was joined or rewritten."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from logstore import index
from logstore.cells import CELLS_FEW, MINUTE_NS, WEIGHT, By, count
from logstore.settings import StoreSettings
from logstore.store import Store
from query import frequent, reading
from query.counting import cells_for
from query.engine import Engine
from query.execute import run
from query.parser import parse
from query.parts import Parts
from query.remembered import Answers
from query.request import Request
from tests.execution.records import S_NS, START_NS, append, random_records, record

HOUR_NS = 3_600 * S_NS
QUERIES = (
    "* | stats count() as n by bucket(1m), stream, level",
    "* | stats count() as n by bucket(1h, time)",
    'level!=error namespace="pay/ments" | stats count() as n by bucket(5m), namespace',
    "stream=stderr | top 3 pod",
    "pod:web* or container=sidecar | top 5 pod, container, severity | where count > 1 | fields pod, count",
    "* | where stream=stdout | where level in (info, warn) | stats count() as n",
    "cluster=c2 | top 2 cluster, stream",
    "pod=db-0 | stats count() as n, count() as m by severity | sort by n | limit 2",
    'time>="2026-01-01T01:30:00Z" time<"2026-01-01T05:00:00Z" | stats count() as n by bucket(30m), stream',
    "* | patterns 3",
    "* | patterns 1000",
    "error | patterns 4",
    "error not timeout | where time>=1767230000 | patterns 5 | fields example, last_time",
    "* | patterns 7 | fields pattern, share | where share > 0.001",
    "* | patterns 7 | stats max(last_time) as t, min(count) as n",
    "namespace=shop | patterns 5 | sort by example | fields pattern, first_time",
    "level=error | patterns 5",
)
RANGES = (
    (None, None, None),
    (START_NS + HOUR_NS, None, None),
    (START_NS + 7 * S_NS, START_NS + 2 * HOUR_NS + 31 * S_NS, None),
    (None, START_NS + 3 * HOUR_NS, 700),
)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Store, Engine]]:
    quiet = StoreSettings(row_group_rows=64, compact_files=2, join_files=2, compact_interval_s=3_600, flush_age_s=3_600)
    with Store.open(tmp_path / "data", quiet) as store:
        engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
        yield store, engine
        engine.close()


def lines(rows: int, seed: int) -> list[dict[str, Any]]:
    """Records of six hours whose patterns are few, in the order of time but for some; seed by seed later."""
    chance = random.Random(seed)
    made = random_records(rows, seed, hours=1)
    return [row | {"time": row["time"] + chance.choice((0, seed % 6)) * HOUR_NS} for row in made]


def answer(store: Store, engine: Engine, text: str, **asked: Any) -> list[tuple[Any, ...]]:
    with run(store, engine, Request(text, limit=0, **asked)) as found:
        table = pa.Table.from_batches(found.batches(), schema=found.schema)
    columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in table.columns]
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def check(store: Store, engine: Engine, state: str) -> None:
    for text in QUERIES:
        for start_ns, end_ns, up_to_seq in RANGES:
            asked = {"start_ns": start_ns, "end_ns": end_ns, "up_to_seq": up_to_seq}
            found = answer(store, engine, text, **asked)
            assert found == of_records(store, engine, text, **asked), (state, text, asked)


def of_records(store: Store, engine: Engine, text: str, **asked: Any) -> list[tuple[Any, ...]]:
    """The answer of the records themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "cells_for", lambda _: None)
        patch.setattr(frequent, "is_asked", lambda _: False)
        patch.setattr(engine, "answers", Answers())
        patch.setattr(engine, "parts", Parts())
        return answer(store, engine, text, **asked)


def test_answers_are_those_of_the_records(opened: tuple[Store, Engine]) -> None:
    store, engine = opened
    append(store, lines(600, seed=1))
    store.flush()
    check(store, engine, "segments")
    append(store, lines(500, seed=2))
    check(store, engine, "both")
    for seed in (3, 4):
        store.flush()
        append(store, lines(700, seed))
    store.flush()
    store.compact()
    check(store, engine, "merged")


def test_patterns_are_those_of_the_records_where_some_segments_have_no_templates(
    opened: tuple[Store, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, engine = opened
    monkeypatch.setattr(index, "TEMPLATES_ALWAYS_BYTES", 0)
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdef", k=9)) for _ in range(50)]
    prose = [" ".join(chance.choices(words, k=9)) for _ in range(300)]
    append(store, [record(START_NS + i * S_NS, text, namespace="prose") for i, text in enumerate(prose)])
    append(store, [record(START_NS + i * S_NS, "timeout of an order", namespace="order") for i in range(200)])
    store.flush()
    with store.snapshot() as snapshot:
        known, _ = store.indexes.of(list(snapshot.segments))
    assert {len(one.index.templates) for one in known if one is not None} == {0, 1}
    check(store, engine, "segments")
    append(store, lines(300, seed=2))
    check(store, engine, "both")


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("* | stats count() by bucket(5m), stream", By.TIME),
        ("level=error | stats count() by bucket(5m), level", By.TIME),
        ("* | stats count() by bucket(90s)", None),
        ("* | stats count() by time", None),
        ("pod=a | stats count() by bucket(5m)", None),
        ("stream=stderr | top 10 pod", By.CONTAINER),
        ("stream=stderr | top 10 stream", By.TIME),
        ("time>-1h | top 10 pod", By.CONTAINER),
        ('time!="2026-01-01" | top 10 pod', None),
        ("error | top 10 pod", None),
        ("status=404 | top 10 pod", None),
        ("* | stats count(pod) by stream", None),
        ("* | stats max(time) by stream", None),
        ("* | limit 5 | stats count() by stream", None),
        ("* | extend stream = message | stats count() by stream", None),
        ("* | patterns", None),
        ("*", None),
    ],
)
def test_only_what_cells_tell_is_asked_of_them(text: str, cells: By | None) -> None:
    assert cells_for(parse(text)) == cells


def test_cells_that_are_nearly_as_many_as_records_are_not_kept(opened: tuple[Store, Engine]) -> None:
    store, engine = opened
    rows = [record(START_NS + i * MINUTE_NS, "line", pod=f"pod-{i}") for i in range(CELLS_FEW + 1)]
    append(store, rows)
    store.flush()
    with store.snapshot() as snapshot:
        (known,), _ = store.indexes.of(list(snapshot.segments))
    assert known is not None
    assert known.index.cells == {}
    assert len(answer(store, engine, "* | top 1000 pod")) == len(rows)


def test_cells_have_the_minutes_of_their_records_but_no_time_before_the_first(opened: tuple[Store, Engine]) -> None:
    store, _ = opened
    append(store, [record(START_NS + after_s * S_NS, "line") for after_s in (7, 59, 60, 150, 179)])
    with store.snapshot() as snapshot:
        cells = count(snapshot.buffer.combine_chunks())[By.TIME]
    assert cells.column("time").cast(pa.int64()).to_pylist() == [START_NS + after * S_NS for after in (7, 60, 120)]
    assert cells.column(WEIGHT).to_pylist() == [2, 1, 2]


def test_indexes_of_the_version_before_are_read_and_tell_no_counts(
    opened: tuple[Store, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, engine = opened
    append(store, lines(600, seed=1))
    with monkeypatch.context() as patch:
        patch.setattr(index, "encode", _as_version_1(index.encode))
        store.flush()
    check(store, engine, "version 1")
    append(store, lines(500, seed=2))
    store.flush()
    check(store, engine, "both versions")
    store.compact()
    check(store, engine, "joined")


def _as_version_1(encode: Any) -> Any:
    def written(made: index.Index) -> bytes:
        facts = tuple(name for name in index._FACTS if name != "first_seqs")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index, "_FACTS", facts)
            patch.setattr(index, "_TEXTS", {"text": "texts"})
            patch.setattr(index, "VERSION", 1)
            content: bytes = encode(replace(made, cells={}))
            return content

    return written
