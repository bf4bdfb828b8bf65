"""Footers that are read before a question needs them: those of segments that stay, as long as there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.engine import Engine
from query.execute import run
from query.footers import Footers
from query.request import Request
from tests.execution.records import START_NS, append, record

NAMESPACES = 6


@pytest.fixture
def engine(settled: Store) -> Iterator[Engine]:
    engine = Engine(settled.directory.segments, settled.directory.root / "spill", secret=settled.catalog.secret())
    yield engine
    engine.close()


@pytest.fixture
def settled(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, StoreSettings(compact_settle_s=0.0, compact_interval_s=3_600.0)) as store:
        _fill(store)
        yield store


def _fill(store: Store) -> None:
    for number in range(NAMESPACES):
        append(store, [record(START_NS + number, "x", namespace=f"n{number}")] * 2)
    store.flush()


def _kept(engine: Engine) -> float:
    return engine.readings()["query_footers"]


def test_footers_of_segments_that_are_there_for_the_second_time_are_read(settled: Store, engine: Engine) -> None:
    footers = Footers(settled, engine)
    footers.look()
    assert _kept(engine) == 0
    footers.look()
    assert _kept(engine) == NAMESPACES


def test_segments_that_come_are_read_too_and_others_not_again(settled: Store, engine: Engine) -> None:
    footers = Footers(settled, engine)
    for _ in range(3):
        footers.look()
    _fill(settled)
    footers.look()
    assert _kept(engine) == NAMESPACES
    footers.look()
    assert _kept(engine) == 2 * NAMESPACES
    with run(settled, engine, Request("* | stats count() as n, max(_seq) as m")) as answer:
        assert [batch.to_pylist()[0]["n"] for batch in answer.batches()] == [4 * NAMESPACES]


def test_segments_that_may_be_merged_soon_are_not_read(tmp_path: Path) -> None:
    with Store.open(tmp_path, StoreSettings(compact_settle_s=60.0)) as store:
        _fill(store)
        engine = Engine(store.directory.segments, tmp_path / "spill", secret=store.catalog.secret())
        footers = Footers(store, engine)
        footers.look()
        footers.look()
        assert _kept(engine) == 0
        engine.close()


def test_the_newest_are_read_as_long_as_there_is_room(
    settled: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query.instance.KEPT_CHUNKS", 60)
    footers = Footers(settled, engine)
    footers.look()
    footers.look()
    assert 1 <= _kept(engine) <= 4


def test_a_file_that_is_gone_stops_nothing(settled: Store, engine: Engine) -> None:
    gone = next(iter(settled.directory.segments.rglob("*.parquet")))
    gone.rename(gone.with_suffix(".away"))
    footers = Footers(settled, engine)
    footers.look()
    footers.look()
    gone.with_suffix(".away").rename(gone)
    with run(settled, engine, Request("* | stats count() as n")) as answer:
        assert [batch.to_pylist() for batch in answer.batches()] == [[{"n": 2 * NAMESPACES}]]
