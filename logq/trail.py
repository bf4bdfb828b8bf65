"""The files that one path's lines go through: the file there now, those rotated away, and copies of it.

Rotation by rename: the open file is read to its end while the new one is read already. A file that was born and
rotated away between two looks has a name like the path's with a number or date behind it, and a beginning that
no file read so far has; it is read too. Copy and truncate: when the file turns out to be shorter or to begin
otherwise, its copy is known by its beginning and by the bytes before the place last sent; the copy's rest is
read, then the file from its new beginning. After a restart files are found again by inode, beginning and the bytes
before the place.
"""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from logq.position import Flight, Place, Position
from logq.source import GUARD_BYTES, Replaced, Source

ROTATED_MAX: Final = 64
"""Rotated files that are read at once; when there are more, the oldest are not waited for."""
SCANS_MAX: Final = 16
"""How often a directory is looked through again because files in it were renamed meanwhile."""
_ROTATED_NAME: Final = re.compile(r"[._-](\d[\w.:+-]*|old|bak|prev|orig)", re.IGNORECASE)
_PASSED_OVER: Final = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".tmp", ".part", ".swp", "~")


class Trail:
    """All sources of one path, oldest first; `tell` takes what the user must know."""

    def __init__(self, path: Path, tell: Callable[[str], None], *, follows: bool) -> None:
        self.path = path
        self.follows = follows
        self.sources: list[Source] = []
        self._seen: dict[int, bytes] = {}
        """What is known of rotated files, by inode: how they begin. Those that two looks did not meet are forgotten."""
        self._absent: set[int] = set()
        self._tell = tell

    def begin(self) -> None:
        """The first time: the file there now from its first byte; those rotated before are not wanted."""
        for path, inode in self._siblings():
            self._seen[inode] = _head(path, inode) or b""
        self.look()

    def resume(self, position: Position) -> None:
        """After a restart: every file goes on where it was."""
        self._seen = {inode: bytes.fromhex(head) for inode, head in position.seen.items()}
        for place in position.places:
            source = self._found(place)
            if source is not None:
                self.sources.append(source)
            elif not (place.is_rotated and place.is_at_end):
                self._tell(
                    f"{self.path}: a file read up to byte {place.offset:,} was rotated and removed since; "
                    "what it held after that is not sent"
                )
        self.look()

    def position(self, flight: Flight | None) -> Position:
        """What to remember."""
        places = tuple(source.place() for source in self.sources)
        return Position(places, {inode: head.hex() for inode, head in self._seen.items()}, flight)

    def look(self) -> None:
        """Takes note of what was rotated, created or truncated since the last look."""
        status = _status(self.path)
        if not self.follows:
            if not self.sources:
                self._open_current()
            return
        for source in self.sources:
            if not source.is_copy:
                source.is_rotated = status is None or source.inode != status.st_ino
        for source in list(self.sources):
            self._check(source)
        self._take_missed(status)
        if status is not None and not self._has(status.st_ino):
            self._open_current()
        for source in self.sources[:-ROTATED_MAX]:
            source.quiet_since, source.quiet_bytes = float("-inf"), os.fstat(source.fd).st_size

    def replaced(self, source: Source) -> None:
        """The file was truncated: the rest of what it held is read from its copy, if there is one."""
        copy = self._copy_of(source)
        if copy is not None:
            self.sources.insert(self.sources.index(source), copy)
        else:
            self._tell(f"{self.path}: truncated or replaced after byte {source.offset:,}; reading on from its start")
        source.restart()

    def _copy_of(self, source: Source) -> Source | None:
        """The copy that has more than was read of the source; looked for again where files are renamed meanwhile."""
        for _ in range(SCANS_MAX):
            is_settled = True
            for path, inode in self._siblings():
                head = _head(path, inode)
                is_settled &= head is not None
                if inode == source.inode or not (head and source.head and _begin_alike(head, source.head)):
                    continue
                copy = _opened(path, is_rotated=True, is_copy=True)
                if copy is None or copy.inode != inode:
                    is_settled = False
                    if copy is not None:
                        copy.close()
                    continue
                self._seen[inode] = head
                copy.resume(source.place())
                if not copy.is_at_end() and copy.has_guard() and not self._has(inode):
                    return copy
                copy.close()
            if is_settled:
                break
        return None

    def drop(self, source: Source) -> None:
        """Is done with a rotated file."""
        self._seen[source.inode] = source.head
        self.sources.remove(source)
        source.close()

    def range_again(self, flight: Flight) -> tuple[bytes, Source | None] | None:
        """The bytes that were in flight, and the source they are the next of, if one is; None if they are gone."""
        from hashlib import sha256

        size = flight.end - flight.start
        for source in self.sources:
            body = os.pread(source.fd, size, flight.start)
            if sha256(body).hexdigest() == flight.sha256:
                return body, source if source.offset == flight.start else None
        for path, _ in self._siblings():
            try:
                with path.open("rb") as file:
                    file.seek(flight.start)
                    body = file.read(size)
            except OSError:
                continue
            if sha256(body).hexdigest() == flight.sha256:
                return body, None
        return None

    def close(self) -> None:
        """Closes all files."""
        for source in self.sources:
            source.close()
        self.sources.clear()

    def _check(self, source: Source) -> None:
        try:
            source.check()
        except Replaced:
            self.replaced(source)

    def _take_missed(self, status: os.stat_result | None) -> None:
        """Reads rotated files that were never at the path when it was looked at."""
        present: dict[int, bytes] = {}
        for path, inode in self._siblings():
            if (status is not None and inode == status.st_ino) or self._has(inode):
                continue
            head = _head(path, inode)
            if head is None and inode in self._seen:
                present[inode] = self._seen[inode]
            if not head:
                continue
            if inode in self._seen and _begin_alike(head, self._seen[inode]):
                present[inode] = head
                continue
            if any(self._is_copy(head, source) for source in self.sources):
                present[inode] = head
                continue
            missed = _opened(path, is_rotated=True)
            if missed is not None and missed.inode == inode:
                self._insert(missed)
            elif missed is not None:
                missed.close()
        absent = self._seen.keys() - present.keys()
        self._seen = present | {inode: self._seen[inode] for inode in absent - self._absent}
        self._absent = absent

    def _is_copy(self, head: bytes, source: Source) -> bool:
        """Also of what the source holds since the last look: the copy was made of that, and is to be known again."""
        if source.head and _begin_alike(head, source.head):
            return True
        begins = os.pread(source.fd, GUARD_BYTES, 0)
        if not begins or not _begin_alike(head, begins):
            return False
        if not source.head:
            source.head = begins
        return True

    def _insert(self, missed: Source) -> None:
        """Before the file at the path, which is younger."""
        index = len(self.sources)
        while index and not self.sources[index - 1].is_rotated:
            index -= 1
        self.sources.insert(index, missed)

    def _open_current(self) -> None:
        source = _opened(self.path, is_rotated=False)
        if source is None:
            return
        if self._has(source.inode):
            source.close()
            return
        self.sources.append(source)

    def _found(self, place: Place) -> Source | None:
        """The file of a place: by inode, and by what it holds; else by what it holds alone."""
        current = Path(os.path.realpath(self.path))
        named = [(current, status.st_ino)] if (status := _status(current)) else []
        files = named + self._siblings()
        for path, inode in sorted(files, key=lambda file: file[1] != place.inode):
            source = _opened(path, is_rotated=place.is_rotated)
            if source is None:
                continue
            source.resume(place)
            if self._is_same(source) and (inode == place.inode or (place.head and place.offset)):
                return source
            if inode == place.inode and path == current:
                self.sources.append(source)
                self.replaced(source)
                self.sources.remove(source)
                return source
            source.close()
        return None

    def _is_same(self, source: Source) -> bool:
        try:
            source.check()
        except Replaced:
            return False
        return source.has_guard() and not self._has(source.inode)

    def _has(self, inode: int) -> bool:
        return any(source.inode == inode for source in self.sources)

    def _siblings(self) -> list[tuple[Path, int]]:
        """Rotated files of the path, oldest first, with their inodes; none is left out because it is renamed meanwhile,
        as all of them are in a rotation: they are looked through until nothing has changed since the last time."""
        found = self._scan()
        for _ in range(SCANS_MAX):
            before, found = found, self._scan()
            if [file[1:] for file in before] == [file[1:] for file in found]:
                break
        return [(path, inode) for _, path, inode in found]

    def _scan(self) -> list[tuple[int, Path, int]]:
        """Their times of change, paths and inodes."""
        current = Path(os.path.realpath(self.path))
        found: list[tuple[int, Path, int]] = []
        try:
            with os.scandir(current.parent) as entries:
                for entry in entries:
                    rest = entry.name.removeprefix(current.name)
                    if rest == entry.name or not _ROTATED_NAME.fullmatch(rest):
                        continue
                    if entry.name.endswith(_PASSED_OVER):
                        continue
                    status = _status(Path(entry.path))
                    if status is not None:
                        found.append((status.st_mtime_ns, Path(entry.path), status.st_ino))
        except OSError:
            return []
        return sorted(found)


def _status(path: Path) -> os.stat_result | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _opened(path: Path, *, is_rotated: bool, is_copy: bool = False) -> Source | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return Source(fd, is_rotated=is_rotated, is_copy=is_copy)


def _head(path: Path, inode: int) -> bytes | None:
    """The beginning of the file; None where another, or none, is there by now."""
    try:
        with path.open("rb") as file:
            return file.read(GUARD_BYTES) if os.fstat(file.fileno()).st_ino == inode else None
    except OSError:
        return None


def _begin_alike(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)
