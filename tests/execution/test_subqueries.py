"""A list whose values are those of a query means the same whether these are written out or stay a part of the SQL."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from logstore.errors import InvalidQuery, QueryTimeout
from logstore.settings import StoreSettings
from logstore.store import Store
from query.cost import Cost, Stage
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.remembered import Answers
from query.request import Request
from query.session import QueryCancelled
from server.asking import CancellableEngine
from tests.execution.records import S_NS, Record, append, random_records, record

RECORDS = [
    *random_records(1_500, 11),
    *(record(row["time"] + 1, "follow up", trace_id=row["trace_id"]) for row in random_records(300, 11)),
]
QUERIES = (
    "trace_id in (timeout | fields trace_id)",
    "trace_id in (timeout status=500 | limit 3 | fields trace_id)",
    "pod in (cluster=c2 timeout | top 2 pod | fields pod) error",
    "status in (user=ann | top 1 status | fields status)",
    "not pod in (status=404 | limit 2 | fields pod) error",
    "error or pod in (status=404 | limit 1 | fields pod)",
    "* | where trace_id in (error status=500 | fields trace_id) | stats count() as n by pod | sort by pod",
    "trace_id in (pod in (status=500 | top 1 pod | fields pod) timeout | fields trace_id)",
    "pod in (nothingatall | fields pod)",
    "not pod in (nothingatall | fields pod) timeout",
    "time in (timeout | limit 5 | fields time)",
    'severity in (* | stats max(status) as m | extend s = if(m > 1, "warn", "info") | fields s)',
    "* | extend again = trace_id in (timeout | fields trace_id) | stats count() as n by again | sort by again",
    "message in (user=bob | limit 9 | fields message)",
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Engine]]:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, row_group_rows=64)
    with Store.open(tmp_path_factory.mktemp("subqueries") / "data", settings) as store:
        for start in range(0, len(RECORDS), 400):
            append(store, RECORDS[start : start + 400])
            if start + 400 < len(RECORDS):
                store.flush()
        engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
        yield store, engine
        engine.close()


def lines(store: Store, engine: Engine, text: str, **parameters: Any) -> list[Record]:
    engine.answers = Answers()
    with run(store, engine, Request(text, **parameters)) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("query", QUERIES)
def test_written_out_or_not(
    filled: tuple[Store, Engine], monkeypatch: pytest.MonkeyPatch, query: str, order: Any
) -> None:
    hour = {"start_ns": RECORDS[0]["time"] - 3_600_000_000_000, "end_ns": RECORDS[0]["time"] + 3_600_000_000_000}
    asked: list[dict[str, Any]] = [{"limit": 0}, {"limit": 7}, {"limit": 0, **hour}]
    written_out = [lines(*filled, query, order=order, **each) for each in asked]
    monkeypatch.setattr("query.subqueries.VALUES_MAX", -1)
    assert written_out == [lines(*filled, query, order=order, **each) for each in asked]


def test_all_records_of_the_traces_that_timed_out(filled: tuple[Store, Engine]) -> None:
    traces = {row["trace_id"] for row in RECORDS if "timeout" in row["message"]} - {None}
    found = lines(*filled, "trace_id in (timeout | fields trace_id) | fields trace_id, message", limit=0)
    assert len(found) == sum(row["trace_id"] in traces for row in RECORDS)
    assert {row["trace_id"] for row in found} == traces
    assert any(row["message"] == "follow up" for row in found)


def test_row_groups_without_the_values_are_not_read(filled: tuple[Store, Engine], monkeypatch: Any) -> None:
    query = "trace_id in (timeout status=500 | limit 1 | fields trace_id)"
    few: Any = explain(*filled, Request(query), analyze=True)
    monkeypatch.setattr("query.subqueries.VALUES_MAX", -1)
    everything: Any = explain(*filled, Request(query), analyze=True)
    assert few["analyze"]["rows"] == everything["analyze"]["rows"] > 0
    assert few["row_groups"]["read"] < everything["row_groups"]["read"] / 4
    assert everything["row_groups"]["skipped"] == {}
    assert "IN (SELECT" in everything["sql"]
    assert "SELECT" not in few["sql"].removeprefix("SELECT")


@pytest.mark.parametrize(("name", "bound"), [("VALUES_MAX", 5), ("VALUES_MAX_BYTES", 40), ("ROWS_MAX", 5)])
def test_of_too_many_values_the_list_stays_a_query(
    filled: tuple[Store, Engine], monkeypatch: pytest.MonkeyPatch, name: str, bound: int
) -> None:
    query = "trace_id in (timeout | limit 50 | fields trace_id)"
    before = lines(*filled, query, limit=0)
    monkeypatch.setattr(f"query.subqueries.{name}", bound)
    assert "IN (SELECT" in str(explain(*filled, Request(query))["sql"])
    assert lines(*filled, query, limit=0) == before


def test_the_answer_is_remembered_as_that_of_the_whole_query(filled: tuple[Store, Engine]) -> None:
    store, engine = filled
    query = "pod in (timeout | top 1 pod | fields pod) | stats count() as n"
    first = lines(store, engine, query)
    assert explain(store, engine, Request(query))["remembered"] is True
    append(store, [record(RECORDS[0]["time"], "timeout", pod="fresh") for _ in range(2_000)])
    assert explain(store, engine, Request(query))["remembered"] is False
    assert lines(store, engine, query) == [{"n": 2_000}] != first


def test_lists_take_of_the_time_of_the_query_that_they_are_in(filled: tuple[Store, Engine]) -> None:
    _, engine = filled
    cost = Cost()
    cost.spent_ns[Stage.SQL] = int(engine.settings.timeout_s * S_NS)
    with engine.session() as session:
        session.measure(cost)
        with pytest.raises(QueryTimeout, match="query_timeout"):
            session.fetch("SELECT 1")


def test_lists_are_given_up_with_the_query_that_they_are_in(filled: tuple[Store, Engine]) -> None:
    store, engine = filled
    asking = CancellableEngine(engine)
    asking.cancel()
    with pytest.raises(QueryCancelled):
        run(store, asking, Request("pod in (timeout | sort by message | limit 9 | fields pod)"))


def test_errors_are_told_as_before(filled: tuple[Store, Engine]) -> None:
    with pytest.raises(InvalidQuery, match="the query in the list has 2 columns") as raised:
        run(*filled, Request("pod in (error | fields pod, time)"))
    assert raised.value.position is not None
