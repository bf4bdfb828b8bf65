"""Where bytes live: the data directory, its layout, its lock, and writes that survive a crash."""

import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from logstore.errors import InvalidSettings, Unavailable

DIRECTORY_NAME_MAX_BYTES: Final = 200
UNFIT_CHARACTERS: Final = "=*?[]"
LOCK_WAIT_S: Final = 5.0
MERGED_AGE_S: Final = 600.0
_HASH_CHARACTERS: Final = 16
_SAFE: Final = " ~@$&()+,;!"


def partition_directory(values: tuple[tuple[str, str], ...]) -> Path:
    """The relative directory of a partition, by Hive's convention: `cluster=a/namespace=b/date=2026-01-31`.

    Values are percent-encoded as Hive does, ASCII characters only (Spark decodes no others); a name over 200 bytes
    is cut and ends in a hash of the whole value.
    """
    return Path(*(_directory_name(column, value) for column, value in values))


def _directory_name(column: str, value: str) -> str:
    encoded = "".join(quote(character, safe=_SAFE) if character.isascii() else character for character in value)
    name = f"{column}={encoded}"
    if len(name.encode()) <= DIRECTORY_NAME_MAX_BYTES:
        return name
    digest = hashlib.sha256(value.encode()).hexdigest()[:_HASH_CHARACTERS]
    # A character or an escape that the cut would leave unfinished goes as a whole.
    kept = name.encode()[: DIRECTORY_NAME_MAX_BYTES - _HASH_CHARACTERS - 1].decode(errors="ignore")
    escape = kept.rfind("%", len(kept) - 2)
    return f"{kept if escape < 0 else kept[:escape]}-{digest}"


class DataDirectory:
    """The layout of one data directory. Only `segments/` is read by other programs."""

    def __init__(self, root: Path) -> None:
        """
        Raises:
            InvalidSettings: the path has a character that readers of the segments take for a pattern or a partition.
        """
        self.root = root.absolute()
        if unfit := sorted(set(str(self.root)) & set(UNFIT_CHARACTERS)):
            raise InvalidSettings(
                f"data directory {self.root} has {' '.join(unfit)} in its path, which Parquet readers take for a "
                "partition or a pattern; name a directory without"
            )
        self.wal = self.root / "wal"
        self.segments = self.root / "segments"
        self.indexes = self.root / "indexes"
        self.temporary = self.root / "tmp"
        self.retired = self.root / "retired"
        self.merged = self.retired / "merged"
        self.damaged = self.root / "damaged"
        self.catalog = self.root / "catalog.sqlite"
        self._lock_fd: int | None = None

    def prepare(self) -> None:
        """Makes the directories and empties the temporary one."""
        for directory in (
            self.wal,
            self.segments,
            self.indexes,
            self.temporary,
            self.retired,
            self.merged,
            self.damaged,
        ):
            directory.mkdir(parents=True, exist_ok=True)
        for leftover in self.temporary.iterdir():
            leftover.unlink()
        sync_directory(self.root)

    def lock(self, wait_s: float = LOCK_WAIT_S) -> None:
        """Holds the directory against a second server.

        Raises:
            Unavailable: another process holds it, still after `wait_s`.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    raise Unavailable(
                        f"data directory {self.root} is in use by another logstore; "
                        "stop that one or give this one a --data directory of its own"
                    ) from None
                # flock cannot wait with a time limit.
                time.sleep(0.05)
            else:
                self._lock_fd = fd
                return

    def unlock(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def temporary_file(self, suffix: str) -> Path:
        return self.temporary / f"{uuid.uuid4().hex}{suffix}"

    def index_of(self, segment: Path) -> Path:
        """Where a segment's index is."""
        return self.indexes / segment.relative_to(self.segments).with_suffix(".index")

    def write_index(self, segment: Path, content: bytes) -> None:
        """Not synced: an index that a crash cut off does not fit its checksum, and is built again."""
        target = self.index_of(segment)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.temporary_file(".index")
        temporary.write_bytes(content)
        temporary.replace(target)

    def publish(self, temporary: Path, target: Path) -> None:
        """Moves a finished file to its place, durably: file, then every directory that is new or changed."""
        sync_file(temporary)
        made = [directory for directory in (target.parent, *target.parent.parents) if not directory.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(target)
        for directory in (target.parent, *(new.parent for new in made)):
            sync_directory(directory)

    def retire(self, path: Path) -> None:
        """Takes a file out of the readers' sight and keeps it for a day."""
        target = self.retired / f"{uuid.uuid4().hex[:8]}-{path.name}"
        path.rename(target)
        os.utime(target)

    def keep_merged(self, path: Path) -> None:
        """Lets a backup that is under way still find a segment whose records are in another one now."""
        with suppress(OSError):  # a file system without hard links: the backup begins again
            os.link(path, self.merged / path.name)
            os.utime(self.merged / path.name)

    def sweep_retired(self, now_s: float, age_s: float) -> int:
        """Deletes what was retired longer than `age_s` ago, or merged ten minutes ago; returns how many files."""
        old = [
            path
            for directory, kept_s in ((self.retired, age_s), (self.merged, min(age_s, MERGED_AGE_S)))
            for path in directory.iterdir()
            if path.is_file() and path.stat().st_mtime < now_s - kept_s
        ]
        for path in old:
            path.unlink()
        return len(old)

    def remove_segment(self, path: Path) -> None:
        """Deletes a segment, its index, and the directories that they leave empty."""
        for file, top in ((path, self.segments), (self.index_of(path), self.indexes)):
            file.unlink(missing_ok=True)
            _remove_empty(file.parent, top)

    def free_bytes(self) -> int:
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize


def _remove_empty(directory: Path, top: Path) -> None:
    while directory != top:
        try:
            directory.rmdir()
        except OSError:
            return
        directory = directory.parent


def relative_files(top: Path, suffix: str) -> Iterator[str]:
    """The paths, relative to `top`, of all files below it whose names end so; symbolic links are not followed."""
    open_directories = [""]
    while open_directories:
        directory = open_directories.pop()
        with os.scandir(top / directory) as entries:
            for entry in entries:
                path = f"{directory}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    open_directories.append(f"{path}/")
                elif path.endswith(suffix):
                    yield path


def sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
