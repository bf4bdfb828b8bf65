"""Fields that equal a number: the filters of words leave out row groups, and no record that the number equals, however
that is written in it, wherever it stands, and whatever became of its segment."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstore import index
from logstore.settings import StoreSettings
from logstore.store import Store
from logstore.tokens import LARGE
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.misses import Misses
from query.parser import parse
from query.remembered import Answers
from query.request import Request
from tests.execution.records import S_NS, START_NS, record
from tests.execution.test_states import batch, buffered
from tests.numerals import is_json, numerals
from tests.reference import evaluator
from tests.reference.tokens import digits

NAMES = ("id", "event.id", "attributes.event.id", "ids", "trace_id")
FORMS = (
    '{{"id":{}}}',
    '{{"event":{{"id":{},"x":1}}}}',
    '{{"x":"y","event.id":{}}}',
    '{{"ids":[0,{}]}}',
    '{{"trace_id":{}}}',
)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Store, Engine]]:
    quiet = StoreSettings(
        row_group_rows=2, compact_files=2, join_files=2, compact_interval_s=3_600, flush_age_s=3_600, column_rows=1
    )
    with Store.open(path, quiet) as store:
        engine = Engine(path / "segments", path / "spill", secret=store.catalog.secret())
        yield store, engine
        engine.close()


def seqs(store: Store, engine: Engine, query: str) -> set[int]:
    engine.answers, engine.misses = Answers(), Misses()
    with run(store, engine, Request(f"{query} | fields _seq", limit=0)) as answer:
        return {seq for batch in answer.batches() for seq in batch.column(0).to_pylist()}


def skipped(store: Store, engine: Engine, query: str) -> int:
    """Row groups that the filters leave out."""
    engine.answers, engine.misses = Answers(), Misses()
    told = {stage["stage"]: stage for stage in explain(store, engine, Request(query))["stages"]}
    return int(sum(told["words"]["skipped"].values()))


Value: TypeAlias = tuple[str, str, bool, bool]
values = st.tuples(st.sampled_from(FORMS), numerals(), st.booleans(), st.booleans())


def records(drawn: Sequence[Value]) -> list[dict[str, Any]]:
    """Of each value a record, which has it as a number if that can be, pushed or in its message."""
    made = []
    for at, (form, numeral, is_text, is_pushed) in enumerate(drawn):
        text = form.format(json.dumps(numeral) if is_text or not is_json(numeral) else numeral)
        message, attributes = ("-", text) if is_pushed else (text, None)
        made.append(record(START_NS + at * S_NS, message, attributes=attributes))
    return made


def check(store: Store, engine: Engine, expected: dict[str, set[int]], state: str) -> None:
    for query, found in expected.items():
        assert seqs(store, engine, query) == found, (query, state)


def rebuild(store: Store) -> None:
    """All indexes, from the segments alone."""
    segments = store.snapshot().segments
    for segment in segments:
        store._segments.rebuild_index(segment)
    store.indexes.forget(list(segments))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(values, min_size=1, max_size=10), numerals(), st.data())
def test_what_equals_a_number_is_found_however_it_is_written(
    drawn: list[Value], other: str, data: st.DataObject
) -> None:
    literals = {other} | {literal for _, numeral, *_ in drawn for literal in (numeral, *digits(numeral) - {LARGE})}
    with TemporaryDirectory() as directory, opened(Path(directory)) as (store, engine):
        store.append(batch(records(drawn))).result()
        known = buffered(store)
        expected = {}
        for literal in sorted(literals):
            query = f"{data.draw(st.sampled_from(NAMES))}={literal}"
            parsed = parse(f"{query} | fields _seq", START_NS)
            expected[query] = {seq for (seq,) in evaluator.answer(parsed, known).rows}
        check(store, engine, expected, "in memory")
        store.flush()
        check(store, engine, expected, "in a segment")
        rebuild(store)
        check(store, engine, expected, "with an index that was built again")
        store.append(batch([record(START_NS, f"{at}") for at in range(3)])).result()
        store.flush()
        store.compact()
        check(store, engine, expected, "compacted")


WRITTEN = ("4711", "4.711e3", '"04711"', '"4711.00"', "-4711", "47110e-1", '"x"', "[4711]")


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Store, Engine]]:
    """Each spelling in a row group of its own, among those of other numbers."""
    with opened(tmp_path / "data") as (store, engine):
        texts = [
            f'{{"id":{written}}}' for number in WRITTEN for written in (number, f'"y{number[-2:-1]}"', "17", "1.5e2")
        ]
        store.append(batch([record(START_NS + at * S_NS, text) for at, text in enumerate(texts)])).result()
        store.flush()
        yield store, engine


def test_filters_leave_out_what_no_number_of_equals(filled: tuple[Store, Engine]) -> None:
    store, engine = filled
    assert seqs(store, engine, "id=4711") == {0, 4, 8, 12, 20}
    assert skipped(store, engine, "id=4711") == 16 - 7, "all but those of 4711, however written, -4711 and [4711]"
    assert skipped(store, engine, "id=150") == 8
    assert skipped(store, engine, "id=99") == skipped(store, engine, "id=12345678901234567890") == 16
    assert skipped(store, engine, "id=4711.5") == skipped(store, engine, "id=0") == 0


def test_indexes_of_before_leave_out_nothing_by_numbers(
    filled: tuple[Store, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their filters have numbers as they are written: these here have nothing at all."""
    store, engine = filled
    (segment,) = store.snapshot().segments
    (built,) = store.indexes.load([segment]) or []
    nothing = replace(built, filter_offsets=np.zeros_like(built.filter_offsets), filters=built.filters[:0])
    with monkeypatch.context() as patch:
        patch.setattr(index, "VERSION", 2)
        patch.setattr(index, "_FACTS", tuple(name for name in index._FACTS if name != "filter_versions"))
        store.directory.write_index(segment.path, index.encode(nothing))
    store.indexes.forget([segment])
    assert seqs(store, engine, "id=4711") == {0, 4, 8, 12, 20}
    assert skipped(store, engine, "id=4711") == 0
    assert seqs(store, engine, 'id="4711"') == set()
    store.append(
        batch([record(START_NS + at * S_NS, '{"id":4.711e3}' if at < 2 else "-") for at in range(32)])
    ).result()
    store.flush()
    assert store.compact() == 1, "they are joined"
    assert seqs(store, engine, "id=4711") == {0, 4, 8, 12, 20, 32, 33}
    assert skipped(store, engine, "id=4711") == 15
