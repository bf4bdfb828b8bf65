"""Segments in which a search found nothing are not read by one that asks for more, and no answer changes for that."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from tests.execution.records import S_NS, START_NS, append, record

PARTS = 8
CONDITIONS = (
    "message=~`r[ae]re`",
    "message=~`e.*a`",
    "status=500",
    "status>=404",
    "not user=ann",
    'message*="are"',
    "pod=web-1",
    "(status=200 or message=~`rare$`)",
    "time>2026-01-01T00:00:40Z",
    "(time<2026-01-01T00:00:30Z or status=500)",
)
PIPES = (
    "",
    " | fields message",
    " | stats count() as n by pod | sort by pod",
    " | extend x=status | where x>0",
    " | top 3 user",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data", StoreSettings(flush_age_s=3_600, compact_interval_s=3_600)) as opened:
        chance = random.Random(11)
        for part in range(PARTS):
            append(opened, [_record(chance, part) for _ in range(12)])
            if part < PARTS - 1:
                opened.flush()
        yield opened


def _record(chance: random.Random, part: int) -> dict[str, Any]:
    """Some parts have nothing of what others have."""
    words = (("common",), ("common", "a rare"), ("rere one", "pear"))[part % 3]
    return record(
        START_NS + (part * 10 + chance.randrange(14)) * S_NS,
        f"{chance.choice(words)} {chance.choice(('', 'rare'))}" if part == 4 else chance.choice(words),
        namespace=chance.choice(("shop", "bank")),
        pod=f"web-{part % 2}",
        attributes={"status": chance.choice((200, 404, 500)[: 1 + part % 3]), "user": chance.choice(("ann", "bob"))},
    )


def lines(store: Store, engine: Engine, request: Request) -> list[dict[str, Any]]:
    with run(store, engine, request) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


def nothing_matched(store: Store, engine: Engine, text: str) -> int:
    skipped = explain(store, engine, Request(text))["segments"]["skipped"]  # type: ignore[index]
    return int(skipped.get("nothing_matched", 0))


@pytest.fixture
def fresh(store: Store) -> Iterator[Engine]:
    """One that has answered nothing yet."""
    engine = Engine(store.path / "segments", store.path / "spill-fresh", secret=store.catalog.secret())
    yield engine
    engine.close()


@pytest.mark.parametrize("seed", range(2))
def test_no_answer_changes(
    store: Store, engine: Engine, fresh: Engine, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query.merging.PARTS_MAX_SHARE", 1.0)
    chance = random.Random(seed)
    skipped = 0
    for step in range(60):
        conditions = chance.sample(CONDITIONS, chance.randint(1, 3))
        request = Request(
            " ".join(conditions) + chance.choice(PIPES),
            start_ns=chance.choice((None, START_NS + 25 * S_NS)),
            end_ns=chance.choice((None, START_NS + 55 * S_NS)),
            limit=chance.choice((None, 0, 1, 3, 1_000 + step)),
            order=chance.choice(("asc", "desc")),
        )
        before = engine.misses.readings()["query_misses_skipped"]
        monkeypatch.setattr(fresh, "misses", type(fresh.misses)())
        assert lines(store, engine, request) == lines(store, fresh, request), request
        skipped += int(engine.misses.readings()["query_misses_skipped"] - before)
        if step % 20 == 10:
            append(store, [_record(chance, chance.randrange(PARTS))])
            store.flush()
        if step == 40:
            store.compact()
    assert skipped > 0


def test_a_search_that_adds_to_one_reads_less(store: Store, engine: Engine) -> None:
    search = "message=~`r[ae]re`"
    assert nothing_matched(store, engine, search) == 0
    found = lines(store, engine, Request(f"{search} | fields message", limit=0))
    assert found
    left_out = nothing_matched(store, engine, search)
    assert 0 < left_out < PARTS - 1
    assert nothing_matched(store, engine, f"{search} status=200 | stats count()") == left_out
    assert nothing_matched(store, engine, f"{search} | stats count() by bucket(1m)") == left_out
    assert nothing_matched(store, engine, "message=~`r[ae]r`") == 0
    assert nothing_matched(store, engine, f"{search} or status=200") == 0


def test_a_page_tells_of_what_comes_before_its_end_alone(store: Store, engine: Engine) -> None:
    search = "message=~`rere`"
    lines(store, engine, Request(search, limit=1))
    newest = nothing_matched(store, engine, search)
    lines(store, engine, Request(search, limit=1_000))
    assert 0 <= newest < nothing_matched(store, engine, search)


def test_what_depends_on_when_it_is_asked_is_not_noted(store: Store, engine: Engine) -> None:
    search = "(time<-15m or message=~`nowhere`) message=~`nowhere`"
    lines(store, engine, Request(search, limit=0))
    assert engine.misses.readings()["query_misses_segments"] == 0


def test_it_is_bounded(store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("query.misses.SEGMENTS_MAX", 20)
    for word in ("one", "two", "three"):
        lines(store, engine, Request(f"message=~`no{word}`", limit=0))
        assert 0 < engine.misses.readings()["query_misses_segments"] <= 20
