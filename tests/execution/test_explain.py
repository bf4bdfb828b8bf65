"""Explain's stages, and the figures of queries that are run for them, against the Parquet files themselves."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from logstore.errors import Busy, QueryTimeout
from logstore.store import Store
from query.engine import Engine
from query.execute import run
from query.explain import explain
from query.request import Request
from query.session import QueryCancelled
from query.settings import QuerySettings
from server.asking import CancellableEngine
from tests.execution.records import S_NS, START_NS, Record, append, record

HOUR_NS = 3_600 * S_NS
EACH = 20_000
HOURS = 3
COUNT = EACH * HOURS
STAGES = ["catalog", "times", "streams", "templates", "words", "counts", "statistics"]


def _digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _made(hour: int) -> list[Record]:
    """An hour of one pod, in the order of time; every hundredth record timed out; a word is its number, and one is
    nothing that could be compressed."""
    return [
        record(
            START_NS + hour * HOUR_NS + i * 100_000_000,
            f"request {'timeout' if i % 100 == 0 else 'done'} by a user at /api/items/ for h{hour}n{i} {_digest(i)}",
            pod=f"pod-{hour}",
            attributes={"status": 200 + i % 3},
        )
        for i in range(EACH)
    ]


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A segment an hour, each of several row groups; tests leave it as it is."""
    with Store.open(tmp_path_factory.mktemp("hours") / "data") as store:
        for hour in range(HOURS):
            append(store, _made(hour))
            store.flush()
        yield store


@pytest.fixture
def reader(hours: Store, tmp_path: Path) -> Iterator[Engine]:
    """Reads the hours, and remembers nothing yet."""
    engine = Engine(hours.path / "segments", tmp_path / "spill", secret=hours.catalog.secret())
    yield engine
    engine.close()


def _files(store: Store) -> Iterator[tuple[Path, Any]]:
    for path in sorted((store.path / "segments").rglob("*.parquet")):
        yield path, pq.read_metadata(path)


def _chunk_bytes(metadata: Any, group: int, columns: set[str] | None = None) -> int:
    chunks = (metadata.row_group(group).column(at) for at in range(metadata.num_columns))
    return sum(c.total_compressed_size for c in chunks if columns is None or c.path_in_schema in columns)


def _stages(explained: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert [stage["stage"] for stage in explained["stages"]] == STAGES
    return {stage["stage"]: stage for stage in explained["stages"]}


def _analyzed(store: Store, engine: Engine, text: str, **asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    found: Any = explain(store, engine, Request(text, **asked), analyze=True)
    return found, found["analyze"]


# Stages


@pytest.mark.parametrize(
    ("text", "start_ns", "skipping"),
    [
        ("*", None, {}),
        ("*", START_NS + HOUR_NS, {"catalog": {"time": 1}}),
        ("namespace=other", None, {"catalog": {"namespace": HOURS}}),
        ("pod=pod-1", START_NS + HOUR_NS, {"catalog": {"time": 1}, "streams": {"stream": None}}),
        ('message*="imeout fail"', None, {"templates": {"template": None}}),
        ("timeout failure", None, {"words": {"words": None}}),
        ("h1n77", None, {"words": {"words": None}}),
        ("timeout | stats count()", None, {"counts": {"counted": None}}),
        ("* | patterns", None, {"counts": {"counted": None}}),
        ("stream=stderr | top 3 pod", None, {"counts": {"counted": None}}),
        ("* | stats count()", None, {"catalog": {"counted": HOURS}}),
    ],
)
def test_each_stage_hands_on_what_it_leaves(
    hours: Store, reader: Engine, text: str, start_ns: int | None, skipping: dict[str, dict[str, int | None]]
) -> None:
    found: Any = explain(hours, reader, Request(text, start_ns=start_ns))
    stages = _stages(found)
    came = None
    for name, stage in stages.items():
        assert stage["in"] - sum(stage["skipped"].values()) == stage["out"], name
        assert stage["unit"] == ("segments" if name == "catalog" else "row_groups")
        assert stage["reason"]
        assert came is None or stage["in"] == came, name
        came = stage["out"] if name != "catalog" else None
        wanted = skipping.get(name, {})
        assert set(stage["skipped"]) == set(wanted), name
        assert all(count is None or stage["skipped"][reason] == count for reason, count in wanted.items()), name
    assert stages["catalog"]["in"] == found["segments"]["all"] == HOURS
    assert stages["times"]["in"] == found["row_groups"]["all"]
    assert stages["statistics"]["out"] == found["row_groups"]["read"]


def test_a_stage_says_what_it_went_by(hours: Store, reader: Engine) -> None:
    text = "pod=pod-1 h1n77 timeout"
    stages = _stages(explain(hours, reader, Request(text, start_ns=START_NS, end_ns=START_NS + 2 * HOUR_NS)))
    times = "time from 2026-01-01T00:00:00.000000000Z until 2026-01-01T02:00:00.000000000Z"
    assert stages["catalog"]["reason"] == stages["times"]["reason"] == f"asked for: {times}"
    assert stages["streams"]["reason"] == "asked for: pod pod-1"
    assert stages["templates"]["reason"] == "1 of 2 templates of messages can match"
    assert stages["words"]["reason"] == "every match has: h1n77, and timeout"
    assert stages["statistics"]["reason"] == f"asked for: {times}; pod pod-1"
    whole = _stages(explain(hours, reader, Request("* | sort by time")))
    assert whole["words"]["reason"].startswith("not asked")


def test_a_subquery_may_need_every_record(hours: Store, reader: Engine) -> None:
    found: Any = explain(
        hours, reader, Request("* | where pod in (h1n77 | fields pod) or length(pod) > 9 | fields pod")
    )
    assert "subquery" not in str(found["stages"])
    found = explain(hours, reader, Request("* | extend same = pod in (h1n77 | fields pod)"))
    assert "subquery" in _stages(found)["streams"]["reason"]
    assert found["row_groups"]["skipped"] == {}


def test_what_a_subquery_finds_leaves_row_groups_out(hours: Store, reader: Engine) -> None:
    found: Any = explain(hours, reader, Request("pod in (h1n77 | fields pod)"))
    assert _stages(found)["streams"]["reason"] == "asked for: pod pod-1"
    assert found["row_groups"]["read"] == max(metadata.num_row_groups for _, metadata in _files(hours))


def test_bytes_are_those_of_the_columns_with_an_attribute_in_its_own(hours: Store, reader: Engine) -> None:
    found: Any = explain(hours, reader, Request("* | stats sum(status) by pod"))
    needed = {"time", "_seq", "pod", "attributes", "labels", "status"}
    assert {"status"} < needed & {
        metadata.schema.column(at).name for _, metadata in _files(hours) for at in range(len(metadata.schema))
    }
    size = sum(_chunk_bytes(m, group, needed) for _, m in _files(hours) for group in range(m.num_row_groups))
    assert found["bytes"] == size


# What a query that is run really reads


def test_whole_records_of_json_lines_are_made_of_their_messages(store: Store, engine: Engine) -> None:
    lines = [f'{{"user":"u{at % 7}","took":{at},"path":"/a/{at % 3}"}}' for at in range(3_000)]
    append(store, [record(START_NS + at * S_NS, line) for at, line in enumerate(lines)])
    store.flush()
    found, actual = _analyzed(store, engine, "*", limit=0)
    ((_, metadata),) = _files(store)
    whole = sum(_chunk_bytes(metadata, group) for group in range(metadata.num_row_groups))
    assert found["bytes"] == actual["bytes"] < whole


def test_a_needle_reads_its_row_group_alone(hours: Store, reader: Engine) -> None:
    found, actual = _analyzed(hours, reader, "h1n7777", limit=0)
    holding = [
        (metadata, group)
        for path, metadata in _files(hours)
        for group in range(metadata.num_row_groups)
        if pc.any(pc.match_substring(pq.ParquetFile(path).read_row_group(group)["message"], "h1n7777")).as_py()
    ]
    ((metadata, group),) = holding
    template_bytes = _chunk_bytes(metadata, group, {"_template"})
    assert actual["rows"] == 1
    assert actual["row_groups"] == found["row_groups"]["read"] == 1
    assert actual["rows_scanned"] == metadata.row_group(group).num_rows
    assert actual["bytes"] == _chunk_bytes(metadata, group) - template_bytes
    _, twice = _analyzed(hours, reader, "h1n7777")
    assert twice["slices"]["narrowed"] == 1
    assert twice["row_groups"] == 2
    assert actual["bytes"] < twice["bytes"] < 2 * actual["bytes"]


def test_a_scan_of_everything_reads_one_column_of_all_row_groups(hours: Store, reader: Engine) -> None:
    _, actual = _analyzed(hours, reader, "* | stats max(stream)")
    files = list(_files(hours))
    assert actual["rows"] == 1
    assert actual["row_groups"] == sum(metadata.num_row_groups for _, metadata in files) > HOURS
    assert actual["rows_scanned"] == COUNT
    assert actual["slices"] == {"all": 1, "read": 1, "narrowed": 0, "direct": 0, "halved": 0}
    assert actual["enlarged"] is False
    column = sum(_chunk_bytes(m, group, {"stream"}) for _, m in files for group in range(m.num_row_groups))
    assert column <= actual["bytes"] < sum(path.stat().st_size for path, _ in files) / 4


@pytest.mark.parametrize(("text", "limit"), [("*", 10), ("* | limit 10 | extend text = message | fields text", 1_000)])
def test_the_newest_records_leave_slices_of_time_unread(hours: Store, reader: Engine, text: str, limit: int) -> None:
    found, actual = _analyzed(hours, reader, text, limit=limit)
    assert actual["rows"] == 10
    assert 0 < actual["slices"]["read"] < actual["slices"]["all"]
    newest = max(metadata.num_row_groups for _, metadata in _files(hours))
    assert 0 < actual["row_groups"] <= 2 * newest
    assert actual["bytes"] > 0
    assert found["row_groups"]["read"] == sum(metadata.num_row_groups for _, metadata in _files(hours))
    _, whole = _analyzed(hours, reader, "*", limit=0)
    assert whole["rows"] == COUNT
    assert whole["slices"]["read"] == whole["slices"]["all"]
    assert whole["rows_scanned"] >= COUNT
    assert actual["rows_scanned"] < whole["rows_scanned"]


@pytest.mark.parametrize(
    "text",
    [
        "* | stats count() by bucket(5m), stream",
        "level!=error | stats count() as n by level | where n > 1",
        "stream=stdout pod=pod-1 | top 3 pod",
        "* | patterns | fields pattern, count",
    ],
)
def test_what_indexes_count_is_not_read(hours: Store, reader: Engine, text: str) -> None:
    found, actual = _analyzed(hours, reader, text)
    assert found["segments"]["read"] == found["row_groups"]["read"] == found["bytes"] == 0
    assert actual["rows"] > 0
    assert actual["bytes"] == 0


@pytest.mark.parametrize(("text", "counted"), [("* | stats count()", COUNT), ("timeout | stats count()", COUNT // 100)])
def test_what_the_catalog_or_templates_count_is_not_read(hours: Store, reader: Engine, text: str, counted: int) -> None:
    found, actual = _analyzed(hours, reader, text)
    assert found["counted_records"] == counted
    assert actual["rows"] == 1
    assert (actual["row_groups"], actual["bytes"], actual["rows_scanned"]) == (0, 0, 0)


def test_the_time_of_each_stage_is_told_and_fits_into_the_whole(hours: Store, reader: Engine) -> None:
    _, actual = _analyzed(hours, reader, "timeout status>=201", limit=0)
    spent = {stage["stage"]: stage for stage in actual["stages"]}
    assert list(spent) == [
        *("parse", "compile", "catalog", "indexes", "verdicts", "row_groups", "wait", "read", "sql"),
    ]
    assert all(stage["ms"] >= 0 for stage in spent.values())
    assert all(spent[stage]["ms"] > 0 for stage in ("parse", "compile", "indexes", "verdicts", "row_groups", "sql"))
    assert spent["sql"]["cpu_ms"] > 0
    assert sum(stage["ms"] for stage in spent.values()) <= actual["ms"] + 0.01


def test_pages_are_analyzed_from_their_cursor_on(hours: Store, reader: Engine) -> None:
    cursor = f"{START_NS + HOUR_NS}.{EACH}"
    _, actual = _analyzed(hours, reader, "timeout", cursor=cursor)
    assert actual["rows"] == EACH // 100


# Memory of answers, limits, neighbours


def test_a_remembered_answer_is_told_and_forgotten_with_new_records(store: Store, engine: Engine) -> None:
    append(store, [record(START_NS + i, f"n{i}") for i in range(100)])
    store.flush()

    def is_remembered(text: str = "n77", **asked: Any) -> object:
        return explain(store, engine, Request(text, **asked))["remembered"]

    assert is_remembered() is False
    with run(store, engine, Request("n77")) as answer:
        assert sum(batch.num_rows for batch in answer.batches()) == 1
    assert is_remembered() is True
    assert is_remembered(limit=5) is False
    assert is_remembered("n78") is False
    found, actual = _analyzed(store, engine, "n77")
    assert found["remembered"] is actual["remembered"] is True
    assert (actual["row_groups"], actual["rows_scanned"]) == (1, 100)
    append(store, [record(START_NS, "new")])
    assert is_remembered() is False
    assert _analyzed(store, engine, "n77")[1]["rows_scanned"] == 101


def test_segments_whose_part_of_an_answer_is_remembered_are_told(store: Store, engine: Engine) -> None:
    text = "* | stats count() by user"
    for hour in range(2):
        append(store, [record(START_NS + hour * HOUR_NS + i, f"n{i}", attributes={"user": i % 3}) for i in range(100)])
        store.flush()

    def remembered(**asked: Any) -> object:
        return explain(store, engine, Request(text, **asked)).get("remembered_segments", 0)

    def ask() -> None:
        append(store, [record(START_NS, "new")])
        with run(store, engine, Request(text)) as answer:
            assert sum(batch.num_rows for batch in answer.batches()) == 4

    ask()
    assert remembered() == 0  # it is worth it only for what is asked again
    ask()
    before = engine.parts.readings()
    assert remembered() == 2
    assert remembered(start_ns=START_NS + HOUR_NS) == 1
    assert remembered(start_ns=START_NS + HOUR_NS + 1) == 0  # the range cuts that segment
    assert engine.parts.readings() == before
    store.flush()
    found: Any = explain(store, engine, Request(text))
    assert (found["segments"]["read"], found["remembered_segments"], found["remembered"]) == (3, 2, False)
    assert "remembered_segments" not in explain(store, engine, Request("* | stats count() by pod, user"))


def test_a_run_for_its_cost_is_not_remembered(hours: Store, reader: Engine) -> None:
    found, actual = _analyzed(hours, reader, "h1n77")
    assert actual["rows"] == 1
    assert found["remembered"] is actual["remembered"] is False
    assert explain(hours, reader, Request("h1n77"))["remembered"] is False


def test_nothing_is_run_unless_asked_for(hours: Store, reader: Engine) -> None:
    assert "analyze" not in explain(hours, reader, Request("*"))


def test_a_run_for_its_cost_is_under_a_query_s_limits(store: Store) -> None:
    append(store, _made(0))
    secret = store.catalog.secret()
    settings = QuerySettings(timeout_s=0.005, concurrency=1, wait_s=0.01)
    limited = Engine(store.path / "segments", store.path / "spill", settings, secret)
    text = 'message=~"(a|b|c|d|e|f)*x(g|h|i)*y" | stats count() by message'
    with pytest.raises(QueryTimeout, match="query_timeout"):
        explain(store, limited, Request(text), analyze=True)
    explain(store, limited, Request(text))
    with limited.session(), pytest.raises(Busy, match="query_concurrency"):
        explain(store, limited, Request("*"), analyze=True)
    limited.close()


def test_a_run_for_its_cost_ends_with_the_one_who_asked(hours: Store, reader: Engine) -> None:
    asking = CancellableEngine(reader)
    asking.cancel()
    explain(hours, asking, Request("* | sort by message"))
    with pytest.raises(QueryCancelled):
        explain(hours, asking, Request("* | sort by message"), analyze=True)


def test_a_neighbour_is_not_profiled_and_nothing_is_printed(
    hours: Store, reader: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    setting = "SELECT coalesce(current_setting('enable_profiling'), '') = '' AS off"
    with reader.session() as neighbour:
        _analyzed(hours, reader, "h1n77")
        assert neighbour.fetch_numbers(setting)["off"].tolist() == [True]
        assert neighbour.cost.bytes == neighbour.cost.row_groups == 0
    with reader.session() as later:
        assert later.fetch_numbers(setting)["off"].tolist() == [True]
    out, _ = capfd.readouterr()
    assert "Table Scan" not in out
