"""What becomes of segments between a question's snapshot and its look into the catalog changes no answer."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logstore.settings import StoreSettings
from logstore.store import Store
from query.cost import Cost, Trial
from query.engine import Engine
from query.execute import run_parsed
from query.parser import parse
from query.request import Request, split_limit
from tests.execution.records import S_NS, START_NS, append, record

PODS = ("web-1", "web-2", "db")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    quiet = StoreSettings(row_group_rows=64, compact_files=2, join_files=2, compact_interval_s=3_600, flush_age_s=3_600)
    with Store.open(tmp_path / "data", quiet) as opened:
        for part in range(3):
            times = [START_NS + (part * 100 + at) * S_NS for at in range(30)]
            append(opened, [record(time_ns, "a line", pod=PODS[at % 3]) for at, time_ns in enumerate(times)])
            opened.flush()
        yield opened


def compact(store: Store, _: pytest.MonkeyPatch) -> None:
    assert store.compact()


def expire(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logstore.retain.expired", lambda segments, *_: list(segments))
    assert store.retain() == 3


def expire_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only one that has a pod of its own."""
    append(store, [record(START_NS, "a line", pod="only")])
    store.flush()
    with store.snapshot() as snapshot:
        newest = max(snapshot.segments, key=lambda segment: segment.id)
    monkeypatch.setattr("logstore.retain.expired", lambda *_: [newest])


@pytest.mark.parametrize("change", [compact, expire])
@pytest.mark.parametrize(
    ("text", "pods"),
    [
        ('pod=~"^web" | fields pod', ("web-1", "web-2")),
        ('pod$="2" | fields pod', ("web-2",)),
        ("pod!=db | fields pod", ("web-1", "web-2")),
        ("pod=db | fields pod", ("db",)),
        ('pod=~"nowhere" | fields pod', ()),
        ('namespace=~"nowhere" | fields pod', ()),
        ('container=~"app" pod!=db | fields pod', ("web-1", "web-2")),
    ],
)
def test_a_question_reads_what_its_snapshot_has(
    store: Store,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Store, pytest.MonkeyPatch], None],
    text: str,
    pods: tuple[str, ...],
) -> None:
    assert _found(store, engine, text, lambda: change(store, monkeypatch)) == dict.fromkeys(pods, 30)


def test_a_pod_that_expires_meanwhile_is_not_taken_for_one_of_the_others(
    store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire_one(store, monkeypatch)
    assert _found(store, engine, "pod!=only | fields pod", store.retain) == dict.fromkeys(PODS, 30)


def _found(store: Store, engine: Engine, text: str, change: Callable[[], object]) -> Counter[str]:
    """The pods of a question's answer, asked of a snapshot of before the change."""
    query, own_rows = split_limit(parse(text, 0))
    request = Request(text, limit=0)
    with store.snapshot() as snapshot:
        change()
        with run_parsed(store, engine, query, own_rows, request, trial=Trial(snapshot, Cost())) as answer:
            return Counter(pod for batch in answer.batches() for pod in batch.column("pod").to_pylist())
