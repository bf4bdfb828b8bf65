"""Tails against what was posted: nothing lost, nothing twice, and told where something was missed."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from logstore.errors import Busy, InvalidInput, InvalidQuery
from logstore.settings import StoreSettings
from logstore.store import Store
from query import follower as follower_module
from query.catchup import Backlog, parse_backlog, parse_cursor
from query.engine import Engine
from query.events import Failed, Heartbeat, Mark, Records, as_ndjson, as_sse
from query.follower import MARK_S
from query.tail import Follower, Hub, TailSettings
from tests.execution.records import START_NS, append, random_records, record

WAIT_S = 10.0


@pytest.fixture
def hub(store: Store, engine: Engine) -> Iterator[Hub]:
    hub = Hub(store, engine)
    yield hub
    hub.close()


@dataclass
class Reader:
    """Reads a tail as the server does, and keeps what it was told."""

    hub: Hub
    text: str
    options: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    failure: Failed | None = None

    def __post_init__(self) -> None:
        self.follower: Follower = self.hub.subscribe(self.text, notify=self.ready.set, **self.options)
        for event in self.follower.backlog():
            self.keep(event)

    def keep(self, event: object) -> None:
        match event:
            case Records():
                self.rows += [json.loads(line) for line in event.lines.splitlines()]
                self.seqs += event.seqs
            case Mark():
                self.marks.append(event)
            case Failed():
                self.failure = event

    def read(self, count: int) -> list[dict[str, Any]]:
        """Until so many rows are there."""
        deadline_s = time.monotonic() + WAIT_S
        while len(self.rows) < count and time.monotonic() < deadline_s:
            self.ready.wait(0.5)
            self.ready.clear()
            for event in self.follower.take():
                self.keep(event)
        return self.rows

    def end(self) -> str:
        """The last cursor."""
        for event in self.follower.finish():
            self.keep(event)
        self.follower.close()
        return self.marks[-1].cursor

    @property
    def messages(self) -> list[str]:
        return [row["message"] for row in self.rows]


def some(*messages: str, **others: Any) -> list[dict[str, Any]]:
    return [record(START_NS + i, message, **others) for i, message in enumerate(messages)]


def test_a_tail_begins_with_what_comes_after_it(store: Store, hub: Hub) -> None:
    append(store, some("before"))
    reader = Reader(hub, "*")
    append(store, some("one", "two"))
    assert [row["message"] for row in reader.read(2)] == ["one", "two"]
    assert reader.seqs == [1, 2]


def test_a_record_of_a_tail_is_that_of_a_query(store: Store, hub: Hub) -> None:
    reader = Reader(hub, "*")
    append(store, some("hello", labels={"app": "web"}, attributes={"n": 1}, trace_id="ab"))
    assert reader.read(1) == [
        {
            "time": "2026-01-01T00:00:00.000000000Z",
            "cluster": "c1",
            "namespace": "shop",
            "pod": "web-1",
            "container": "app",
            "stream": "stdout",
            "severity": "info",
            "message": "hello",
            "trace_id": "ab",
            "labels": {"app": "web"},
            "attributes": {"n": 1},
        }
    ]


def test_each_reader_gets_what_its_own_query_finds(store: Store, hub: Hub) -> None:
    rows = random_records(2_000, seed=5)
    readers = {
        text: Reader(hub, text, {"with_seq": True})
        for text in ("error", "pod=web-1", "error pod=web-1", "status>=404", "not error", "pod=nowhere", '"größe ok"')
    }
    for start in range(0, 2_000, 100):
        append(store, rows[start : start + 100])
    expected = {
        "error": [i for i, r in enumerate(rows) if "error" in r["message"]],
        "pod=web-1": [i for i, r in enumerate(rows) if r["pod"] == "web-1"],
        "error pod=web-1": [i for i, r in enumerate(rows) if "error" in r["message"] and r["pod"] == "web-1"],
        "status>=404": [i for i, r in enumerate(rows) if ((r["attributes"] or {}).get("status") or 0) >= 404],
        "not error": [i for i, r in enumerate(rows) if "error" not in r["message"]],
        "pod=nowhere": [],
        '"größe ok"': [i for i, r in enumerate(rows) if "größe ok" in r["message"]],
    }
    for text, reader in readers.items():
        reader.read(len(expected[text]))
        assert [row["_seq"] for row in reader.rows] == expected[text], text
        assert reader.seqs == expected[text]


def test_row_wise_pipes_apply(store: Store, hub: Hub) -> None:
    reader = Reader(hub, "n:* | extend double = n * 2 | where double > 4 | fields double, message")
    append(store, some("a", attributes={"n": 1}) + some("b", attributes={"n": 3}) + some("c"))
    assert reader.read(1) == [{"double": 6, "message": "b"}]
    assert reader.seqs == [1]


def test_what_is_no_row_wise_query_is_refused_at_its_place(hub: Hub) -> None:
    for text in ("* | stats count()", "* | sort by time", "* | limit 3", "pod in (* | fields pod)"):
        with pytest.raises(InvalidQuery) as caught:
            hub.subscribe(text)
        assert caught.value.hint
    with pytest.raises(InvalidQuery):
        hub.subscribe('message=~"("')
    assert hub.followers == 0


@pytest.mark.parametrize("is_flushed", [False, True])
def test_a_cursor_resumes_without_loss_or_repeat(store: Store, hub: Hub, is_flushed: bool) -> None:
    rows = random_records(600, seed=6)
    first = Reader(hub, "error", {"with_seq": True})
    append(store, rows[:200])
    expected = [i for i, row in enumerate(rows) if "error" in row["message"]]
    first.read(sum(i < 200 for i in expected))
    cursor = first.end()
    append(store, rows[200:400])
    if is_flushed:
        store.flush()
    second = Reader(hub, "error", {"with_seq": True, "cursor": parse_cursor(cursor)})
    append(store, rows[400:])
    second.read(len(expected) - len(first.rows))
    assert [row["_seq"] for row in first.rows + second.rows] == expected
    assert second.seqs == expected[len(first.rows) :]


def test_a_cursor_resumes_while_records_keep_coming(store: Store, hub: Hub) -> None:
    rows = random_records(20_000, seed=7)
    append(store, rows[:12_000])
    store.flush()

    def post() -> None:
        for start in range(12_000, 20_000, 200):
            append(store, rows[start : start + 200])

    posting = threading.Thread(target=post)
    posting.start()
    reader = Reader(hub, "*", {"cursor": -1})
    posting.join()
    reader.read(20_000)
    assert reader.seqs == list(range(20_000))
    cursors = [int(mark.cursor) for mark in reader.marks]
    assert cursors == sorted(cursors)
    assert reader.end() == "19999"


def test_a_backlog_is_the_newest_records_oldest_first(store: Store, hub: Hub) -> None:
    append(store, [record(START_NS + i, f"line {i}") for i in (3, 1, 2)])
    store.flush()
    append(store, [record(START_NS + i, f"line {i}") for i in (0, 4)])
    reader = Reader(hub, "line", {"backlog": Backlog(rows=3)})
    append(store, [record(START_NS, "line live")])
    reader.read(4)
    assert reader.messages == ["line 2", "line 3", "line 4", "line live"]
    assert reader.marks[0] == Mark("4")


def test_a_backlog_of_some_time(store: Store, hub: Hub) -> None:
    now_ns = time.time_ns()
    append(store, [record(now_ns - age_s * 10**9, f"{age_s}") for age_s in (7_200, 30, 90, 10)])
    reader = Reader(hub, "*", {"backlog": Backlog(age_ns=60 * 10**9), "now_ns": now_ns})
    assert reader.messages == ["30", "10"]


def test_a_backlog_of_many_batches_is_in_order(store: Store, hub: Hub) -> None:
    append(store, [record(START_NS + i, f"{i}") for i in range(20_000)])
    reader = Reader(hub, "*", {"backlog": Backlog(rows=15_000)})
    assert reader.messages == [str(i) for i in range(5_000, 20_000)]


def test_backlogs_and_cursors_are_read(store: Store) -> None:
    assert parse_backlog("10") == Backlog(rows=10)
    assert parse_backlog("15m") == Backlog(age_ns=900 * 10**9)
    assert parse_cursor("17") == 17
    assert parse_cursor("1767225600000000000.17") == 17
    for text in ("", "x", "1x", "999999999"):
        with pytest.raises(InvalidInput):
            parse_backlog(text)
    with pytest.raises(InvalidInput):
        parse_cursor("x")


def test_a_slow_reader_is_told_how_many_it_missed_and_can_get_them(
    store: Store, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "QUEUE_BYTES", 10_000)
    slow = Reader(hub, "*", {"with_seq": True})
    quick = Reader(hub, "*")
    for i in range(20):
        append(store, some(*(f"{i} {j}" for j in range(10))))
        quick.read((i + 1) * 10)
    slow.read(1)
    missed = next(mark for mark in slow.marks if mark.missed)
    assert len(slow.rows) + missed.missed == 200
    assert int(missed.cursor) == slow.rows[-1]["_seq"]
    append(store, some("after"))
    assert slow.read(len(slow.rows) + 1)[-1]["message"] == "after"
    again = Reader(hub, "*", {"with_seq": True, "cursor": parse_cursor(missed.cursor)})
    assert [row["_seq"] for row in again.rows] == list(range(int(missed.cursor) + 1, 201))


def test_a_reader_of_a_store_whose_numbers_begin_late_has_missed_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data", StoreSettings(writer=3)) as store:
        engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
        hub = Hub(store, engine)
        reader = Reader(hub, "*")
        append(store, some("first"))
        reader.read(1)
        assert reader.seqs == [3 << 48]
        assert reader.end() == str(3 << 48)
        assert not any(mark.missed for mark in reader.marks)
        hub.close()
        engine.close()


def test_readers_are_told_what_the_ring_had_to_forget(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data", StoreSettings(recent_bytes=1)) as store:
        follow = store.follow(-1)
        for i in range(5):
            append(store, some(f"{i}"))
            with store.snapshot():
                pass
        found = follow.next(WAIT_S)
        assert found is not None
        assert follow.missed + found.num_rows == 5


def test_silence_has_heartbeats_with_cursors(store: Store, hub: Hub) -> None:
    append(store, some("a"))
    follower = hub.subscribe("nothing")
    append(store, some("b"))
    events: list[object] = []
    deadline_s = time.monotonic() + MARK_S + 2
    while not events and time.monotonic() < deadline_s:
        time.sleep(0.1)
        events += follower.take()
    assert events == [Heartbeat(), Mark("1")]
    assert MARK_S < 10


def test_many_readers_of_equal_queries_cost_one(store: Store, hub: Hub) -> None:
    readers = [Reader(hub, "error") for _ in range(200)]
    append(store, some("error 1", "fine"))
    for reader in readers:
        assert [row["message"] for row in reader.read(1)] == ["error 1"]
    assert len(hub._groups) == 1
    for reader in readers:
        reader.follower.close()
    assert hub.followers == 0
    assert hub._follow is None


def test_too_many_readers_are_told_the_limit(store: Store, engine: Engine) -> None:
    hub = Hub(store, engine, TailSettings(max_followers=2))
    followers = [hub.subscribe("*"), hub.subscribe("*")]
    with pytest.raises(Busy, match="tail_max_followers"):
        hub.subscribe("*")
    followers[0].close()
    hub.subscribe("*")
    hub.close()


def test_events_as_lines_and_as_server_sent_events() -> None:
    records = Records(b'{"a":1}\n{"a":2}\n', 2, (7, 9))
    assert as_ndjson(records) == b'{"a":1}\n{"a":2}\n'
    assert as_sse(records) == b'id: 7\ndata: {"a":1}\n\nid: 9\ndata: {"a":2}\n\n'
    assert as_sse(Records(records.lines, 2)) == b'data: {"a":1}\n\ndata: {"a":2}\n\n'
    assert as_ndjson(Mark("9", 3)) == b'{"@tail": {"cursor": "9", "missed": 3}}\n'
    assert as_sse(Mark("9")) == b'id: 9\nevent: tail\ndata: {"@tail": {"cursor": "9"}}\n\n'
    assert as_ndjson(Heartbeat()) == b"\n"
    assert as_ndjson(Failed(Busy("no"))) == b'{"@error": {"error": "no"}}\n'
