"""Whole answers that are remembered: bounded, whatever they hold."""

import pyarrow as pa
import pytest

from logstore.store import Store
from query import remembered
from query.digest import ENTRY_BYTES
from query.engine import Engine
from query.execute import run
from query.request import Request
from tests.execution.records import append, random_records, record


def test_patterns_of_free_text_are_not_found_twice(store: Store, engine: Engine) -> None:
    append(store, [record(at, "no line is like another "[: at % 20] + "-" * at) for at in range(2_000)])
    store.flush()

    def ask() -> list[pa.RecordBatch]:
        with run(store, engine, Request("* | patterns 10")) as answer:
            return list(answer.batches())

    assert ask() == ask()
    assert engine.answers.readings()["query_answers_remembered"] == 1


def test_answers_without_rows_count_as_well(store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "ALL_MAX_BYTES", 5 * ENTRY_BYTES)
    append(store, random_records(10, seed=1))

    def ask(number: int) -> float:
        with run(store, engine, Request(f"nothing{number} | fields message")) as answer:
            assert not list(answer.batches())
        return engine.answers.readings()["query_answers_remembered"]

    for number in range(20):
        ask(number)
        assert engine.answers.readings()["query_answers_bytes"] <= 5 * ENTRY_BYTES
    assert ask(19) == 1
    assert ask(0) == 1, "the oldest went"
