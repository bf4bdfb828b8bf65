"""Answers against the records that went in, wherever they are: buffer, segments, both."""

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from logstore.errors import Busy, InvalidInput, QueryTimeout, QueryTooExpensive
from logstore.settings import PARTITIONS, StoreSettings
from logstore.store import Store
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from query.session import QueryCancelled
from query.settings import QuerySettings, Size
from query.times import format_time
from server.asking import CancellableEngine
from tests.execution.records import S_NS, START_NS, Record, append, in_order, random_records, record

RECORDS = random_records(3_000, seed=4)


def lines(store: Store, engine: Engine, text: str, **parameters: Any) -> list[dict[str, Any]]:
    with run(store, engine, Request(text, **parameters)) as answer:
        return [json.loads(line) for line in b"".join(encode(answer, Format.NDJSON)).splitlines()]


def shown(row: Record) -> dict[str, Any]:
    """A record as an answer writes it."""
    kept = {name: value for name, value in row.items() if value is not None}
    return kept | {"time": format_time(row["time"])}


@pytest.fixture(params=["buffer", "segments", "half", "directories"], scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Engine]]:
    path: Path = tmp_path_factory.mktemp(request.param)
    partition_by = PARTITIONS[1] if request.param == "directories" else PARTITIONS[0]
    with Store.open(path, StoreSettings(partition_by=partition_by)) as store:
        append(store, RECORDS[:1_500])
        if request.param != "buffer":
            store.flush()
        append(store, RECORDS[1_500:])
        if request.param in ("segments", "directories"):
            store.flush()
        engine = Engine(path / "segments", path / "spill", secret=store.catalog.secret())
        yield store, engine
        engine.close()


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_everything_comes_in_the_total_order(filled: tuple[Store, Engine], order: Any) -> None:
    assert lines(*filled, "*", limit=0, order=order) == [shown(row) for row in in_order(RECORDS, order)]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_limit_takes_the_first_of_the_order(filled: tuple[Store, Engine], order: Any) -> None:
    errors = [shown(row) for row in in_order(RECORDS, order) if row["severity"] == "error"]
    assert lines(*filled, "severity=error", limit=17, order=order) == errors[:17]
    assert lines(*filled, "severity=error | limit 5", order=order) == errors[:5]
    assert lines(*filled, "severity=error | limit 50", limit=7, order=order) == errors[:7]
    assert lines(*filled, "severity=error | limit 0", order=order) == []
    some = "severity=error | limit 50 | extend n = 1 | limit 6 | fields pod, n"
    assert lines(*filled, some, order=order) == [{"pod": row["pod"], "n": 1} for row in errors[:6]]


def test_a_time_range_has_its_start_and_not_its_end(filled: tuple[Store, Engine]) -> None:
    times = sorted(row["time"] for row in RECORDS)
    start_ns, end_ns = times[700], times[2_000]
    expected = [shown(row) for row in in_order(RECORDS) if start_ns <= row["time"] < end_ns]
    assert lines(*filled, "*", limit=0, start_ns=start_ns, end_ns=end_ns) == expected


def test_identity_is_the_same_in_path_and_file(filled: tuple[Store, Engine]) -> None:
    text = 'namespace="pay/ments" pod="" container=app'
    wanted = {"namespace": "pay/ments", "pod": "", "container": "app"}
    expected = [shown(row) for row in in_order(RECORDS) if all(row[k] == v for k, v in wanted.items())]
    assert expected
    assert lines(*filled, text, limit=0) == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_few_records_of_many_that_share_their_times(store: Store, engine: Engine, order: Any) -> None:
    made = [row | {"time": START_NS + index % 4 * S_NS} for index, row in enumerate(random_records(2_000, seed=5))]
    append(store, made[:1_200])
    store.flush()
    append(store, made[1_200:])
    ordered = [shown(row) for row in in_order(made, order)]
    for limit in (1, 3, 200, 499, 501):
        assert lines(store, engine, "*", limit=limit, order=order) == ordered[:limit]
        errors = [row for row in ordered if row["severity"] == "error"]
        assert lines(store, engine, "severity=error | where pod!=nothing", limit=limit, order=order) == errors[:limit]
        extended = lines(store, engine, "* | extend time = 1", limit=limit, order=order)
        assert extended == [row | {"time": 1} for row in ordered[:limit]]
        messages = lines(store, engine, "* | fields message | where message!=nothing", limit=limit, order=order)
        assert messages == [{"message": row["message"]} for row in ordered[:limit]]
    tenth = lines(store, engine, "*", limit=10, order=order, with_seq=True)[-1]
    after = lines(store, engine, "*", limit=10, order=order, cursor=str(tenth["_seq"]))
    assert after == ordered[10:20]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_make_up_the_whole(filled: tuple[Store, Engine], order: Any) -> None:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = lines(*filled, "*", cursor=cursor, order=order)
        end = page.pop()["@end"] if "@end" in page[-1] else None
        found += page
        if end is None:
            break
        assert len(page) == 1_000
        assert end["truncated"] is True
        cursor = end["cursor"]
    assert found == [shown(row) for row in in_order(RECORDS, order)]


def test_a_record_number_is_a_cursor_too(filled: tuple[Store, Engine]) -> None:
    first = lines(*filled, "*", limit=10, with_seq=True)
    rest = lines(*filled, "*", limit=0, cursor=str(first[-1]["_seq"]))
    assert rest == [shown(row) for row in in_order(RECORDS)[10:]]


def test_stats_have_no_default_limit_and_keep_nulls(filled: tuple[Store, Engine]) -> None:
    found = lines(*filled, "* | stats count() as n by message")
    assert {row["message"]: row["n"] for row in found} == Counter(row["message"] for row in RECORDS)
    by_user = lines(*filled, "* | stats count() as n by user")
    users = Counter((row["attributes"] or {}).get("user") for row in RECORDS)
    assert {row["user"]: row["n"] for row in by_user} == users


def test_a_subquery_reads_what_the_query_itself_does_not(filled: tuple[Store, Engine]) -> None:
    text = 'cluster=c1 pod in (cluster=c2 namespace=shop "timeout" | fields pod)'
    pods = {
        r["pod"] for r in RECORDS if r["cluster"] == "c2" and r["namespace"] == "shop" and "timeout" in r["message"]
    }
    expected = [shown(r) for r in in_order(RECORDS) if r["cluster"] == "c1" and r["pod"] in pods]
    assert lines(*filled, text, limit=0) == expected


def test_a_cursor_of_another_kind_is_refused(store: Store, engine: Engine) -> None:
    append(store, RECORDS[:3])
    for cursor in ("x", "1.x", "99", str(2**63), f"{2**64}.1", "1_0"):
        with pytest.raises(InvalidInput):
            lines(store, engine, "*", cursor=cursor)
    with pytest.raises(InvalidInput):
        lines(store, engine, "* | stats count()", cursor="1.1")


def test_an_answer_of_exactly_the_default_limit_is_complete(store: Store, engine: Engine) -> None:
    append(store, RECORDS[:1_000])
    assert len(lines(store, engine, "*")) == 1_000
    append(store, RECORDS[:1])
    assert "@end" in lines(store, engine, "*")[-1]


def test_the_end_of_a_settled_answer_is_known_before_it_is_read(store: Store, engine: Engine) -> None:
    append(store, RECORDS[:1_001])
    with run(store, engine, Request("*")) as answer:
        assert answer.settle()
        assert answer.end.truncated
        assert sum(batch.num_rows for batch in answer.batches()) == 1_000
    with run(store, engine, Request("*", limit=0)) as answer:
        assert not answer.settle(limit_bytes=1)
        assert sum(batch.num_rows for batch in answer.batches()) == 1_001


def test_an_answer_is_of_one_instant(store: Store, engine: Engine) -> None:
    append(store, RECORDS)
    with run(store, engine, Request("*", limit=0)) as answer:
        batches = answer.batches()
        rows = next(batches).num_rows
        append(store, RECORDS)
        store.flush()
        store.compact()
        assert rows + sum(batch.num_rows for batch in batches) == len(RECORDS)


def test_newest_first_reads_no_more_than_it_needs(store: Store, engine: Engine) -> None:
    for hour in range(5):
        noise = random.Random(hour).randbytes
        start_ns = START_NS + hour * 3_600 * S_NS
        append(store, [record(start_ns + i, f"line {i} {noise(20_000).hex()}") for i in range(60)])
        store.flush()
    with store.snapshot() as snapshot:
        for segment in snapshot.segments[:-1]:
            segment.path.write_bytes(b"not to be read")
    found = lines(store, engine, "line | limit 20")
    assert [row["message"].split()[1] for row in found] == [str(i) for i in range(59, 39, -1)]


def test_an_empty_store_answers(store: Store, engine: Engine) -> None:
    assert lines(store, engine, "*") == []
    assert lines(store, engine, "* | stats count() as n") == [{"n": 0}]


# Limits


def _slow_store(store: Store) -> None:
    for i in range(4):
        append(store, random_records(20_000, seed=i))


def _limited(store: Store, **settings: Any) -> Engine:
    secret = store.catalog.secret()
    return Engine(store.path / "segments", store.path / "spill", QuerySettings(**settings), secret)


def test_a_query_out_of_time_names_the_limit(store: Store) -> None:
    _slow_store(store)
    engine = _limited(store, timeout_s=0.01)
    with pytest.raises(QueryTimeout, match=r"0\.01 s.*query_timeout"):
        lines(store, engine, "* | sort by message | stats count() by message | sort by message")
    engine.close()


def test_a_query_out_of_memory_names_the_limit(store: Store) -> None:
    append(store, [record(START_NS + i, f"{i} " + "x" * 2_000) for i in range(20_000)])
    engine = _limited(store, memory_bytes=16 << 20, spill_bytes=1 << 20)
    with pytest.raises(QueryTooExpensive, match=r"query_memory|spill_bytes"):
        lines(store, engine, "* | sort by message", limit=0)
    assert lines(store, engine, "* | stats count() as n") == [{"n": 20_000}]
    engine.close()


def test_what_is_too_much_for_the_small_instance_runs_in_the_large_one(store: Store) -> None:
    append(store, [record(START_NS + i, f"{i % 97} {i} " + "x" * 900) for i in range(20_000)])
    engine = _limited(store, memory_bytes=64 << 20, spill_bytes=1 << 20)
    explained = explain(store, engine, Request("* | sort by message | limit 19000"), analyze=True)
    assert explained["analyze"]["enlarged"]
    rows = lines(store, engine, "* | sort by message | limit 19000", limit=0)
    assert [row["message"] for row in rows] == sorted(f"{i % 97} {i} " + "x" * 900 for i in range(20_000))[:19_000]
    engine.close()


def test_large_queries_that_are_too_much_together_run_one_after_the_other(store: Store) -> None:
    append(store, [record(START_NS + i, f"{i % 97} {i} " + "x" * 900) for i in range(20_000)])
    engine = _limited(store, memory_bytes=64 << 20, spill_bytes=1 << 20, timeout_s=120)
    queries = [f"* | sort by message | limit {19_000 - i}" for i in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda query: lines(store, engine, query, limit=0), queries))
    assert [len(rows) for rows in found] == [19_000, 18_999, 18_998, 18_997]
    engine.close()


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_what_cannot_be_sorted_at_once_comes_in_order_all_the_same(store: Store, order: Any) -> None:
    rng = random.Random(1)
    for part in range(3):
        append(store, [record(START_NS + rng.randrange(10**9), f"{part} {i} " + "x" * 900) for i in range(20_000)])
        store.flush()
    engine = _limited(store, memory_bytes=48 << 20, spill_bytes=1 << 20)
    whole = lines(store, engine, "* | fields time, _seq", limit=0, order=order)
    rows = lines(store, engine, "*", limit=0, order=order, with_seq=True)
    assert len(rows) == 60_000
    assert [(row["time"], row["_seq"]) for row in rows] == [(row["time"], row["_seq"]) for row in whole]
    engine.close()


def test_the_newest_records_are_found_while_large_queries_have_all_turns(store: Store) -> None:
    append(store, RECORDS)
    store.flush()
    engine = _limited(store, concurrency=2, wait_s=0.01, large_bytes=1)
    with engine.session(Size.LARGE):
        assert lines(store, engine, "*", limit=20) == [shown(row) for row in in_order(RECORDS, "desc")[:20]]
        with pytest.raises(Busy, match="large queries"):
            lines(store, engine, "* | sort by message", limit=20)
    engine.close()


def test_no_more_footers_are_kept_than_there_is_room_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("query.instance.KEPT_CHUNKS", 60)
    monkeypatch.setattr("query.instance.RENEWED_S", 0.0)
    for number in range(9):
        append(store, [record(START_NS + number, "x", namespace=f"n{number}", attributes={"n": number})] * 2)
    store.flush()
    engine = _limited(store)
    for number in (*range(9), *range(9)):
        assert lines(store, engine, f'namespace="n{number}" | stats max(n) as m') == [{"m": number}]
        assert 1 <= engine.readings()["query_footers"] <= 4
    assert lines(store, engine, "* | stats max(n) as m") == [{"m": 8}]
    assert engine.readings()["query_footers"] <= 4
    engine.close()


def test_a_large_query_that_waits_for_its_turn_takes_none_from_small_ones(store: Store) -> None:
    engine = _limited(store, concurrency=2, wait_s=0.2)

    def wait_in_vain() -> None:
        with pytest.raises(Busy, match="large queries"), engine.session(Size.LARGE):
            pass

    with engine.session(Size.LARGE), ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait_in_vain)
        while not waiting.done():
            with engine.session(Size.SMALL, wait_s=0.0) as session:
                session.execute("SELECT 1")
        waiting.result()
    engine.close()


def test_too_many_queries_are_told_the_limit(store: Store) -> None:
    append(store, RECORDS)
    engine = _limited(store, concurrency=1, wait_s=0.01)
    with run(store, engine, Request("*")), pytest.raises(Busy, match="query_concurrency"):
        run(store, engine, Request("*"))
    assert lines(store, engine, "* | stats count() as n") == [{"n": len(RECORDS)}]
    engine.close()


def test_a_failed_query_gives_its_turn_back(store: Store) -> None:
    engine = _limited(store, concurrency=1, wait_s=0.01)
    for _ in range(3):
        with pytest.raises(InvalidInput):
            run(store, engine, Request("*", cursor="nonsense"))
    assert lines(store, engine, "*") == []
    engine.close()


def test_a_database_that_has_broken_is_followed_by_a_new_one(store: Store, engine: Engine, tmp_path: Path) -> None:
    append(store, [record(START_NS, "one")])
    broken = duckdb.connect(tmp_path / "broken.db")
    broken.execute("CREATE TABLE t AS SELECT 1; SET debug_checkpoint_abort = 'before_header'")
    with pytest.raises(duckdb.FatalException):
        broken.execute("CHECKPOINT")
    engine._instances[Size.SMALL]._database = broken
    with pytest.raises(duckdb.FatalException):
        lines(store, engine, "* | stats count_distinct(message) as n")
    assert lines(store, engine, "* | stats count_distinct(message) as n") == [{"n": 1}]


def test_a_cancelled_query_ends_soon(store: Store, engine: Engine) -> None:
    append(store, random_records(40_000, seed=1))
    asking = CancellableEngine(engine)
    with run(store, asking, Request("*", limit=0)) as answer:
        batches = answer.batches()
        next(batches)
        asking.cancel()
        with pytest.raises(QueryCancelled):
            list(batches)
    assert lines(store, engine, "* | stats count() as n") == [{"n": 40_000}]


def test_a_query_is_cancelled_while_it_computes(engine: Engine) -> None:
    with engine.session() as session:
        canceller = threading.Timer(0.1, session.cancel)
        canceller.start()
        with pytest.raises(QueryCancelled):
            session.fetch("SELECT count(*) FROM range(1_000_000_000_000) r(i) WHERE i % 7 = 3")
        canceller.join()


def test_an_engine_reads_segments_and_nothing_else(store: Store, engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with engine.session() as session, pytest.raises(Exception, match="Permission"):
        session.fetch(f"SELECT * FROM read_csv('{secret}')")


def test_names_over_the_directory_limit_come_back_whole(tmp_path: Path) -> None:
    for index, partition_by in enumerate(PARTITIONS):
        rows = [
            record(START_NS, "a", namespace="€" * 80, pod="p" * 250),
            record(START_NS + 1, "b", namespace="n" * 253, pod="ü" * 100),
            record(START_NS + 2, "c", namespace="x/y=z*[a]?%", cluster="%2F"),
        ]
        with Store.open(tmp_path / str(index), StoreSettings(partition_by=partition_by)) as store:
            append(store, rows)
            store.flush()
            engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
            assert lines(store, engine, "*", order="asc") == [shown(row) for row in rows]
            assert len(lines(store, engine, f'namespace="{"€" * 80}" pod="{"p" * 250}"')) == 1
            engine.close()
