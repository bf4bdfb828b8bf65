"""Lines from a pipe in batches: as they come, in bounded memory."""

import os
import select
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from logq.pieces import whole

READ_BYTES: Final = 1 << 18
LINGER_S: Final = 0.1
"""How long a line waits for others to go with it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive lines, the first of them the input's line `first_line`."""

    first_line: int
    lines: tuple[bytes, ...]


def in_whole_lines(runs: Iterable[Run], held_bytes: int) -> Iterator[Run]:
    """The same lines; a run does not end between two pieces of one line of a container runtime, as long as no more than
    `held_bytes` wait for the rest of it."""
    held: tuple[bytes, ...] = ()
    for run in runs:
        lines = (*held, *run.lines)
        first_line = run.first_line - len(held)
        count = whole(lines)
        if sum(map(len, lines[count:])) > held_bytes:
            count = len(lines)
        held = lines[count:]
        if count:
            yield Run(first_line, lines[:count])
        last_line = first_line + len(lines)
    if held:
        yield Run(last_line - len(held), held)


class Feed:
    """Reads a file descriptor to its end; `skip` is told the number of each line over `max_line` bytes."""

    def __init__(self, fd: int, batch_bytes: int, max_line: int, skip: Callable[[int], None]) -> None:
        self._fd = fd
        self._batch_bytes = batch_bytes
        self._max_line = max_line
        self._skip = skip
        self._line = 0
        self._rest = b""
        self._is_skipping = False

    def runs(self) -> Iterator[Run]:
        """Whole lines, each with its newline; at the end of the input a last one may lack it."""
        while chunk := os.read(self._fd, READ_BYTES):
            pieces = [chunk]
            size = len(chunk)
            while size < self._batch_bytes and self._has_more():
                piece = os.read(self._fd, READ_BYTES)
                if not piece:
                    break
                pieces.append(piece)
                size += len(piece)
            yield from self._cut(b"".join((self._rest, *pieces)))
        if self._is_skipping:
            self._skip(self._line + 1)
        elif self._rest:
            yield Run(self._line + 1, (self._rest,))

    def _has_more(self) -> bool:
        return bool(select.select([self._fd], [], [], LINGER_S)[0])

    def _cut(self, text: bytes) -> Iterator[Run]:
        *whole, self._rest = text.split(b"\n")
        kept: list[bytes] = []
        for line in whole:
            self._line += 1
            if self._is_skipping or len(line) > self._max_line:
                self._is_skipping = False
                if kept:
                    yield Run(self._line - len(kept), tuple(kept))
                kept = []
                self._skip(self._line)
                continue
            kept.append(line + b"\n")
        if kept:
            yield Run(self._line - len(kept) + 1, tuple(kept))
        if len(self._rest) > self._max_line:
            self._is_skipping = True
        if self._is_skipping:
            self._rest = b""
