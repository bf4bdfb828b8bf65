"""Words with a digit that all messages of a template have in a segment: phrases with them need no reading, and answers
are those of every record, whatever other segments have there and whatever became of the segments."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logstore import index
from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.misses import Misses
from query.parts import Parts
from query.remembered import Answers
from query.request import Request
from tests.execution.records import S_NS, START_NS, Record, append, record

ROWS = 160

CONDITIONS: dict[str, Callable[[str], bool]] = {
    '"GET /api/v1/cart"': lambda m: bool(re.search(r"(?i)\bget /api/v1/cart\b", m)),
    '"get /API/V2/cart"': lambda m: bool(re.search(r"(?i)\bget /api/v2/cart\b", m)),
    '"api/v1/cart HTTP/1.1"': lambda m: "api/v1/cart HTTP/1.1" in m,
    '"HTTP/1.1 200"': lambda m: "HTTP/1.1 200" in m,
    '"HTTP/1.1 20"*': lambda m: "HTTP/1.1 20" in m,
    'message*="/v1/"': lambda m: "/v1/" in m,
    'message*="i/v"': lambda m: "i/v" in m,
    'message^="GET /api/v1/"': lambda m: m.startswith("GET /api/v1/"),
    'message$="took 3ms"': lambda m: m.endswith("took 3ms"),
    "message=~`/v[12]/cart HTTP`": lambda m: bool(re.search(r"/v[12]/cart HTTP", m)),
    "message=~`v1.cart`": lambda m: "v1/cart" in m,
    'message="node 7 is up"': lambda m: m == "node 7 is up",
    'message in ("node 7 is up", "node 8 is up")': lambda m: m in ("node 7 is up", "node 8 is up"),
    'not "v1"': lambda m: not re.search(r"\bv1\b", m),
    '"v1" or "node 7"': lambda m: bool(re.search(r"\bv1\b|\bnode 7\b", m)),
    '"v1" not "200"': lambda m: bool(re.search(r"\bv1\b", m)) and not re.search(r"\b200\b", m),
    '"v1" took': lambda m: bool(re.search(r"\bv1\b", m)) and "took" in m,
}


def messages(part: int) -> list[str]:
    """In the first part all is v1, in the second all v2, in the third both; `node` is always another in the last. Calls
    are of both everywhere."""
    version = ("v1", "v2", None, "v1")[part]
    return [
        f"call {('v1', 'v2')[at % 16 == 3]} of it"
        if at % 8 == 3
        else f"GET /api/{version or ('v1', 'v2')[at % 2]}/cart HTTP/1.1 {(200, 404)[at % 5 == 0]} took {at % 7}ms"
        if at % 4
        else f"node {at if part == 3 else 7 + part % 2} is up"
        for at in range(ROWS)
    ]


def records() -> list[Record]:
    return [
        record(START_NS + (part * ROWS + at) * S_NS, message, pod=f"web-{at % 3}")
        for part in range(4)
        for at, message in enumerate(messages(part))
    ]


@pytest.fixture(params=["row groups", "whole files"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if request.param == "whole files":
        monkeypatch.setattr("query.picking.is_most", lambda *_: True)
    quiet = StoreSettings(row_group_rows=64, compact_files=2, join_files=2, compact_interval_s=3_600, flush_age_s=3_600)
    with Store.open(tmp_path / "data", quiet) as opened:
        yield opened


def fill(store: Store, parts: int = 4) -> None:
    for part in range(parts):
        append(store, records()[part * ROWS : (part + 1) * ROWS])
        store.flush()


def rows(store: Store, engine: Engine, text: str, **asked: Any) -> list[dict[str, Any]]:
    engine.answers, engine.misses, engine.parts = Answers(), Misses(), Parts()
    with run(store, engine, Request(text, **({"limit": 0, "order": "asc"} | asked))) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


def check(store: Store, engine: Engine) -> None:
    for text, accepts in CONDITIONS.items():
        wanted = [one for one in records() if accepts(one["message"])]
        found = rows(store, engine, f"({text}) | fields message")
        assert [row["message"] for row in found] == [one["message"] for one in wanted], text
        newest = rows(store, engine, f"({text}) | fields message", limit=5, order="desc")
        assert [row["message"] for row in newest] == [one["message"] for one in wanted[::-1][:5]], text
        assert rows(store, engine, f"({text}) | stats count() as n") == [{"n": len(wanted)}], text
        of_pod = sum(one["pod"] == "web-1" for one in wanted)
        assert rows(store, engine, f"({text}) pod=web-1 | stats count() as n") == [{"n": of_pod}], text
        by_pod = {pod: sum(one["pod"] == pod for one in wanted) for pod in ("web-0", "web-1", "web-2")}
        found = rows(store, engine, f"({text}) | stats count() as n by pod")
        assert {row["pod"]: row["n"] for row in found} == {pod: n for pod, n in by_pod.items() if n}, text


def test_answers_are_those_of_every_record(store: Store, engine: Engine) -> None:
    fill(store)
    check(store, engine)
    store.compact()
    check(store, engine)


def test_indexes_that_are_built_again_and_those_of_before_are_asked_alike(
    store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(index, "encode", _as_version_4(index.encode))
        fill(store, parts=2)
    for part in (2, 3):
        append(store, records()[part * ROWS : (part + 1) * ROWS])
        store.flush()
    check(store, engine)
    with store.snapshot() as snapshot:
        for segment in snapshot.segments:
            store.directory.index_of(segment.path).unlink()
        store.indexes.forget(list(snapshot.segments))
        check(store, engine)
        assert store.rebuild_indexes() == len(snapshot.segments)
    check(store, engine)


def _as_version_4(encode: Callable[[index.Index], bytes]) -> Callable[[index.Index], bytes]:
    def written(made: index.Index) -> bytes:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(index, "VERSION", 4)
            patch.setattr(index, "_TEXTS", {"text": "texts"})
            return encode(made)

    return written


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ('"GET /api/v1/cart" | stats count()', False),
        ('"HTTP/1.1" | stats count()', False),
        ("message=~`/api/v1/` | stats count()", False),
        ('"HTTP/1.1 200" | stats count()', True),
    ],
)
def test_what_all_messages_have_is_counted_without_reading(
    store: Store, engine: Engine, text: str, is_read: bool
) -> None:
    fill(store, parts=1)
    found: Any = explain(store, engine, Request(text))
    assert (found["row_groups"]["read"] > 0) == is_read
    assert found["row_groups"]["all"] > 0


def test_patterns_are_as_ever(store: Store, engine: Engine) -> None:
    fill(store)
    found = rows(store, engine, '"api/v1" | patterns 5 | fields pattern, count', order="desc")
    wanted = sum("/v1" in one["message"] for one in records())
    assert found == [{"pattern": "GET /api/<*>/cart HTTP/<*>.<*> <*> took <*>", "count": wanted}]
