"""Conditions on pods, containers, namespaces and clusters that are no plain list read as little as a list would, and
find what a reading of every record does."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from tests.execution.records import S_NS, START_NS, Record, append, record

PODS = ("web-1", "web-2", "Web-3", "db-0", "", "größe", "a b", "x'y")
NAMESPACES = ("shop", "pay")
PARTS = 6

CONDITIONS: dict[str, Callable[[Record], bool]] = {
    'pod=~"^web-"': lambda r: r["pod"].startswith("web-"),
    'pod=~"(?i)^web-[13]"': lambda r: bool(re.search("(?i)^web-[13]", r["pod"])),
    'pod!~"[0-9]$"': lambda r: not re.search("[0-9]$", r["pod"]),
    'pod^="web"': lambda r: r["pod"].startswith("web"),
    'pod$="0"': lambda r: r["pod"].endswith("0"),
    'pod*="\'"': lambda r: "'" in r["pod"],
    "pod:WEB": lambda r: "web" in re.split("[^a-z]", r["pod"].lower()),
    "pod:we*": lambda r: r["pod"].lower().startswith("we"),
    'pod!="web-1"': lambda r: r["pod"] != "web-1",
    "pod:*": lambda r: r["pod"] != "",
    "not pod:*": lambda r: r["pod"] == "",
    'pod=~".*"': lambda _: True,
    'pod=~"nowhere"': lambda _: False,
    'pod>"d"': lambda r: r["pod"] > "d",
    '(pod^="web" or pod$="0")': lambda r: r["pod"].startswith("web") or r["pod"].endswith("0"),
    'not (pod^="web" pod$="1")': lambda r: r["pod"] != "web-1",
    'pod^="web" pod$="1"': lambda r: r["pod"] == "web-1",
    'pod!=web-1 pod!="a b" pod!=""': lambda r: r["pod"] not in ("web-1", "a b", ""),
    'pod=~".*" pod^="web" pod:*': lambda r: r["pod"].startswith("web"),
    'pod^="web" (pod^="web" or namespace=pay)': lambda r: r["pod"].startswith("web"),
    'namespace=~"^p"': lambda r: r["namespace"] == "pay",
    'cluster=~"2$" pod=~"1$"': lambda r: r["cluster"] == "c2" and r["pod"] == "web-1",
    'container^="side" namespace!=pay': lambda r: r["container"] == "sidecar" and r["namespace"] == "shop",
    '(pod^="web" or namespace=pay)': lambda r: r["pod"].startswith("web") or r["namespace"] == "pay",
    'pod^="web" even': lambda r: r["pod"].startswith("web") and "even" in r["message"].split(),
    '* | where pod=~"^web-" | where length(pod) > 4': lambda r: r["pod"].startswith("web-"),
}


def records() -> list[Record]:
    """Each pod is in every second part; the last part is in memory."""
    return [
        record(
            START_NS + (part * 100 + at) * S_NS,
            f"line {part * 100 + at} {'even' if at % 2 == 0 else 'odd'}",
            cluster=f"c{part % 2 + 1}",
            namespace=NAMESPACES[at % 2],
            container=("app", "sidecar")[at % 3 == 0],
            pod=PODS[at % len(PODS)],
        )
        for part in range(PARTS)
        for at in range(40)
        if (at + part) % 2 == 0
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600)
    with Store.open(tmp_path_factory.mktemp("identity") / "data", settings) as opened:
        for part in range(PARTS):
            begin_ns = START_NS + part * 100 * S_NS
            append(opened, [one for one in records() if begin_ns <= one["time"] < begin_ns + 100 * S_NS])
            if part < PARTS - 1:
                opened.flush()
        yield opened


def rows(store: Store, engine: Engine, text: str, **asked: Any) -> list[dict[str, Any]]:
    with run(store, engine, Request(text, **({"limit": 0, "order": "asc"} | asked))) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


@pytest.fixture(params=["as lists", "accepting too many", "of too many pods"])
def bounded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "accepting too many":
        monkeypatch.setattr("query.identity.ACCEPTED_MAX", 1)
    if request.param == "of too many pods":
        monkeypatch.setattr("query.identity.KNOWN_MAX", 3)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("text", CONDITIONS)
def test_answers_are_those_of_every_record(store: Store, engine: Engine, text: str) -> None:
    wanted = [one["message"] for one in records() if CONDITIONS[text](one)]
    assert [row["message"] for row in rows(store, engine, f"{text} | fields message")] == wanted
    newest = rows(store, engine, f"{text} | fields message", limit=7, order="desc")
    assert [row["message"] for row in newest] == wanted[::-1][:7]
    counts = Counter(one["pod"] for one in records() if CONDITIONS[text](one))
    for _ in range(3):  # of records, of parts, and remembered
        found = rows(store, engine, f"{text} | stats count() as n by pod | sort by pod")
        assert {row["pod"]: row["n"] for row in found} == counts
        assert rows(store, engine, f"{text} | stats count() as n") == [{"n": len(wanted)}]


@pytest.mark.parametrize(
    ("text", "stage", "left"),
    [
        ('pod=~"^db-"', "streams", True),
        ('pod=~"nowhere"', "streams", False),
        ('namespace=~"nowhere"', "catalog", False),
        ('pod^="db" | stats count()', "counts", False),
        ('pod=~".*" | stats count()', "catalog", False),
    ],
)
def test_only_their_rows_are_read(store: Store, engine: Engine, text: str, stage: str, left: bool) -> None:
    found: Any = explain(store, engine, Request(text))
    skipped = {one["stage"]: sum(one["skipped"].values()) for one in found["stages"]}
    assert skipped[stage] > 0
    assert (found["row_groups"]["read"] > 0) == left


def test_a_pod_that_comes_is_found_and_what_is_remembered_of_others_stays(tmp_path: Any) -> None:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600)
    text = 'pod^="web" | stats sum(n) as s by pod | sort by pod'
    with Store.open(tmp_path / "data", settings) as store:
        engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
        wanted: Counter[str] = Counter()
        for part in range(4):
            pods = [f"web-{at % (part + 1)}" for at in range(20)]
            lines = [record(START_NS + at * S_NS, "m", pod=pod, attributes={"n": 2}) for at, pod in enumerate(pods)]
            append(store, [*lines, record(START_NS, "m", pod="db", attributes={"n": 2})])
            store.flush()
            wanted.update({pod: 2 * count for pod, count in Counter(pods).items()})
            for _ in range(3):
                assert {row["pod"]: row["s"] for row in rows(store, engine, text)} == wanted
        append(store, [record(START_NS, "m", pod="web-9", attributes={"n": 5})])
        assert rows(store, engine, text)[-1] == {"pod": "web-9", "s": 5}
        found: Any = explain(store, engine, Request(text))
        assert found["remembered_segments"] == 4
        engine.close()


@pytest.mark.parametrize("text", ['pod=~"("', 'pod=~"a" pod=~"("'])
def test_what_is_wrong_with_a_pattern_is_said_as_ever(store: Store, engine: Engine, text: str) -> None:
    with pytest.raises(Exception, match="no valid regular expression"):
        rows(store, engine, text)
