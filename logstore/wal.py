"""The write-ahead log: what is accepted is here, synced, before it is acknowledged.

A file is a header and entries, all integers little-endian:

    file    magic `LSWAL` · version u8 · 2 zero bytes · number of the first record u64
    entry   magic `LSWE` · length of the payload u32 · CRC32C of length and payload u32 · payload
    payload first_seq u64 · rows u32 · received_ns i64 · length of keys u32 · keys (JSON) · Arrow IPC stream

An entry is one group commit: the batches that were queued together, numbered without a gap from `first_seq`,
and the idempotency keys that came with them. The Arrow stream holds them in the schema of an accepted record,
so replay decodes nothing and depends on no decoder. A reader knows every version up to its own.
"""

import base64
import json
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import google_crc32c
import pyarrow as pa

from logstore.errors import Damaged
from logstore.files import sync_directory
from logstore.record import SCHEMA

VERSION: Final = 1
_FILE: Final = struct.Struct("<5sB2xQ")
_ENTRY: Final = struct.Struct("<4sII")
_PAYLOAD: Final = struct.Struct("<QIqI")
_FILE_MAGIC: Final = b"LSWAL"
_ENTRY_MAGIC: Final = b"LSWE"
# Not compressed: LZ4 was a twentieth of all CPU of ingest, for bytes that are deleted a minute later.
_IPC: Final = pa.ipc.IpcWriteOptions(use_threads=False)


@dataclass(frozen=True, slots=True)
class KeyedReceipt:
    """An idempotency key with what it was answered: a repeat is answered the same."""

    key: str
    digest: bytes
    first_seq: int
    rows: int
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One group commit; `batches` are in the schema of an accepted record, in order."""

    first_seq: int
    received_ns: int
    batches: tuple[pa.RecordBatch, ...]
    keys: tuple[KeyedReceipt, ...]

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.batches)


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of a WAL file that holds no valid entry."""

    path: Path
    start: int
    end: int
    is_torn_tail: bool
    """Nothing valid follows: the last write before a crash, never acknowledged."""


def encode(entry: Entry) -> tuple[bytes, pa.Buffer]:
    """The bytes of one entry, in two parts."""
    keys = json.dumps([_key_to_json(key) for key in entry.keys]).encode() if entry.keys else b""
    sink = pa.BufferOutputStream()
    sink.write(_PAYLOAD.pack(entry.first_seq, entry.rows, entry.received_ns, len(keys)))
    sink.write(keys)
    with pa.ipc.new_stream(sink, SCHEMA, options=_IPC) as writer:
        for batch in entry.batches:
            writer.write_batch(batch)
    payload = sink.getvalue()
    crc = google_crc32c.extend(google_crc32c.value(len(payload).to_bytes(4, "little")), payload)
    return _ENTRY.pack(_ENTRY_MAGIC, len(payload), crc), payload


def _decode(payload: memoryview) -> Entry:
    first_seq, _rows, received_ns, keys_length = _PAYLOAD.unpack_from(payload)
    start = _PAYLOAD.size + keys_length
    keys = json.loads(bytes(payload[_PAYLOAD.size : start])) if keys_length else []
    with pa.ipc.open_stream(pa.py_buffer(payload[start:])) as reader:
        batches = tuple(reader)
    return Entry(first_seq, received_ns, batches, tuple(_key_from_json(key) for key in keys))


def _key_to_json(key: KeyedReceipt) -> list[object]:
    return [
        key.key,
        base64.b64encode(key.digest).decode(),
        key.first_seq,
        key.rows,
        base64.b64encode(key.receipt).decode(),
    ]


def _key_from_json(value: list[str | int]) -> KeyedReceipt:
    key, digest, first_seq, rows, receipt = value
    return KeyedReceipt(
        str(key), base64.b64decode(str(digest)), int(first_seq), int(rows), base64.b64decode(str(receipt))
    )


def file_name(first_seq: int) -> str:
    return f"{first_seq:020d}.wal"


def wal_files(directory: Path) -> list[Path]:
    """The WAL files of a directory, oldest first."""
    return sorted(directory.glob("*.wal"))


def first_seq_of(path: Path) -> int:
    return int(path.stem)


def read(path: Path) -> Iterator[Entry | Gap]:
    """The entries of one file in order, and the ranges that are none.

    After damage it goes on at the next entry whose checksum is right, so one bad block loses one entry.

    Raises:
        Damaged: the file was written by a newer version.
    """
    content = memoryview(path.read_bytes())
    position, gap_start = _check_header(path, content), -1
    while position < len(content):
        payload = _payload_at(content, position)
        if payload is None:
            gap_start = position if gap_start < 0 else gap_start
            position = _next_magic(content, position + 1)
            continue
        if gap_start >= 0:
            yield Gap(path, gap_start, position, is_torn_tail=False)
            gap_start = -1
        yield _decode(payload)
        position += _ENTRY.size + len(payload)
    if gap_start >= 0:
        yield Gap(path, gap_start, len(content), is_torn_tail=True)


def _check_header(path: Path, content: memoryview) -> int:
    if len(content) < _FILE.size or bytes(content[: len(_FILE_MAGIC)]) != _FILE_MAGIC:
        return 0
    _, version, _ = _FILE.unpack_from(content)
    if version > VERSION:
        raise Damaged(f"{path} is in WAL format {version}; this program reads up to {VERSION}: install a newer one")
    return _FILE.size


def _payload_at(content: memoryview, position: int) -> memoryview | None:
    if position + _ENTRY.size > len(content):
        return None
    magic, length, crc = _ENTRY.unpack_from(content, position)
    start = position + _ENTRY.size
    if magic != _ENTRY_MAGIC or length < _PAYLOAD.size or start + length > len(content):
        return None
    payload = content[start : start + length]
    expected = google_crc32c.extend(google_crc32c.value(length.to_bytes(4, "little")), bytes(payload))
    return payload if expected == crc else None


def _next_magic(content: memoryview, position: int) -> int:
    found: int = content.obj.find(_ENTRY_MAGIC, position)  # type: ignore[attr-defined]
    return len(content) if found < 0 else found


class WalWriter:
    """Appends to the newest WAL file; one thread only.

    After a failed write or sync the file is cut back to its last good entry and never written again; the next
    append begins a new one.
    """

    def __init__(self, directory: Path, file_bytes: int) -> None:
        self._directory = directory
        self._file_bytes = file_bytes
        self._fd = -1
        self._size = 0

    def append(self, first_seq: int, encoded: tuple[bytes, pa.Buffer]) -> int:
        """Writes one entry and returns, when it is durable, how many bytes it has.

        Raises:
            OSError: it is not; nothing of it will be replayed unless the cut failed too.
        """
        size = sum(map(len, encoded))
        if self._fd >= 0 and self._size + size > self._file_bytes:
            self.close()
        if self._fd < 0:
            self._open(first_seq)
        try:
            for part in encoded:
                _write_all(self._fd, part)
            os.fdatasync(self._fd)
        except OSError:
            self._abandon()
            raise
        self._size += size
        return size

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self, first_seq: int) -> None:
        path = self._directory / file_name(first_seq)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            _write_all(fd, _FILE.pack(_FILE_MAGIC, VERSION, first_seq))
            os.fsync(fd)
            sync_directory(self._directory)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._fd, self._size = fd, _FILE.size

    def _abandon(self) -> None:
        fd, self._fd = self._fd, -1
        try:
            os.ftruncate(fd, self._size)
            os.fsync(fd)
        except OSError:
            # What could not be cut is replayed if it is whole; its sender was told that it failed and sends again.
            pass
        finally:
            os.close(fd)


def _write_all(fd: int, content: bytes | pa.Buffer) -> None:
    view: Sequence[int] | memoryview = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]  # type: ignore[arg-type]
