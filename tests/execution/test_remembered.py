"""Whole answers that are remembered: bounded, whatever they hold."""

import pytest

from logstore.store import Store
from query import remembered
from query.digest import ENTRY_BYTES
from query.engine import Engine
from query.execute import run
from query.request import Request
from tests.execution.records import append, random_records


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
