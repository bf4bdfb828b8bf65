"""The store end to end: what is acknowledged is there once, whatever is flushed, merged, copied or killed when."""

import json
import os
import random
import shutil
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import duckdb
import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from logstore import index, wal
from logstore.backup import backup
from logstore.enrich import whole
from logstore.errors import Busy, Damaged, InvalidSettings, KeyConflict, Unavailable
from logstore.files import DataDirectory
from logstore.index import Index
from logstore.keys import IdempotencyKey
from logstore.record import SCHEMA, STORED
from logstore.segment import TEMPLATE
from logstore.settings import PARTITIONS, StoreSettings
from logstore.store import Store
from logstore.templates import UNASSIGNED
from tests.logstore.records import BASE_NS, HOUR_NS, batch, random_batch

QUIET = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600)


@pytest.fixture(
    params=[*((partition_by, 8_192) for partition_by in PARTITIONS), (PARTITIONS[0], 8)],
    ids=["by-namespace", "by-container-hour", "joined"],
)
def settings(request: pytest.FixtureRequest) -> StoreSettings:
    partition_by, row_group_rows = request.param
    return StoreSettings(
        partition_by=partition_by,
        row_group_rows=row_group_rows,
        flush_age_s=3_600,
        compact_interval_s=3_600,
        compact_files=2,
        join_files=2,
    )


def rows(table: pa.Table) -> list[dict[str, object]]:
    """Times as nanoseconds."""
    times = pc.cast(table["time"], pa.timestamp("ns")).cast(pa.int64())
    return table.set_column(table.schema.get_field_index("time"), "time", times).to_pylist()


def records(store: Store) -> list[dict[str, object]]:
    """Everything a snapshot holds, read with plain DuckDB and pyarrow, in the order of acceptance."""
    with store.snapshot() as snapshot:
        found = rows(whole(snapshot.buffer))
        for segment in snapshot.segments:
            query = "SELECT * EXCLUDE (date) FROM read_parquet(?, hive_partitioning=true, hive_types_autocast=false)"
            read = duckdb.sql(query, params=[str(segment.path)]).to_arrow_table()
            found += [{name: row[name] for name in STORED.names} for row in rows(read)]
    return sorted(found, key=lambda record: record["_seq"])  # type: ignore[arg-type,return-value]


def messages(store: Store) -> list[object]:
    return [record["message"] for record in records(store)]


def numbered(batches: list[pa.RecordBatch]) -> list[dict[str, object]]:
    read = rows(pa.Table.from_batches(batches, schema=SCHEMA))
    return [{**row, "_seq": seq} for seq, row in enumerate(read)]


def copy_of(store: Store, target: Path) -> Path:
    """The directory as a kill -9 at this moment would leave it."""
    shutil.copytree(store.path, target, copy_function=_copy_if_there)
    return target


def _copy_if_there(source: str, target: str) -> str:
    if Path(source).exists():
        shutil.copyfile(source, target)
    return target


def test_records_are_the_same_from_buffer_segments_both_merged_and_reopened(
    tmp_path: Path, settings: StoreSettings
) -> None:
    rng = random.Random(1)
    batches = [random_batch(rng, rng.randrange(1, 80), f"b{i}") for i in range(12)]
    expected = numbered(batches)
    with Store.open(tmp_path, settings) as store:
        for one in batches[:5]:
            store.append(one).result()
        assert records(store) == expected[: sum(b.num_rows for b in batches[:5])]
        store.flush()
        for one in batches[5:9]:
            store.append(one).result()
        store.flush()
        for one in batches[9:]:
            store.append(one).result()
        assert records(store) == expected
        assert store.compact() > 0
        assert records(store) == expected
        store.flush()
        assert records(store) == expected
        with store.snapshot() as snapshot:
            assert snapshot.buffer.num_rows == 0
    with Store.open(tmp_path, settings) as store:
        assert records(store) == expected


def test_a_layout_can_be_switched_and_is_rewritten_by_compaction(tmp_path: Path) -> None:
    one = random_batch(random.Random(2), 200, "x")
    with Store.open(tmp_path, StoreSettings(partition_by=PARTITIONS[0])) as store:
        store.append(one).result()
    with Store.open(tmp_path, StoreSettings(partition_by=PARTITIONS[1], compact_interval_s=3_600)) as store:
        assert records(store) == numbered([one])
        store.compact()
        assert records(store) == numbered([one])
        with store.snapshot() as snapshot:
            assert all("pod=" in str(segment.path) and "hour=" in str(segment.path) for segment in snapshot.segments)


def test_an_image_taken_at_any_moment_holds_every_acknowledged_record_once(
    tmp_path: Path, settings: StoreSettings
) -> None:
    eager = StoreSettings(
        partition_by=settings.partition_by,
        flush_bytes=20_000,
        flush_age_s=0.2,
        wal_file_bytes=50_000,
        compact_interval_s=0.1,
        compact_files=2,
    )
    rng = random.Random(3)
    acknowledged: list[str] = []
    with Store.open(tmp_path / "live", eager) as store:
        for round_ in range(6):
            for i in range(rng.randrange(5, 25)):
                one = random_batch(rng, rng.randrange(1, 60), f"r{round_}b{i}")
                store.append(one).result()
                acknowledged += one["message"].to_pylist()
            expected = list(acknowledged)
            image = tmp_path / f"image{round_}"
            backup(store.path, image)
            with Store.open(image, eager) as recovered:
                assert messages(recovered) == expected


def test_a_torn_tail_is_cut_and_the_rest_is_there(tmp_path: Path) -> None:
    with Store.open(tmp_path / "live", QUIET) as store:
        store.append(batch(["kept"])).result()
        image = copy_of(store, tmp_path / "image")
    (path,) = wal.wal_files(image / "wal")
    with path.open("ab") as file:
        file.write(b"LSWE\xff\xff\x00\x00 half an entry")
    with Store.open(image, QUIET) as store:
        assert messages(store) == ["kept"]
        store.append(batch(["after"])).result()
        assert messages(store) == ["kept", "after"]


def test_damage_in_the_middle_is_set_aside_named_and_costs_only_itself(tmp_path: Path) -> None:
    with Store.open(tmp_path / "live", QUIET) as store:
        for name in ("one", "two", "three"):
            store.append(batch([name])).result()
        image = copy_of(store, tmp_path / "image")
    (path,) = wal.wal_files(image / "wal")
    content = bytearray(path.read_bytes())
    second = [i for i in range(len(content)) if content.startswith(b"LSWE", i)][1]
    content[second + 60] ^= 1
    path.write_bytes(content)
    with Store.open(image, QUIET) as store:
        assert messages(store) == ["one", "three"]
        assert store.metrics.read()["damaged_wal_ranges"] == 1
        assert len(list(store.directory.damaged.iterdir())) == 1


def test_files_that_no_transaction_published_are_retired_not_deleted(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["x"])).result()
    (segment,) = DataDirectory(tmp_path).segments.rglob("*.parquet")
    orphan = segment.with_name("orphan.parquet")
    shutil.copyfile(segment, orphan)
    with Store.open(tmp_path, QUIET) as store:
        assert messages(store) == ["x"]
        assert not orphan.exists()
        assert len(list(store.directory.retired.glob("*orphan.parquet"))) == 1


def test_numbers_are_never_given_out_twice(tmp_path: Path) -> None:
    settings = StoreSettings(retention_age_s=0.0, compact_interval_s=3_600)
    with Store.open(tmp_path, settings) as store:
        last = store.append(batch(["x", "y"])).result()
        store.flush()
        time.sleep(0.001)
        assert store.retain() == 1
    with Store.open(tmp_path, settings) as store:
        assert store.append(batch(["z"])).result().first_seq >= last.first_seq + last.rows


def test_a_repeated_key_is_stored_once_in_flight_in_the_wal_in_the_catalog_and_after_a_crash(tmp_path: Path) -> None:
    key = IdempotencyKey("k", b"digest")
    with Store.open(tmp_path / "live", QUIET) as store:
        first, second = (store.append(batch(["once"]), b"receipt", key) for _ in range(2))
        assert first.result() == second.result()
        image = copy_of(store, tmp_path / "image")
        store.flush()
        assert store.append(batch(["once"]), b"other", key).result().receipt == b"receipt"
        with pytest.raises(KeyConflict):
            store.append(batch(["else"]), b"", IdempotencyKey("k", b"another"))
        assert messages(store) == ["once"]
    for _ in range(2):
        with Store.open(image, QUIET) as store:
            assert store.append(batch(["once"]), b"other", key).result().receipt == b"receipt"
            assert messages(store) == ["once"]


def test_a_follower_sees_every_record_in_order_while_they_are_flushed_away(tmp_path: Path) -> None:
    settings = StoreSettings(flush_bytes=2_000, flush_age_s=0.05, compact_interval_s=0.05, compact_files=2)
    with Store.open(tmp_path, settings) as store:
        follow = store.follow(store.last_seq)
        writer = threading.Thread(
            target=lambda: [store.append(batch([f"{i}-{j}" for j in range(7)])).result() for i in range(60)]
        )
        writer.start()
        seen: list[str] = []
        while len(seen) < 420:
            records_ = follow.next(timeout_s=10)
            assert records_ is not None
            seen += records_["message"].to_pylist()
        writer.join()
        assert seen == [f"{i}-{j}" for i in range(60) for j in range(7)]
        assert follow.missed == 0


def test_a_follower_that_is_too_slow_is_told_how_many_it_missed(tmp_path: Path) -> None:
    with Store.open(tmp_path, StoreSettings(recent_bytes=20_000, flush_age_s=3_600)) as store:
        follow = store.follow(store.last_seq)
        for i in range(50):
            store.append(batch([f"{i}-{j}" for j in range(100)])).result()
        store.snapshot().close()
        got = follow.next(timeout_s=10)
        assert got is not None and follow.missed > 0
        assert follow.missed + got.num_rows == 5_000


def test_only_the_due_partitions_are_flushed_and_replay_skips_them(tmp_path: Path) -> None:
    settings = StoreSettings(flush_bytes=200_000, flush_age_s=3_600, compact_interval_s=3_600)
    with Store.open(tmp_path / "live", settings) as store:
        store.append(batch(["small"], namespace="small")).result()
        store.append(batch(["x" * 1_000] * 400, namespace="large")).result()
        _until(lambda: store.metrics.read().get("flushed_records", 0) == 400)
        with store.snapshot() as snapshot:
            assert [segment.namespace for segment in snapshot.segments] == ["large"]
            assert snapshot.buffer["message"].to_pylist() == ["small"]
        image = copy_of(store, tmp_path / "image")
    with Store.open(image, QUIET) as store:
        with store.snapshot() as snapshot:
            assert snapshot.buffer["message"].to_pylist() == ["small"]
        assert len(messages(store)) == 401


def test_a_buffer_that_fills_is_flushed_oldest_first_and_keeps_the_newest(tmp_path: Path) -> None:
    settings = StoreSettings(buffer_bytes=2_000_000, flush_age_s=3_600, compact_interval_s=3_600)
    with Store.open(tmp_path / "live", settings) as store:
        for number in range(20):
            namespace = f"n{number % 3}"
            store.append(batch([f"{number} " + "x" * 1_000] * 200, namespace=namespace)).result()
        _until(lambda: store.buffer.bytes < settings.buffer_bytes // 2)
        with store.snapshot() as snapshot:
            kept = snapshot.buffer["_seq"].to_pylist()
            assert kept == list(range(4_000 - len(kept), 4_000))
            assert {seq for s in snapshot.segments for seq in (s.min_seq, s.max_seq)} < set(range(4_000 - len(kept)))
        image = copy_of(store, tmp_path / "image")
    with Store.open(image, QUIET) as store:
        assert [record["_seq"] for record in records(store)] == list(range(4_000))


def test_readings_are_of_now(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        assert (store.readings()["buffer_bytes"], store.readings()["segments"]) == (0, 0)
        store.append(batch(["one"])).result()
        assert store.readings()["buffer_bytes"] == store.buffer.bytes > 0
        store.flush()
        told = store.readings()
        assert (told["buffer_bytes"], told["segments"], told["flushed_records"]) == (0, 1, 1)
        assert told["segment_bytes"] == sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))


def _until(is_true: object, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():  # type: ignore[operator]
        assert time.monotonic() < deadline, "not within the time limit"
        time.sleep(0.01)


def test_an_open_snapshot_keeps_its_files_through_compaction_and_retention(tmp_path: Path) -> None:
    settings = StoreSettings(compact_files=2, compact_interval_s=3_600, retention_bytes=0)
    with Store.open(tmp_path, settings) as store:
        for name in ("a", "b"):
            store.append(batch([name])).result()
            store.flush()
        snapshot = store.snapshot()
        assert store.compact() == 1
        assert store.retain() == 1
        assert [pq.read_table(s.path, partitioning=None).num_rows for s in snapshot.segments] == [1, 1]
        snapshot.close()
        assert list(store.directory.segments.rglob("*.parquet")) == []
        assert list(store.directory.segments.iterdir()) == [], "empty directories go too"


def test_retention_by_bytes_removes_the_oldest(tmp_path: Path) -> None:
    with Store.open(tmp_path, StoreSettings(compact_interval_s=3_600)) as store:
        for name in ("old", "new"):
            store.append(batch([name])).result()
            store.flush()
        with store.snapshot() as snapshot:
            size = max(segment.bytes for segment in snapshot.segments)
    with Store.open(tmp_path, StoreSettings(compact_interval_s=3_600, retention_bytes=size)) as store:
        assert store.retain() == 1
        assert messages(store) == ["new"]


def test_a_backfill_of_old_records_is_not_expired_by_age(tmp_path: Path) -> None:
    with Store.open(tmp_path, StoreSettings(compact_interval_s=3_600, retention_age_s=3_600)) as store:
        store.append(batch(["from 1999"], time_ns=925_000_000 * 10**9)).result()
        store.flush()
        assert store.retain() == 0
        assert messages(store) == ["from 1999"]


def test_a_segment_lies_in_one_window_and_its_directories_are_true(tmp_path: Path, settings: StoreSettings) -> None:
    with Store.open(tmp_path, settings) as store:
        store.append(random_batch(random.Random(5), 500, "x")).result()
        store.flush()
        store.append(random_batch(random.Random(6), 500, "y")).result()
        store.flush()
        assert store.compact() > 0
        for path in store.directory.segments.rglob("*.parquet"):
            partition = json.loads(pq.read_metadata(path).metadata[b"logstore.partition"])
            rows = duckdb.execute(
                "SELECT DISTINCT strftime(time::TIMESTAMP, '%Y-%m-%d'), strftime(time::TIMESTAMP, '%H'), cluster, "
                "namespace FROM read_parquet(?, hive_partitioning=true, hive_types_autocast=false)",
                [str(path)],
            ).fetchall()
            for date, hour, cluster, namespace in rows:
                assert (date, cluster, namespace) == (partition["date"], partition["cluster"], partition["namespace"])
                assert partition.get("hour", hour) == hour


def test_stream_ranges_name_the_rows_of_each_stream(tmp_path: Path, settings: StoreSettings) -> None:
    with Store.open(tmp_path, settings) as store:
        for name in ("x", "y"):
            store.append(random_batch(random.Random(6), 150, name)).result()
            store.flush()
        assert store.compact() > 0
        with store.snapshot() as snapshot:
            for segment in snapshot.segments:
                rows = duckdb.execute(
                    "SELECT pod, container, coalesce(labels, '') AS labels, file_row_number AS row, "
                    "epoch_ns(time) AS t FROM read_parquet(?, hive_partitioning=true, file_row_number=true, "
                    "hive_types_autocast=false) ORDER BY row",
                    [str(segment.path)],
                ).fetchall()
                for found in store.catalog.ranges(segment.id):
                    part = rows[found.first_row : found.first_row + found.rows]
                    assert {row[:3] for row in part} == {found.stream[2:]}
                    times = [row[4] for row in part]
                    assert times == sorted(times)
                    assert (found.min_time_ns, found.max_time_ns) == (times[0], times[-1])
        totals = store.streams()
        assert sum(totals["records"].to_pylist()) == 300


def test_a_second_store_is_refused_while_the_first_holds_the_directory(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET), pytest.raises(Unavailable, match="in use by another"):
        DataDirectory(tmp_path).lock(wait_s=0.1)


@pytest.mark.parametrize("name", ["a=b", "a*", "a?", "a[b]"])
def test_a_path_that_readers_take_for_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSettings, match="name a directory without"):
        Store.open(tmp_path / name / "data")


def test_a_full_queue_is_refused_as_busy(tmp_path: Path) -> None:
    settings = StoreSettings(pending_bytes=1, buffer_bytes=1, flush_age_s=3_600)
    with Store.open(tmp_path, settings) as store:
        big = batch(["x" * 100_000] * 50)
        with pytest.raises(Busy, match="pending_bytes"):
            for _ in range(200):
                store.append(big)


def test_below_the_disk_reserve_nothing_is_accepted_and_reading_goes_on(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["x"])).result()
    with Store.open(tmp_path, StoreSettings(disk_reserve_bytes=1 << 60)) as store:
        with pytest.raises(Unavailable, match="disk_reserve"):
            store.append(batch(["y"]))
        assert messages(store) == ["x"]


def test_a_backup_taken_under_load_opens_with_everything_acknowledged_before_it(tmp_path: Path) -> None:
    settings = StoreSettings(flush_bytes=5_000, flush_age_s=0.05, compact_interval_s=0.05, compact_files=2)
    with Store.open(tmp_path / "live", settings) as store:
        for i in range(30):
            store.append(batch([f"before {i}"])).result()
        stop = threading.Event()
        load = threading.Thread(target=_append_until, args=(store, stop))
        load.start()
        backup(store.path, tmp_path / "copy")
        stop.set()
        load.join()
    with Store.open(tmp_path / "copy", QUIET) as restored:
        found = messages(restored)
        assert [text for text in found if str(text).startswith("before")] == [f"before {i}" for i in range(30)]
        assert len(found) == len(set(found))


def _append_until(store: Store, stop: threading.Event) -> None:
    i = 0
    while not stop.is_set():
        store.append(batch([f"meanwhile {i}"])).result()
        i += 1


def test_names_that_are_too_long_for_a_directory_are_cut_and_still_told_apart(tmp_path: Path) -> None:
    names = ["é" * 120 + "1", "é" * 120 + "2"]
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["a", "b"], namespace=names)).result()
        store.flush()
        with store.snapshot() as snapshot:
            assert sorted(segment.namespace for segment in snapshot.segments) == names
            assert all(len(part) <= 200 for s in snapshot.segments for part in s.path.parts)
    with Store.open(tmp_path, QUIET) as store, store.snapshot() as snapshot:
        assert sorted(segment.namespace for segment in snapshot.segments) == names


def test_times_all_over_the_calendar_make_a_bounded_number_of_files(tmp_path: Path) -> None:
    rng = random.Random(7)
    times = [rng.randrange(-(10**18), 10**18) for _ in range(2_000)]
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch([str(t) for t in times], time_ns=times)).result()
        store.flush()
        assert len(list(store.directory.segments.rglob("*.parquet"))) <= QUIET.flush_files
        assert sorted(str(m) for m in messages(store)) == sorted(str(t) for t in times)


def test_late_records_go_to_their_own_day(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["now", "late"], time_ns=[BASE_NS, BASE_NS - 48 * HOUR_NS])).result()
        store.flush()
        with store.snapshot() as snapshot:
            windows = sorted(segment.window_ns for segment in snapshot.segments)
        assert windows[1] - windows[0] == 48 * HOUR_NS


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    _until(lambda: threading.active_count() <= before, timeout_s=5)


def test_a_wal_larger_than_memory_is_replayed_whole(tmp_path: Path) -> None:
    settings = StoreSettings(wal_file_bytes=20_000, flush_age_s=3_600, compact_interval_s=3_600)
    with Store.open(tmp_path / "live", settings) as store:
        for i in range(40):
            store.append(batch([f"{i} {j} " + os.urandom(60).hex() for j in range(100)])).result()
        expected = messages(store)
        image = copy_of(store, tmp_path / "image")
    assert len(wal.wal_files(image / "wal")) > 10
    with Store.open(image, StoreSettings(buffer_bytes=100_000, compact_interval_s=3_600)) as store:
        assert messages(store) == expected


def test_flushes_from_many_threads_get_in_nobodys_way(tmp_path: Path) -> None:
    settings = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, wal_file_bytes=1)
    with Store.open(tmp_path, settings) as store, ThreadPoolExecutor(4) as threads:

        def write(name: int) -> None:
            for turn in range(25):
                store.append(batch([f"{name}-{turn}"])).result()
                store.flush()

        for done in [threads.submit(write, name) for name in range(4)]:
            done.result()
        assert sorted(map(str, messages(store))) == sorted(f"{name}-{turn}" for name in range(4) for turn in range(25))


def test_a_directory_of_the_first_version_is_brought_up_to_this_one(tmp_path: Path) -> None:
    """tests/data/store-1 was written by a program of catalog version 1 and segment format 1."""
    old = shutil.copytree(Path(__file__).parents[1] / "data" / "store-1", tmp_path / "data")
    expected = [f'{{"order":{i},"state":"paid"}}' for i in range(40)] + [f"order {i} came" for i in range(5)]
    with Store.open(old, QUIET) as store:
        before = records(store)
        assert [record["message"] for record in before] == expected
        assert not any(segment.has_index for segment in store.snapshot().segments)
        store.append(batch(["order 5 came"])).result()
        store.flush()
        store.compact()
        assert all(segment.has_index for segment in store.snapshot().segments)
        assert messages(store) == [*expected, "order 5 came"]
    with Store.open(old, QUIET) as store:
        assert messages(store) == [*expected, "order 5 came"]
        assert sorted(store.streams()["records"].to_pylist()) == [6, 20, 20]


def test_whole_row_groups_are_joined_as_they_are_and_so_are_their_indexes(tmp_path: Path) -> None:
    settings = StoreSettings(row_group_rows=8, join_files=2, flush_age_s=3_600, compact_interval_s=3_600, column_rows=1)
    with Store.open(tmp_path, settings) as store:
        for name in ("order", "parcel"):
            store.append(batch([f'{{"{name}":{i},"state":"paid {i % 3}"}}' for i in range(40)])).result()
            store.flush()
        before = records(store)
        chunks = [chunk for segment in store.snapshot().segments for chunk in _chunks(segment.path)]
        assert store.compact() == 1
        (joined,) = store.snapshot().segments
        assert {"order", "parcel", "state"} == set(dict(joined.columns.kinds))
        assert set(chunks) <= set(_chunks(joined.path)), "no page is written anew"
        assert records(store) == before
        (found,) = store.indexes.load([joined]) or []
        assert found.ends.tolist() == list(range(8, 81, 8))
        store._segments.rebuild_index(joined)
        (rebuilt,) = store.indexes.load([joined]) or []
        assert (found.min_times_ns == rebuilt.min_times_ns).all()
        assert (found.max_times_ns == rebuilt.max_times_ns).all()
        assert _templates_of_groups(found) == _templates_of_groups(rebuilt)
    with Store.open(tmp_path, settings) as store:
        assert records(store) == before


def test_an_index_that_is_built_again_says_of_the_file_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = StoreSettings(row_group_rows=8, join_files=2, flush_age_s=3_600, compact_interval_s=3_600)
    with Store.open(tmp_path, settings) as store:
        with monkeypatch.context() as patch:
            patch.setattr(index, "TEMPLATES_ALWAYS_BYTES", 0)
            store.append(batch(["paid"] * 20 + [f"{'x' * i} came" for i in range(13)])).result()
            store.flush()
        store.append(batch(["paid"] * 5 + [f"{'x' * i} came" for i in range(9)])).result()
        store.flush()
        assert store.compact() == 1
        (joined,) = store.snapshot().segments
        (found,) = store.indexes.load([joined]) or []
        store._segments.rebuild_index(joined)
        (rebuilt,) = store.indexes.load([joined]) or []
        rows = [pq.read_metadata(joined.path).row_group(group).num_rows for group in range(found.groups)]
        assert np.diff(found.ends, prepend=0).tolist() == np.diff(rebuilt.ends, prepend=0).tolist() == rows
        assert _templates_of_groups(found) == _templates_of_groups(rebuilt)
        written = pq.read_table(joined.path, columns=[TEMPLATE], partitioning=None)[TEMPLATE].to_pylist()
        assert UNASSIGNED in written
        assert set(written) - {UNASSIGNED} == set(rebuilt.templates.tolist())


def _chunks(path: Path) -> list[tuple[object, ...]]:
    """What the footer says of each column chunk, but for where it lies, and of what it has."""
    metadata = pq.read_metadata(path)
    content = path.read_bytes()
    found: list[tuple[object, ...]] = []
    for group in range(metadata.num_row_groups):
        for at in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(at)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            pages = content[start : start + chunk.total_compressed_size]
            found.append((chunk.path_in_schema, chunk.encodings, chunk.num_values, pages))
    return found


def _templates_of_groups(found: Index) -> list[dict[int, int]]:
    ids = np.append(found.templates, 0)[found.presence].tolist()
    each = list(zip(ids, found.presence_rows.tolist(), strict=True))
    return [dict(each[start:end]) for start, end in pairwise(found.presence_offsets.tolist())]


def test_two_segments_are_merged_once_nothing_comes_any_more(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        for text in ("one", "two"):
            store.append(batch([text])).result()
            store.flush()
        assert store.compact() == 0
    settled = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, compact_settle_s=0)
    with Store.open(tmp_path, settled) as store:
        assert store.compact() == 1
        assert len(store.snapshot().segments) == 1
        assert messages(store) == ["one", "two"]
        assert store.compact() == 0


def await_retention_beside_a_failure(store: Store) -> None:
    """Returns once retention has removed everything, although some other upkeep failed."""
    deadline_s = time.monotonic() + 10
    while len(store.snapshot().segments) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not len(store.snapshot().segments)
    assert store.readings()["tending_failures"] >= 1


def test_a_segment_that_cannot_be_read_keeps_no_other_from_its_merge_nor_from_retention(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        for text in ("one", "two"):
            store.append(batch([text, text], namespace=["broken", "sound"])).result()
            store.flush()
        broken, *_ = (segment for segment in store.snapshot().segments if segment.namespace == "broken")
    broken.path.write_bytes(b"PAR1 no more PAR1")
    settled = StoreSettings(flush_age_s=3_600, compact_interval_s=3_600, compact_settle_s=0)
    with Store.open(tmp_path, settled) as store:
        with pytest.raises(Damaged, match="cannot be read") as failure:
            store.compact()
        assert str(broken.path) in "".join(failure.value.__notes__)
        assert [segment.namespace for segment in store.snapshot().segments].count("sound") == 1
    tending = StoreSettings(flush_age_s=3_600, compact_interval_s=0.02, compact_settle_s=0, retention_bytes=1)
    with Store.open(tmp_path, tending) as store:
        await_retention_beside_a_failure(store)


def test_an_index_that_makes_no_sense_does_not_keep_retention_from_being_done(tmp_path: Path) -> None:
    with Store.open(tmp_path, QUIET) as store:
        store.append(batch(["one"])).result()
        store.flush()
        [segment] = store.snapshot().segments
    header = b"[]"
    checksum = google_crc32c.value(header)
    store.directory.index_of(segment.path).write_bytes(struct.pack("<5sB2xII", b"LSIDX", 1, checksum, 2) + header)
    tending = StoreSettings(flush_age_s=3_600, compact_interval_s=0.02, retention_bytes=1)
    with Store.open(tmp_path, tending) as store:
        await_retention_beside_a_failure(store)
