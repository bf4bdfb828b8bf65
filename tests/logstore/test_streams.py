"""What the catalog tells of streams: totals that are kept, and which rows of which segments are theirs."""

import random
import sqlite3
from collections import Counter
from pathlib import Path

import pyarrow as pa

from logstore.catalog import Catalog
from logstore.settings import StoreSettings
from logstore.store import Store
from tests.logstore.records import BASE_NS, HOUR_NS, batch, random_batch

QUIET = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, compact_settle_s=0)


def _summed_anew(store: Store) -> list[dict[str, object]]:
    fresh = Catalog(store.directory.catalog, store.directory.segments)
    try:
        return _by_name(fresh.named(fresh.stream_totals()))
    finally:
        fresh.close()


def _by_name(totals: pa.Table) -> list[dict[str, object]]:
    return sorted(totals.to_pylist(), key=lambda row: [row[name] for name in ("namespace", "pod", "labels")])


def test_kept_totals_are_those_of_a_sum_after_flushes_merges_and_retention(tmp_path: Path) -> None:
    chance = random.Random(4)
    with Store.open(tmp_path, QUIET) as store:
        assert store.streams().num_rows == 0
        for name in ("one", "two", "three"):
            store.append(random_batch(chance, 60, name)).result()
            store.flush()
            assert _by_name(store.streams()) == _summed_anew(store)
        before = _summed_anew(store)
        assert store.compact() > 0
        assert _by_name(store.streams()) == _summed_anew(store) == before
        size = sum(segment.bytes for segment in store.snapshot().segments)
    with Store.open(tmp_path, StoreSettings(retention_bytes=size // 2, compact_interval_s=3_600)) as store:
        assert _by_name(store.streams()) == before
        assert store.retain() > 0
        left = sum(segment.rows for segment in store.snapshot().segments)
        assert _by_name(store.streams()) == _summed_anew(store) != before
        assert sum(store.streams()["records"].to_pylist()) == left < 180


def test_rows_of_a_pod_are_those_of_the_segments_asked_about(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        for hour in range(4):
            pods = ["web", "api", "web", "db"]
            store.append(batch(list("abcd"), pod=pods, time_ns=BASE_NS + hour * HOUR_NS)).result()
            store.flush()
        ids = [segment.id for segment in store.snapshot().segments]
        rows = store.catalog.rows_of({"pod": ["web", "db"]}, ids)
        assert {key: Counter(count for _, count in found) for key, found in rows.items()} == {
            segment: {2: 1, 1: 1} for segment in ids
        }
        assert set(store.catalog.rows_of({"pod": ["web"]}, [ids[0], ids[3]])) == {ids[0], ids[3]}
        assert store.catalog.rows_of({"pod": ["web"]}, []) == {}
        assert store.catalog.rows_of({"pod": ["web"], "namespace": ["other"]}, ids) == {}


def test_a_catalog_without_our_indexes_gets_them(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["x"])).result()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        connection.execute("DROP INDEX ix_stream_ranges_stream_segment")
        connection.execute("CREATE INDEX ix_stream_ranges_stream ON stream_ranges (stream)")
    connection.close()
    with Store.open(tmp_path, QUIET):
        pass
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        names = {row[1] for row in connection.execute("PRAGMA index_list(stream_ranges)")}
        asked = "EXPLAIN QUERY PLAN SELECT rows FROM stream_ranges WHERE stream IN (1, 2) AND segment BETWEEN 1 AND 9"
        (how,) = [row[3] for row in connection.execute(asked)]
    connection.close()
    assert "ix_stream_ranges_stream_segment" in names
    assert "ix_stream_ranges_stream" not in names
    assert "(stream=? AND segment>? AND segment<?)" in how


def test_segments_behind_a_symbolic_link_are_there_when_the_store_is_opened(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    with Store.open(data, QUIET) as store:
        store.append(batch(["x", "y"])).result()
    (namespace,) = (data / "segments").glob("cluster=*/namespace=*")
    namespace.rename(elsewhere)
    namespace.symlink_to(elsewhere)
    with Store.open(data, QUIET) as store:
        assert sum(segment.rows for segment in store.snapshot().segments) == 2
        assert store.metrics.read()["missing_segments"] == 0


def test_streams_of_which_retention_left_nothing_are_gone_from_the_catalog(tmp_path: Path) -> None:
    def names() -> list[str]:
        with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
            return sorted(pod for (pod,) in connection.execute("select pod from streams"))

    with Store.open(tmp_path, QUIET) as store:
        for hour, pods in enumerate((["gone-1", "stays"], ["gone-2", "stays"], ["stays", "new"])):
            store.append(batch(["a", "b"], pod=pods, time_ns=BASE_NS + hour * HOUR_NS)).result()
            store.flush()
        last = max(store.snapshot().segments, key=lambda segment: segment.min_seq)
    assert names() == ["gone-1", "gone-2", "new", "stays"]
    with Store.open(tmp_path, StoreSettings(retention_bytes=last.bytes, compact_interval_s=3_600)) as store:
        assert store.retain() == 2
        assert names() == ["new", "stays"]
        store.append(batch(["c", "d"], pod=["gone-1", "stays"], time_ns=BASE_NS)).result()
        store.flush()
        found = store.streams().to_pylist()
        assert sorted((row["pod"], row["records"]) for row in found) == [("gone-1", 1), ("new", 1), ("stays", 2)]
        assert _by_name(store.streams()) == _summed_anew(store)
