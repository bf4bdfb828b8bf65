"""Words that few records have: their rows need no SQL, and are those of a reading of every record."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from tests.execution.records import S_NS, START_NS, Record, append, in_order, record

PARTS = 20
KELVIN = "the sign of Kelvin in {}"
"""In lower case it is a `k` of ASCII."""
JSON = '{"id": "{}", "of": "an object"}'
"""Of a buffered record its attributes are not kept twice."""
FORMS = (
    "request {} done",
    "Request {} failed",
    "{}",
    "x{}y",
    "{}_a and {}-a",
    "at {}: größe",
    "{}x",
    "é{}",
    KELVIN,
    JSON,
)


def records() -> list[Record]:
    """Each form of a few ids a part; a later part has some from before too."""
    return [
        record(
            START_NS + (part * 10 + place) * S_NS,
            form.replace("{}", _id(part, place, "\u212a" if form is KELVIN else "k")),
            namespace=("shop", "bank")[place % 2],
            pod=f"web-{part % 2}",
            attributes={"status": 200 + place} if form is not JSON else None,
        )
        for part in range(PARTS)
        for place, form in enumerate(FORMS)
    ]


def _id(part: int, place: int, k: str) -> str:
    return f"{'H' if place % 2 else 'h'}{part - part % 3}{k}{place % 3}"


@pytest.fixture(scope="module", params=["all in segments", "the last in the buffer"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600)
    everything = records()
    with Store.open(tmp_path_factory.mktemp("few") / "data", settings) as opened:
        for part in range(PARTS):
            append(opened, everything[part * len(FORMS) : (part + 1) * len(FORMS)])
            if part < PARTS - 1 or request.param.startswith("all"):
                opened.flush()
        yield opened


@pytest.fixture(scope="module")
def engine(store: Store) -> Iterator[Engine]:
    opened = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _rare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("query.reading.RARE_TIMES", 0)


def lines(store: Store, engine: Engine, text: str, **parameters: Any) -> list[dict[str, Any]]:
    with run(store, engine, Request(text, **parameters)) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


def is_direct(store: Store, engine: Engine, text: str, **parameters: Any) -> bool:
    told = explain(store, engine, Request(text, **parameters), analyze=True)["analyze"]
    return bool(told["slices"] == {"all": 1, "read": 1, "narrowed": 0, "direct": 1, "halved": 0})


def has_words(message: str, pattern: str) -> bool:
    return re.search(rf"(?i)(?<!\w){pattern}", message) is not None


@pytest.mark.parametrize(
    ("query", "pattern", "others"),
    [
        ("h3k0", r"h3k0(?!\w)", {}),
        ("H3K1", r"h3k1(?!\w)", {}),
        ("h18k0", r"h18k0(?!\w)", {}),
        ("h6k*", r"h6k", {}),
        ('"request h9k0 done"', r"request h9k0 done(?!\w)", {}),
        ("h9k1 failed", r"h9k1 failed(?!\w)", {}),
        ("h9k0 namespace=shop", r"h9k0(?!\w)", {"namespace": "shop"}),
        ("h9k1 namespace=bank pod=web-1", r"h9k1(?!\w)", {"namespace": "bank", "pod": "web-1"}),
        ("h77k0", r"h77k0(?!\w)", {}),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_they_are_found_wherever_they_are(
    store: Store, engine: Engine, query: str, pattern: str, others: dict[str, str], order: Any
) -> None:
    for start_s, end_s in ((0, 10_000), (40, 145)):
        found = [
            one["message"]
            for one in in_order(records(), order)
            if has_words(one["message"], pattern)
            and others.items() <= one.items()
            and START_NS + start_s * S_NS <= one["time"] < START_NS + end_s * S_NS
        ]
        bounds = {} if not start_s else {"start_ns": START_NS + start_s * S_NS, "end_ns": START_NS + end_s * S_NS}
        for limit in (0, 2):
            told = lines(store, engine, f"{query} | fields message", order=order, limit=limit, **bounds)
            assert [one["message"] for one in told] == found[: limit or None], (limit, bounds)


def test_pages_follow_each_other(store: Store, engine: Engine) -> None:
    whole = lines(store, engine, "h9k0 | fields message", limit=0)
    with run(store, engine, Request("h9k0 | fields message", limit=None)) as answer:
        assert [batch.num_rows for batch in answer.batches()] == [len(whole)]
        assert not answer.end.truncated


@pytest.mark.parametrize("words", ["h12k1", "h18k0 object", "h12k0 object"])
@pytest.mark.parametrize("fields", ["", " | fields attributes, severity, message", " | fields time, attributes"])
def test_records_are_told_as_sql_tells_them(store: Store, engine: Engine, words: str, fields: str) -> None:
    by_sql = lines(store, engine, f"{words} pod:*{fields}")
    assert by_sql and all("attributes" in one for one in by_sql)
    assert lines(store, engine, f"{words}{fields}") == by_sql


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("h3k1", True),
        ("h3k1 | fields message, pod", True),
        ("h3k1 failed namespace=bank", True),
        ("h3k1 or h3k2", False),
        ("h3k1 status>=200", False),
        ("h3k1 | fields status", False),
        ("h3k1 | stats count()", False),
        ("h3k2 größe", False),
    ],
)
def test_words_alone_need_no_sql(store: Store, engine: Engine, query: str, expected: bool) -> None:
    assert lines(store, engine, query)
    assert is_direct(store, engine, query) is expected


def test_many_buffered_records_are_left_to_sql(store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    few = lines(store, engine, "h18k1 | fields message")
    assert len(few) > 2
    monkeypatch.setattr("query.few.BUFFERED_MAX", 1)
    assert is_direct(store, engine, "h18k1 | fields message, time") is (store.buffer.bytes == 0)
    assert [one["message"] for one in lines(store, engine, "h18k1 | fields message, time")] == [
        one["message"] for one in few
    ]
