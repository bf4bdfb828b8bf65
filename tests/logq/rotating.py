"""A program that writes a log, and everything that happens to such a file, in a random order with a seed."""

import os
import random
import shutil
from pathlib import Path


class Log:
    """A log file under rotation. `lines` are all that were ever written, each of them unique."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.lines: list[bytes] = []
        self._dice = random.Random(seed)
        self._open_line = b""
        self._fd = -1
        self._create()

    def write(self) -> None:
        """Some lines, now and then one that is not finished."""
        for _ in range(self._dice.choice([1, 1, 3, 50, 2_000])):
            self._write(self._new_line() + b"\n")
            self.lines.append(self._open_line)
            self._open_line = b""
        if self._dice.random() < 0.3:
            self._write(self._new_line())

    def rename(self) -> None:
        """Rotates as logrotate does by default, perhaps with a writer that is late to notice."""
        self._shift()
        self.path.rename(f"{self.path}.1")
        if self._dice.random() < 0.5:
            self.write()
        self._end_open_line()
        os.close(self._fd)
        self._create()

    def copy_truncate(self) -> None:
        """Rotates with logrotate's copytruncate."""
        self._shift()
        shutil.copy(self.path, f"{self.path}.1")
        self._end_open_line()
        os.truncate(self.path, 0)

    def step(self) -> None:
        """One random thing."""
        self._dice.choice([self.write] * 6 + [self.rename, self.copy_truncate])()

    def close(self) -> None:
        """Ends the last line."""
        if self._open_line:
            self._write(b"\n")
            self._end_open_line()
        os.close(self._fd)

    def _new_line(self) -> bytes:
        if not self._open_line:
            self._open_line = b"%d %x " % (len(self.lines), self._dice.getrandbits(32))
            return self._open_line
        more = b"+%x" % self._dice.getrandbits(16)
        self._open_line += more
        return more

    def _write(self, text: bytes) -> None:
        os.write(self._fd, text)

    def _end_open_line(self) -> None:
        if self._open_line:
            self.lines.append(self._open_line)
            self._open_line = b""

    def _create(self) -> None:
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def _shift(self) -> None:
        rotated = sorted(self.path.parent.glob(f"{self.path.name}.*"), key=lambda path: -int(path.suffix[1:]))
        for path in rotated:
            path.rename(path.with_suffix(f".{int(path.suffix[1:]) + 1}"))
