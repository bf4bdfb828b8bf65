"""The WAL: what was written comes back, a torn tail is told from damage, and damage costs one entry."""

import random
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logstore import wal
from logstore.errors import Damaged
from logstore.wal import Entry, Gap, KeyedReceipt, WalWriter
from tests.logstore.records import batch


def _write(directory: Path, entries: list[Entry], file_bytes: int = 1 << 20) -> list[int]:
    """Writes entries; returns the length of each."""
    writer = WalWriter(directory, file_bytes)
    sizes = [writer.append(entry.first_seq, wal.encode(entry)) for entry in entries]
    writer.close()
    return sizes


def _entries(count: int) -> list[Entry]:
    key = KeyedReceipt("k", b"\x00\xff", 0, 2, b'{"accepted":2}')
    return [Entry(2 * i, 1_000 + i, (batch([f"a{i}", "né"]),), (key,) if i == 0 else ()) for i in range(count)]


def _messages(items: list[Entry | Gap]) -> list[str]:
    return [
        text for item in items if isinstance(item, Entry) for b in item.batches for text in b["message"].to_pylist()
    ]


def test_entries_come_back_as_they_were(tmp_path: Path) -> None:
    written = _entries(3)
    _write(tmp_path, written)
    (path,) = wal.wal_files(tmp_path)
    assert list(wal.read(path)) == written


def test_a_file_past_its_size_is_followed_by_another(tmp_path: Path) -> None:
    written = _entries(5)
    _write(tmp_path, written, file_bytes=1)
    files = wal.wal_files(tmp_path)
    assert [wal.first_seq_of(path) for path in files] == [0, 2, 4, 6, 8]
    assert [entry for path in files for entry in wal.read(path)] == written


def test_every_cut_of_the_last_entry_is_a_torn_tail(tmp_path: Path) -> None:
    sizes = _write(tmp_path, _entries(2))
    (path,) = wal.wal_files(tmp_path)
    whole = path.read_bytes()
    for missing in range(1, sizes[-1], 7):
        path.write_bytes(whole[:-missing])
        entry, gap = wal.read(path)
        assert isinstance(entry, Entry) and entry.first_seq == 0
        assert gap == Gap(path, len(whole) - sizes[-1], len(whole) - missing, is_torn_tail=True)


def test_any_flipped_byte_costs_its_own_entry_only(tmp_path: Path) -> None:
    sizes = _write(tmp_path, _entries(3))
    (path,) = wal.wal_files(tmp_path)
    whole = path.read_bytes()
    start = len(whole) - sizes[1] - sizes[2]
    rng = random.Random(4)
    for _ in range(100):
        place = start + rng.randrange(sizes[1])
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :])
        items = list(wal.read(path))
        assert _messages(items) == ["a0", "né", "a2", "né"]
        assert [item for item in items if isinstance(item, Gap)] == [
            Gap(path, start, start + sizes[1], is_torn_tail=False)
        ]


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    _write(tmp_path, _entries(1))
    (path,) = wal.wal_files(tmp_path)
    content = bytearray(path.read_bytes())
    content[5] = wal.VERSION + 1
    path.write_bytes(content)
    with pytest.raises(Damaged, match="install a newer one"):
        list(wal.read(path))


def test_after_a_failed_write_the_file_ends_with_its_last_good_entry(tmp_path: Path) -> None:
    first, second, third = _entries(3)
    writer = WalWriter(tmp_path, 1 << 20)
    writer.append(first.first_seq, wal.encode(first))
    with _files_at_most(wal.wal_files(tmp_path)[0].stat().st_size + 100), pytest.raises(OSError, match="too large"):
        writer.append(second.first_seq, wal.encode(second))
    writer.append(third.first_seq, wal.encode(third))
    writer.close()
    assert [entry for path in wal.wal_files(tmp_path) for entry in wal.read(path)] == [first, third]


@contextmanager
def _files_at_most(size: int) -> Iterator[None]:
    """A disk that takes a part of the next write and then no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
