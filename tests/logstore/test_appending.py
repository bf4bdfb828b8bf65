"""Writing while the buffer is full: small batches have a reserve, everything else waits for a flush."""

from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import pytest

from logstore.appending import SMALL_BYTES
from logstore.keys import Ack
from logstore.settings import StoreSettings
from logstore.store import Store
from tests.logstore.records import batch

TIMEOUT_S = 20.0
BUFFER_BYTES = 4_000_000
RESERVE_BYTES = BUFFER_BYTES // 16
LARGE_BYTES = 500_000
SETTINGS = StoreSettings(buffer_bytes=BUFFER_BYTES, flush_age_s=3_600, compact_interval_s=3_600)


@pytest.fixture
def obstacle(store: Store) -> Path:
    """A file where the segments' directories belong, without which nothing can be flushed."""
    path = store.directory.segments / "cluster=default"
    path.write_bytes(b"")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, SETTINGS) as opened:
        yield opened


def large(store: Store, number: int) -> Future[Ack]:
    return store.append(batch([f"large {number} " + "x" * 1_000] * 400))


def small(store: Store, number: int) -> Future[Ack]:
    return store.append(batch([f"small {number} " + "x" * 1_000] * 20))


def fill(store: Store) -> list[Future[Ack]]:
    """Appends large batches, one after the other, until one has to wait for a flush."""
    appended: list[Future[Ack]] = []
    while store.metrics.read().get("buffer_full", 0) == 0:
        assert len(appended) < 40
        appended.append(large(store, len(appended)))
        wait(appended[-1:], 0.3)
    return appended


def count(store: Store) -> int:
    with store.snapshot() as snapshot:
        return int(snapshot.buffer.num_rows + snapshot.segments.rows.sum())


def test_small_batches_are_written_while_large_ones_wait_and_have_a_bound_too(store: Store, obstacle: Path) -> None:
    waiting = fill(store)
    assert not waiting[-1].done()
    first = small(store, 0)
    assert first.result(TIMEOUT_S).rows == 20
    assert not waiting[-1].done()
    more = [small(store, number) for number in range(1, 3 * RESERVE_BYTES // (20 * 1_000))]
    done, left = wait(more, 0.5)
    most_bytes = BUFFER_BYTES + LARGE_BYTES + RESERVE_BYTES + SMALL_BYTES  # a large one may be what filled it
    assert done and left and store.buffer.bytes < most_bytes
    obstacle.unlink()
    everything = [*waiting, first, *more]
    assert not wait(everything, TIMEOUT_S).not_done
    assert count(store) == sum(one.result().rows for one in everything)


def test_large_batches_get_their_turn_among_many_small_ones(store: Store) -> None:
    appended = [make(store, number) for number in range(60) for make in (small, small, large)]
    assert not wait(appended, TIMEOUT_S).not_done
    assert count(store) == sum(one.result().rows for one in appended)
