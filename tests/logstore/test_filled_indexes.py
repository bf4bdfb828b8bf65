"""Indexes that are loaded before anybody asks for them."""

import threading
from pathlib import Path

from logstore.indexes import Indexes
from logstore.settings import StoreSettings
from logstore.store import Store
from tests.logstore.records import BASE_NS, HOUR_NS, batch

SEGMENTS = 8
QUIET = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600)


def test_the_oldest_go_first_where_there_is_no_room(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        for hour in range(SEGMENTS):
            store.append(batch(["line 1"], time_ns=[BASE_NS + hour * HOUR_NS])).result()
            store.flush()
        segments = store.snapshot().segments
        whole = Indexes(store.directory, 1 << 30)
        whole.fill(segments, threading.Event())
        assert whole.readings()["index_loads"] == SEGMENTS
        one_bytes = int(whole.readings()["index_cache_bytes"]) // SEGMENTS

        indexes = Indexes(store.directory, int(one_bytes * 4.5))
        indexes.fill(segments, threading.Event())
        loaded = indexes.readings()
        assert loaded["index_cache_segments"] == loaded["index_loads"] == 4
        oldest_first = sorted(segments, key=lambda segment: segment.max_time_ns)
        indexes.of(oldest_first[:2])
        indexes.of(oldest_first[-2:])
        assert indexes.readings()["index_loads"] == 4 + 2


def test_none_is_loaded_once_the_store_closes(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["line 1"])).result()
        store.flush()
        stopping = threading.Event()
        stopping.set()
        indexes = Indexes(store.directory, 1 << 30)
        indexes.fill(store.snapshot().segments, stopping)
        assert indexes.readings()["index_loads"] == 0
