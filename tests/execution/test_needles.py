"""A needle: what it reads of the indexes does not grow with the store."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.request import Request
from tests.execution.records import S_NS, START_NS, append, record

SEGMENTS = 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """One whose memory holds one index at a time."""
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, index_cache_bytes=1)
    with Store.open(tmp_path / "data", settings) as opened:
        for number in range(SEGMENTS):
            append(opened, [record(START_NS + number * S_NS, f"request h{number}x{row} done") for row in range(50)])
            opened.flush()
        yield opened


def asked(store: Store, engine: Engine, text: str) -> tuple[list[str], int]:
    """The messages that are found, and how many indexes were loaded for them."""
    before = store.indexes.readings()["index_loads"]
    with run(store, engine, Request(f"{text} | fields message")) as answer:
        found = [json.loads(line)["message"] for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]
    return found, int(store.indexes.readings()["index_loads"] - before)


def test_only_the_indexes_of_segments_that_may_have_it_are_loaded(store: Store, engine: Engine) -> None:
    for number in (3, 5, 9, 5):
        found, loads = asked(store, engine, f"h{number}x1")
        assert found == [f"request h{number}x1 done"] and loads <= 3


def test_segments_that_are_gone_are_forgotten(store: Store, engine: Engine) -> None:
    asked(store, engine, "h3x7")
    store.compact()
    assert asked(store, engine, "h3x7")[0] == ["request h3x7 done"]
    assert asked(store, engine, "h99x7")[0] == []
    everything, _ = asked(store, engine, "request")
    assert len(everything) == SEGMENTS * 50
