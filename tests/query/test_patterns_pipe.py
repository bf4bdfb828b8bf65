"""The pipe `patterns`: against the reference evaluator, and the same wherever the records are."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstore import templates
from logstore.errors import InvalidQuery, Position
from logstore.settings import StoreSettings
from logstore.store import Store
from logstore.templates import TEMPLATE_MAX_BYTES, WILDCARD
from query import ast
from query.engine import Engine
from query.parser import parse
from query.request import Request, compiled_for
from tests.execution.test_states import batch, buffered, rows, same
from tests.query.relation import answer, connect
from tests.query.test_hostile import RECORD
from tests.reference import evaluator

PARTS = ("a", "b 1", "b", " ", "7", "x_1", ".", WILDCARD, "<*>", "日2", "é", "404")
messages = st.lists(st.sampled_from(PARTS), max_size=4).map("".join)
QUERIES = (
    "| patterns 3",
    "| patterns | where count > 1 | fields pattern, share",
    "a | extend x = 1 | patterns 2 | sort by last_time desc",
    "| sort by message | limit 4 | patterns 2",
    "| uniq by message, time | fields time, message | patterns",
    '| uniq by pod, message, time | patterns | where pattern != "a" | limit 1',
    "| extend message = replace(message, b, a) | patterns 2",
    "| extend message = missing | patterns",
    "message in (b | patterns 2 | fields example) | patterns",
)
LONG = "1 " * TEMPLATE_MAX_BYTES


def record(seq: int, message: str, after_ns: int = 0) -> dict[str, Any]:
    return {**RECORD, "_seq": seq, "time": RECORD["time"] + after_ns, "message": message}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connected:
        yield connected


@given(st.lists(st.tuples(messages, st.integers(0, 3)), max_size=12), st.sampled_from(QUERIES))
@example([("a 1", 0), ("a <*>", 1), (f"a {WILDCARD}", 2), ("a 2", 0)], QUERIES[0])
@example([(LONG, 0), (LONG, 1), (f"{LONG}2", 0), ("1 2", 0)], QUERIES[0])
def test_answers_are_the_reference_evaluators(
    connection: duckdb.DuckDBPyConnection, records: list[tuple[str, int]], text: str
) -> None:
    query = parse(text)
    loaded = [record(seq, message, after_ns) for seq, (message, after_ns) in enumerate(records)]
    random.Random(len(loaded)).shuffle(loaded)
    assert answer(connection, query, loaded) == evaluator.answer(query, loaded)


def test_of_equally_frequent_patterns_those_seen_first_come_out(connection: duckdb.DuckDBPyConnection) -> None:
    loaded = [record(seq, f"{'zyxa'[seq % 4]} {seq}") for seq in range(40)]
    found = answer(connection, parse("| patterns 2"), loaded).rows
    assert [row[:3] for row in found] == [("z <*>", 10, 0.25), ("y <*>", 10, 0.25)]
    assert found[1][5] == "y 1"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("| patterns 0", 12, "no patterns are asked for"),
        ("| patterns 5000000000000000000", 12, "too many rows"),
        ("| patterns pod", 12, 'unexpected "pod"'),
        ("| fields pod | patterns", 16, '"patterns" needs the field "message"'),
        ("| fields message | patterns", 20, '"patterns" needs the field "time"'),
        ("| extend time = 5 | patterns", 21, '"patterns" needs the field "time" to be a time'),
        ("| stats count() by message, time | patterns", 36, "put it before stats or top"),
        ("| patterns | patterns", 14, "put it before stats or top"),
    ],
)
def test_errors_say_what_and_where(text: str, column: int, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message) as caught:
        compiled_for(parse(text), Request(text))
    assert caught.value.position == Position(1, column)


def test_a_field_may_have_its_name() -> None:
    assert parse("patterns=1 | patterns | fields patterns").pipes[0] == ast.Patterns(10)


STORED = (
    "* | patterns 1000",
    "* | patterns 5 | fields pattern, count",
    "error | patterns 20",
    "status=404 | where not timeout | patterns 20",
    "* | extend message = lower(message) | patterns 20",
    "* | sort by pod | limit 500 | patterns 20",
)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Store, Engine]]:
    quiet = StoreSettings(compact_files=2, compact_interval_s=3_600, flush_age_s=3_600)
    with Store.open(tmp_path / "data", quiet) as store:
        engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
        yield store, engine
        engine.close()


@pytest.mark.parametrize("kinds", [5, 400], ids=["few templates", "more templates than an index has"])
def test_answers_are_the_same_wherever_the_records_are(opened: tuple[Store, Engine], kinds: int) -> None:
    store, engine = opened
    store.append(batch(some_records(600, kinds, seed=1))).result()
    records = buffered(store)
    check(store, engine, records, "buffer")
    store.flush()
    assert has_every_template(store) == (kinds == 5)
    check(store, engine, records, "segments")
    store.append(batch(some_records(600, kinds, seed=2))).result()
    records += buffered(store)
    check(store, engine, records, "both")
    store.flush()
    check(store, engine, records, "more segments")
    store.compact()
    check(store, engine, records, "merged")


def has_every_template(store: Store) -> bool:
    """Whether segments know the template of all their records."""
    with store.snapshot() as snapshot:
        known, _ = store.indexes.of(snapshot.segments)
    return all(one is not None and bool((one.entries != -1).all()) for one in known)


def test_segments_that_know_all_templates_answer_without_messages(
    opened: tuple[Store, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, engine = opened
    store.append(batch(some_records(600, 5, seed=3))).result()
    wanted = rows(store, engine, parse("error | patterns"), "desc")
    store.flush()
    monkeypatch.setattr(templates, "ids", None)
    assert rows(store, engine, parse("error | patterns"), "desc") == wanted


def test_of_free_text_only_what_is_shown_is_made(opened: tuple[Store, Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    store, engine = opened
    store.append(batch(some_records(3_000, 3_000, seed=5))).result()
    records = buffered(store)
    store.flush()
    assert not has_every_template(store)
    made: list[int] = []
    texts = templates.texts

    def noted(messages: pa.StringArray) -> object:
        made.append(len(messages))
        return texts(messages)

    monkeypatch.setattr(templates, "texts", noted)
    query = parse("* | patterns 7 | fields pattern, count")
    assert rows(store, engine, query, "desc") == [tuple(row) for row in evaluator.answer(query, records).rows]
    assert sum(made) == 7


def test_a_subquery_has_patterns_too(opened: tuple[Store, Engine]) -> None:
    store, engine = opened
    store.append(batch(some_records(300, 300, seed=4))).result()
    records = buffered(store)
    store.flush()
    inner = "error | patterns 3 | fields example"
    examples = {row[0] for row in evaluator.answer(parse(inner), records).rows}
    wanted = sum(record["message"] in examples for record in records)
    assert rows(store, engine, parse(f"message in ({inner}) | stats count()"), "desc") == [(wanted,)]


def some_records(count: int, kinds: int, seed: int) -> list[dict[str, Any]]:
    """With `kinds` templates and a few messages that have none."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(40)]
    texts = [" ".join(chance.choices(words, k=3)) for _ in range(kinds)]
    return [
        {
            **RECORD,
            "time": RECORD["time"] + chance.randrange(10**9),
            "pod": chance.choice(["web-1", "web-2"]),
            "namespace": chance.choice(["shop", "pay"]),
            "message": f"{chance.choice(['error', 'timeout', 'ok'])} {chance.choice(texts)} {chance.randrange(999)}"
            if kinds < 10 or chance.random() < 0.98
            else f"{WILDCARD} {chance.randrange(3)}",
            "attributes": chance.choice([None, '{"status":404}']),
        }
        for _ in range(count)
    ]


def check(store: Store, engine: Engine, records: list[dict[str, Any]], state: str) -> None:
    for text in STORED:
        query = parse(text)
        wanted = evaluator.answer(query, records).rows
        found = rows(store, engine, query, "desc")
        assert len(found) == len(wanted), (state, text)
        for got, expected in zip(found, wanted, strict=True):
            assert all(map(same, got, expected)), (state, text, got, expected)
