"""Reading one open file forward, line by line, and noticing when it is no longer the file it was."""

import os
from dataclasses import dataclass
from typing import Final

from logq.position import Place

GUARD_BYTES: Final = 256
CHUNK_BYTES: Final = 1 << 20


class Replaced(Exception):
    """The file was truncated or written anew: what was read of it is not there any more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The bytes [start, end) of a file: `lines` whole lines, the first of them the file's line `first_line`."""

    start: int
    end: int
    body: bytes
    first_line: int
    lines: int

    def split_lines(self) -> list[bytes]:
        """The lines with their newlines."""
        return _lines(self.body)

    def first(self, count: int) -> "Batch":
        """The first lines alone."""
        body = b"".join(self.split_lines()[:count])
        return Batch(self.start, self.start + len(body), body, self.first_line, count)


@dataclass(frozen=True, slots=True)
class Oversize:
    """The bytes [start, end): one line that is too long to be sent."""

    start: int
    end: int
    first_line: int


class Source:
    """An open file and how far it was sent. `head` and `guard` are the bytes that make it this file."""

    def __init__(self, fd: int, *, is_rotated: bool, is_copy: bool = False) -> None:
        self.fd = fd
        self.inode = os.fstat(fd).st_ino
        self.is_rotated = is_rotated
        self.is_copy = is_copy
        self.offset = 0
        self.line = 0
        self.head = b""
        self.guard = b""
        self.quiet_since: float | None = None
        self.quiet_bytes = -1
        self.held_since: float | None = None
        self._searched = 0

    def resume(self, place: Place) -> None:
        """Goes on where `place` says."""
        self.offset = place.offset
        self.line = place.line
        self.head = bytes.fromhex(place.head)
        self.guard = bytes.fromhex(place.guard)
        self._searched = 0

    def restart(self) -> None:
        """Begins again with the first byte."""
        self.offset = self.line = self._searched = 0
        self.head = self.guard = b""

    def place(self) -> Place:
        """How far it was sent."""
        return Place(
            self.inode,
            self.offset,
            self.line,
            self.head.hex(),
            self.guard.hex(),
            self.is_rotated,
            self.is_at_end(),
        )

    def is_at_end(self) -> bool:
        """Whether nothing is left to read."""
        return os.fstat(self.fd).st_size <= self.offset

    def check(self) -> None:
        """Takes more of the head as the file grows.

        Raises:
            Replaced: it is shorter than before, or begins otherwise.
        """
        head = os.pread(self.fd, GUARD_BYTES, 0)
        if not head.startswith(self.head) or os.fstat(self.fd).st_size < self.offset:
            raise Replaced
        self.head = head

    def has_guard(self) -> bool:
        """Whether the bytes before the offset are those that were sent."""
        start = self.offset - len(self.guard)
        return os.pread(self.fd, len(self.guard), start) == self.guard

    def read(self, batch_bytes: int, max_line: int, *, is_final: bool) -> Batch | Oversize | None:
        """The next whole lines, `batch_bytes` or one line of them; None if there are none yet.

        With `is_final` a last line without a newline counts as whole.

        Raises:
            Replaced: the file was truncated or written anew.
        """
        window = os.pread(self.fd, len(self.guard) + batch_bytes, self.offset - len(self.guard))
        if not window.startswith(self.guard) or not self._begins_as_before(window):
            raise Replaced
        if not self.offset:
            self.head = window[:GUARD_BYTES]  # it may have grown since the last check, and its copy is known by it
        fresh = window[len(self.guard) :]
        end = fresh.rfind(b"\n") + 1
        if not end and len(fresh) == batch_bytes:
            return self._long_line(max_line, is_final=is_final)
        if not end and not (is_final and fresh):
            return None
        return self._batch(fresh[:end] if end else fresh, max_line)

    def sent(self, batch: Batch | Oversize) -> None:
        """Moves behind what was sent, or skipped."""
        start = max(0, batch.end - GUARD_BYTES)
        if isinstance(batch, Batch):
            self.guard = (self.guard + batch.body)[-GUARD_BYTES:]
        else:
            self.guard = os.pread(self.fd, batch.end - start, start)
        self.offset = batch.end
        self.held_since = None
        self.line += batch.lines if isinstance(batch, Batch) else 1
        self._searched = 0

    def is_quiet(self, now_s: float, wait_s: float) -> bool:
        """Whether it has not grown for so long; to be asked again and again."""
        size = os.fstat(self.fd).st_size
        if size != self.quiet_bytes or self.quiet_since is None:
            self.quiet_bytes, self.quiet_since = size, now_s
        return now_s - self.quiet_since >= wait_s

    def close(self) -> None:
        """Closes the file."""
        os.close(self.fd)

    def _begins_as_before(self, window: bytes) -> bool:
        return self.offset > len(self.guard) or window.startswith(self.head)

    def _batch(self, body: bytes, max_line: int) -> Batch | Oversize:
        if len(body) > max_line:
            end = 0
            for line in _lines(body):
                if len(line.rstrip(b"\n")) > max_line:
                    break
                end += len(line)
            if not end:
                first = body.find(b"\n") + 1 or len(body)
                return Oversize(self.offset, self.offset + first, self.line + 1)
            body = body[:end]
        lines = body.count(b"\n") + (not body.endswith(b"\n"))
        return Batch(self.offset, self.offset + len(body), body, self.line + 1, lines)

    def _long_line(self, max_line: int, *, is_final: bool) -> Batch | Oversize | None:
        """A line longer than a batch: its end is looked for in pieces, and from where the last look ended."""
        position = max(self._searched, self.offset)
        while piece := os.pread(self.fd, CHUNK_BYTES, position):
            newline = piece.find(b"\n")
            if newline >= 0:
                return self._one_line(position + newline + 1, max_line)
            position += len(piece)
        self._searched = position
        return self._one_line(position, max_line) if is_final else None

    def _one_line(self, end: int, max_line: int) -> Batch | Oversize:
        if end - self.offset - 1 > max_line:
            return Oversize(self.offset, end, self.line + 1)
        body = os.pread(self.fd, end - self.offset, self.offset)
        if len(body) != end - self.offset:
            raise Replaced
        return Batch(self.offset, end, body, self.line + 1, 1)


def _lines(body: bytes) -> list[bytes]:
    """The lines with their newlines; a carriage return is none."""
    parts = body.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
