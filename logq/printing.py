"""How `logq logs` writes lines: the message alone, or as kubectl prefixes it, or in an output format.

A line that came in pieces (records with the attribute `_partial`, but for its last) is written as one, where its pieces
follow each other.
"""

import json
import re
import sys
import threading
from argparse import Namespace
from collections.abc import Iterable, Iterator
from typing import Any, Final

from logq.pods import Run
from logq.query import writer_for
from logq.render import NdjsonWriter, coloured_message, encoded, raw_text
from logq.terminal import wants_colour

_STDOUT: Final = threading.Lock()
_ESCAPED: Final = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")

Source = tuple[Any, ...]
"""What the pieces of one line have in common: the stream, and which run of the container."""


class Printer:
    """Writes the records of one run as lines, counted in `rows`; `is_full` once at `--limit-bytes`."""

    _midway: "Printer | None" = None
    """Whose line the output, which all share, is in the midst of."""

    def __init__(self, options: Namespace, run: Run) -> None:
        self.rows = 0
        self.is_full = False
        self._is_terminal = sys.stdout.isatty()
        self._colours = wants_colour(options, sys.stdout)
        self._prefix = f"[pod/{run.pod.name}/{run.container}] ".encode() if options.prefix else b""
        self._has_time = bool(options.timestamps)
        self._bytes_left = options.limit_bytes or None
        self._open: Source | None = None
        """Of the line that goes on in the next record."""

    @property
    def takes_text(self) -> bool:
        """Whether the server's own text (message and newline) is already what is to be written."""
        return not (self._is_terminal or self._prefix or self._has_time or self._bytes_left)

    def write(self, run: bytes) -> None:
        """Takes whole NDJSON lines."""
        if self.is_full:
            return
        with _STDOUT:
            self._take_turn()
            lines = list(self._lines(run[:-1].split(b"\n")))
            self._put(b"".join(lines), len(lines))

    def write_text(self, text: bytes) -> None:
        """Takes the server's own text, in any pieces."""
        with _STDOUT:
            self._put(text, text.count(b"\n"))

    def end(self) -> None:
        """Ends a line whose rest has not come."""
        with _STDOUT:
            if self._open is not None and not self.is_full:
                self._put(b"\n", 0)
                self._open = Printer._midway = None

    def _take_turn(self) -> None:
        """Another's line that has no end yet gets one."""
        other = Printer._midway
        if other is not None and other is not self:
            self._put(b"\n", 0)
            other._open = Printer._midway = None

    def _lines(self, rows: Iterable[bytes]) -> Iterator[bytes]:
        for row in rows:
            if self.is_full:
                return
            yield self._line(row)

    def _line(self, line: bytes) -> bytes:
        """A record's line, or the next piece of the one before."""
        row = json.loads(line)
        attributes = row.get("attributes") or {}
        goes_on, source = attributes.get("_partial") is True, _source(row)
        is_rest = self._open is not None and self._open == source
        ended = b"\n" if self._open is not None and not is_rest else b""
        self._open = source if goes_on else None
        Printer._midway = self if goes_on else None
        is_time_told = self._has_time and not is_rest
        text = self._text(row, is_piece=goes_on or is_rest)
        counted = (f"{row['time']} ".encode() if is_time_told else b"") + text + (b"" if goes_on else b"\n")
        return ended + (b"" if is_rest else self._prefix) + self._cut(counted)

    def _text(self, row: dict[str, Any], *, is_piece: bool) -> bytes:
        text = raw_text(row)
        if self._is_terminal:
            return encoded(coloured_message(text, str(row.get("severity") or ""), colours=self._colours))
        if is_piece and (row.get("attributes") or {}).get("_escape") == "backslash":
            return _unescaped(encoded(text))  # cut within a character, which its pieces make whole again
        return encoded(text)

    def _cut(self, line: bytes) -> bytes:
        if self._bytes_left is None:
            return line
        line = line[: self._bytes_left]
        self._bytes_left -= len(line)
        self.is_full = self._bytes_left == 0
        return line

    def _put(self, text: bytes, rows: int) -> None:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        self.rows += rows


class FormatPrinter(Printer):
    """Writes rows in an output format, through the writer that all runs of the command share."""

    def __init__(self, options: Namespace, run: Run, writer: NdjsonWriter) -> None:
        super().__init__(options, run)
        self._writer = writer

    @property
    def takes_text(self) -> bool:
        return False

    def write(self, run: bytes) -> None:
        with _STDOUT:
            self._writer.write(run)
            self.rows += run.count(b"\n")


def _source(row: dict[str, Any]) -> Source:
    labels = row.get("labels") or {}
    return row.get("stream"), labels.get("pod_uid"), labels.get("instance")


def _unescaped(text: bytes) -> bytes:
    """The bytes that a message had."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", text)


def printers(options: Namespace, runs: list[Run]) -> list[Printer]:
    """One printer a run."""
    if not options.output:
        return [Printer(options, run) for run in runs]
    writer = writer_for(options.output, options)
    return [FormatPrinter(options, run, writer) for run in runs]
