"""Indexes in memory, loaded before anybody asks for them, and built again where they are gone."""

import random
import shutil
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from logstore.errors import Damaged
from logstore.files import DataDirectory
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


def test_lines_that_are_hardly_alike_take_next_to_no_memory(tmp_path: Path) -> None:
    chance = random.Random(1)
    prose = ["".join(chance.choices("abcdefghij ", k=1_000)) for _ in range(500)]
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(prose + ["order 17"] * 50)).result()
        store.flush()
        (known,), texts = store.indexes.of(list(store.snapshot().segments))
        assert known is not None
        assert [text.as_py() for chunk in texts.chunks for text in chunk] == ["order \x1a"]
        assert known.index.presence_rows[known.entries == -1].sum() == len(prose)
        assert store.indexes.readings()["index_cache_bytes"] < 5_000
        assert store.indexes.readings()["index_template_bytes"] < 100


def test_a_few_records_are_all_told_apart(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch([f"{'-' * length} came" for length in range(200)])).result()
        store.flush()
        (known,), _ = store.indexes.of(list(store.snapshot().segments))
        assert known is not None
        assert len(known.index.templates) == 200 and -1 not in known.entries


def test_none_is_loaded_once_the_store_closes(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["line 1"])).result()
        store.flush()
        stopping = threading.Event()
        stopping.set()
        indexes = Indexes(store.directory, 1 << 30)
        indexes.fill(store.snapshot().segments, stopping)
        assert indexes.readings()["index_loads"] == 0


def test_an_index_that_is_missing_or_damaged_is_built_again(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["order 17", "order 18"])).result()
        store.flush()
        (segment,) = store.snapshot().segments
        path = store.directory.index_of(segment.path)
        whole = path.read_bytes()
    for broken in (None, whole[:-1], whole[:10], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.unlink() if broken is None else path.write_bytes(broken)
        with Store.open(tmp_path, QUIET) as store:
            assert store.indexes.of([segment])[0] == [None]
            assert store.rebuild_indexes() == 1
            assert path.read_bytes() == whole
            (known,), texts = store.indexes.of([segment])
            assert known is not None
            assert [text.as_py() for chunk in texts.chunks for text in chunk] == ["order \x1a"]


def test_where_all_are_gone_one_that_cannot_be_built_again_keeps_no_other(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        names = [f"shop-{i}" for i in range(9)]
        store.append(batch([f"order of {name}" for name in names], namespace=names)).result()
        store.flush()
        segments = store.snapshot().segments
        before = [store.directory.index_of(segment.path).read_bytes() for segment in segments]
        broken = segments[4].path
    shutil.rmtree(tmp_path / "indexes")
    indexes = Indexes(DataDirectory(tmp_path), 1 << 30)
    with capture_logs() as logs:
        indexes.fill(segments, threading.Event())
    assert indexes.readings()["indexes_unreadable"] == len(names)
    assert [line["event"] for line in logs] == ["an index is built again"], "all of them are one line"
    with Store.open(tmp_path, QUIET) as store:
        whole = broken.read_bytes()
        broken.write_bytes(whole[:-1])
        assert indexes.rebuild(store._rebuild_index, lambda: indexes.readings()["indexes_unreadable"] == 8) == 1
        with pytest.raises(Damaged) as raised:
            indexes.rebuild(store._rebuild_index, lambda: False)
        assert broken.name in "".join(raised.value.__notes__)
        assert indexes.readings() | {"indexes_unreadable": 0, "index_rebuilds": 8} == indexes.readings()
        assert indexes.of(segments)[0].index(None) == 4

        broken.write_bytes(whole)
        with capture_logs() as logs:
            assert indexes.rebuild(store._rebuild_index, lambda: False) == 1
        assert [store.directory.index_of(segment.path).read_bytes() for segment in segments] == before
        assert {"event": "indexes were built again", "log_level": "info", "segments": 1, "left": 0} in logs


def test_indexes_in_memory_hold_no_files_open(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        names = [f"shop-{i}" for i in range(20)]
        store.append(batch(["order 1"] * len(names), namespace=names)).result()
        store.flush()
        segments = list(store.snapshot().segments)
        before = len(list(Path("/proc/self/fd").iterdir()))
        known, _ = store.indexes.of(segments)
        assert None not in known
        assert len(list(Path("/proc/self/fd").iterdir())) < before + len(names)
        readings = store.indexes.readings()
        assert readings["index_cache_segments"] == readings["index_loads"] == len(names)
        store.indexes.forget(segments)
        assert store.indexes.readings() == {**readings, "index_cache_segments": 0, "index_cache_bytes": 0}


def test_an_index_without_its_segment_goes_when_the_store_is_opened(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        orphan = store.directory.indexes / "cluster=a" / "gone.index"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"anything")
    with Store.open(tmp_path, QUIET):
        assert not orphan.exists()
