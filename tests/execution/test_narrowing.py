"""A bounded answer in time order is the beginning of the whole one, however few records are put together for it."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.misses import Misses
from query.remembered import Answers
from query.request import Request
from tests.execution.records import S_NS, START_NS, append, record

QUERIES = (
    "*",
    "error",
    "error | fields message",
    "failed request | fields message, status",
    '"request failed"',
    "error status>=500 | fields message",
    "error namespace=shop",
    "err* request",
    "ünknown",
    "severity=error namespace=shop",
    "error pod=web-1 | fields pod, message",
    "not ok | fields message",
    "error or slow",
    "error | where status=500 | fields message",
    "error | extend twice = status * 2 | where twice > 800 | fields twice",
    "h1n7 | fields message",
    "nowhere",
)


@pytest.fixture(autouse=True, params=["as few records are read", "as many records are read"])
def _thresholds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param.startswith("as many"):
        monkeypatch.setattr("query.narrowing.TIMES_BYTES", 0)
        monkeypatch.setattr("logstore.segment.AT_ONCE_ROWS", 0)


@contextmanager
def filled(data: Path) -> Iterator[Store]:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, row_group_rows=64)
    with Store.open(data, settings) as opened:
        chance = random.Random(7)
        for part in range(6):
            append(opened, [_record(chance, part) for _ in range(300)])
            if part < 5:
                opened.flush()
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with filled(tmp_path / "data") as opened:
        yield opened


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Engine]]:
    """One that nothing is added to, and an engine over it."""
    with filled(tmp_path_factory.mktemp("kept") / "data") as opened:
        engine = Engine(opened.path / "segments", opened.path / "spill", secret=opened.catalog.secret())
        yield opened, engine
        engine.close()


def _record(chance: random.Random, part: int) -> dict[str, Any]:
    number = chance.randrange(20)
    if chance.randrange(5) == 0:
        text = json.dumps({"level": "error", "msg": chance.choice(("request failed", "Ünknown Error")), "status": 500})
        return record(START_NS + (part * 60 + chance.randrange(90)) * S_NS, text, pod=f"web-{number % 3}")
    text = ("error: request failed", "ok", "request took long and was slow", f"error h1n{number}")[chance.randrange(4)]
    return record(
        START_NS + (part * 60 + chance.randrange(90)) * S_NS,
        f"{text} after {chance.randrange(99)} ms",
        namespace=chance.choice(("shop", "bank", "ops")),
        pod=f"web-{number % 3}",
        attributes={"status": chance.choice((200, 404, 500, 503))},
    )


def lines(store: Store, engine: Engine, text: str, **parameters: Any) -> list[dict[str, Any]]:
    with run(store, engine, Request(text, **parameters)) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("is_held", [True, False])
def test_the_first_records_are_those_of_the_whole_answer(
    kept: tuple[Store, Engine], query: str, order: Any, is_held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_held:  # row groups are read one after the other
        monkeypatch.setattr("query.picking.PICKED_MAX_BYTES", 0)
        monkeypatch.setattr("query.picking.STEP_BYTES", 1)
    store, engine = kept
    engine.answers, engine.misses = Answers(), Misses()
    for start_s, end_s in ((None, None), (70, 200)):
        bounds = {
            "start_ns": None if start_s is None else START_NS + start_s * S_NS,
            "end_ns": None if end_s is None else START_NS + end_s * S_NS,
        }
        whole = lines(store, engine, query, limit=0, order=order, **bounds)
        for limit in (7, 120):
            assert lines(store, engine, query, limit=limit, order=order, **bounds) == whole[:limit], (limit, bounds)


@pytest.mark.parametrize(
    ("query", "is_direct"),
    [
        ("*", True),
        ("error", True),
        ("error namespace=shop pod=web-1", True),
        ("error | fields time, pod, message", True),
        ("error | fields trace_id", False),
        ("error status>=500", False),
        ("h1n7", False),
    ],
)
def test_what_is_decided_without_reading_messages_needs_no_sql(
    store: Store, engine: Engine, query: str, is_direct: bool
) -> None:
    store.flush()
    slices = explain(store, engine, Request(query, limit=50), analyze=True)["analyze"]["slices"]
    assert slices["direct"] == (slices["read"] if is_direct else 0)


def test_buffered_records_are_among_those_of_the_files(store: Store, engine: Engine) -> None:
    old, new = START_NS + 30 * S_NS, START_NS + 10_000 * S_NS
    append(store, [record(old, "error: late"), record(new, "error: new")])
    newest = lines(store, engine, "error | fields message", limit=5)
    assert newest[0] == {"message": "error: new"}
    within = {"start_ns": old, "end_ns": old + 1}
    assert {"message": "error: late"} in lines(store, engine, "error | fields message", limit=500, **within)
    told = explain(store, engine, Request("error", limit=500, **within), analyze=True)
    assert told["analyze"]["slices"]["direct"] == told["analyze"]["slices"]["read"]


def test_where_templates_are_certain_only_the_end_is_put_together(
    store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query.narrowing.TIMES_BYTES", 0)
    store.flush()
    told = explain(store, engine, Request("error | fields message", limit=10), analyze=True)
    everything = explain(store, engine, Request("error | fields message", limit=0), analyze=True)
    assert told["analyze"]["slices"]["narrowed"] >= 1
    assert told["analyze"]["row_groups"] < everything["analyze"]["row_groups"] / 4


def test_the_newest_of_everything_needs_the_row_groups_at_its_end_alone(
    store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query.slices.FIRST_BYTES", 0)
    store.compact()
    store.flush()
    told = explain(store, engine, Request("* | fields message", limit=10), analyze=True)
    everything = explain(store, engine, Request("* | fields message", limit=0), analyze=True)
    assert told["analyze"]["bytes"] < everything["analyze"]["bytes"] / 5


@pytest.mark.parametrize("matching", [0, 1])
def test_what_is_looked_through_is_not_read_again_for_few_that_match(
    store: Store, engine: Engine, matching: int
) -> None:
    for _ in range(matching):
        append(store, [record(START_NS + 30 * S_NS, "ok after 10007 ms")])
    store.flush()
    few, everything = (
        explain(store, engine, Request("message=~`after 100+7 ms`", limit=limit), analyze=True)["analyze"]
        for limit in (7, 0)
    )
    assert few["rows"] == everything["rows"] == matching
    assert few["slices"]["narrowed"] == few["slices"]["all"] == 1
    assert few["row_groups"] <= everything["row_groups"] + 12 * matching


@pytest.mark.parametrize("query", ["scarce", "pod=lone"])
def test_a_slice_is_as_long_as_it_takes_for_enough_to_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """By what templates and streams tell, not as if every record matched."""
    monkeypatch.setattr("query.slices.FIRST_BYTES", 0)
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, row_group_rows=64)
    with Store.open(tmp_path / "data", settings) as opened:
        rare = [(at % 40 == 0) for at in range(4_000)]
        append(
            opened,
            [
                record(START_NS + at * S_NS, "scarce thing" if is_rare else "plenty", pod="lone" if is_rare else "many")
                for at, is_rare in enumerate(rare)
            ],
        )
        opened.flush()
        engine = Engine(opened.path / "segments", opened.path / "spill", secret=opened.catalog.secret())
        told = explain(opened, engine, Request(query, limit=50), analyze=True)["analyze"]
        engine.close()
    assert told["rows"] == 50
    assert told["slices"]["read"] <= 2


def test_slices_of_which_all_that_match_are_wanted_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first one, before which nothing is known."""
    monkeypatch.setattr("query.slices.FIRST_BYTES", 20_000)
    monkeypatch.setattr("query.narrowing.WORTH", 0)
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, row_group_rows=64, column_rows=1)
    with Store.open(tmp_path / "data", settings) as opened:
        lines = [f'{{"user":"u{at % 40}","n":{at}}}' for at in range(4_000)]
        append(opened, [record(START_NS + at * S_NS, line) for at, line in enumerate(lines)])
        opened.flush()
        engine = Engine(opened.path / "segments", opened.path / "spill", secret=opened.catalog.secret())
        all_that_match, few = (
            explain(opened, engine, Request("user=u7", limit=limit), analyze=True)["analyze"] for limit in (400, 20)
        )
        engine.close()
    assert all_that_match["rows"] == 100
    assert all_that_match["slices"]["read"] >= 3
    assert all_that_match["slices"]["narrowed"] == 1
    assert few["slices"]["narrowed"] == few["slices"]["read"] > 1
