"""Questions about JSON documents of which thousands, parsed at once, are more than the memory of a query."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from query.settings import QuerySettings
from tests.execution.records import START_NS, append, record

COUNT = 4_900
FILLER = {f"f{i}": {"": i} for i in range(500)}
DOCUMENTS = [{"call": {"id": f"{i * 11 % COUNT:05}", "user": f"u{i % 31}", "verb": "got"[i % 3]}} for i in range(COUNT)]
CALLS = [document["call"] for document in DOCUMENTS]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Engine]]:
    """Two segments and a few records in memory, and 20 MiB for a query: its vectors of documents take several times
    that."""
    path: Path = tmp_path_factory.mktemp("documents")
    with Store.open(path) as store:
        for start, end in ((0, 2_400), (2_400, 4_800), (4_800, COUNT)):
            append(store, [record(START_NS + i, "audit", attributes=DOCUMENTS[i] | FILLER) for i in range(start, end)])
            if end < COUNT:
                store.flush()
        settings = QuerySettings(memory_bytes=32 << 20)
        engine = Engine(path / "segments", path / "spill", settings, store.catalog.secret())
        yield store, engine
        engine.close()


def lines(store: Store, engine: Engine, text: str) -> list[dict[str, Any]]:
    with run(store, engine, Request(text)) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


def counted(name: str, values: Iterator[str]) -> list[dict[str, Any]]:
    return [{name: value, "n": count} for value, count in sorted(Counter(values).items())]


QUESTIONS = {
    "* | stats count() as n by call.user": counted("call.user", (call["user"] for call in CALLS)),
    "call.verb=g | stats count() as n by call.user": counted(
        "call.user", (call["user"] for call in CALLS if call["verb"] == "g")
    ),
    "* | sort by call.id desc | limit 3 | fields call.id": [
        {"call.id": f"{number:05}"} for number in (COUNT - 1, COUNT - 2, COUNT - 3)
    ],
    "* | stats count_distinct(call.id) as ids, max(call.id) as last": [{"ids": COUNT, "last": COUNT - 1}],
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_of_large_documents_is_answered_in_little_memory(
    filled: tuple[Store, Engine], question: str
) -> None:
    told = explain(*filled, Request(question), analyze=True)["analyze"]
    assert told["sparing"] is True, "the documents are to be too large for what is simple"
    assert told["rows_scanned"] >= COUNT
    for _ in range(3):  # statistics that are asked again are merged of parts
        assert sorted(lines(*filled, question), key=json.dumps) == sorted(QUESTIONS[question], key=json.dumps)


def test_all_that_several_ways_to_read_a_name_need_is_one_reading_of_the_documents(
    filled: tuple[Store, Engine],
) -> None:
    sql = explain(*filled, Request("* | stats count() by call.user.name.first"))["sql"]
    assert sql.count("json_extract") <= 2, "one in attributes, one in labels"
