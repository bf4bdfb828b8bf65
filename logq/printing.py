"""How `logq logs` writes lines: the message alone, or as kubectl prefixes it, or in an output format."""

import json
import sys
import threading
from argparse import Namespace
from typing import Final

from logq.pods import Run
from logq.query import writer_for
from logq.render import NdjsonWriter, coloured_message, encoded, raw_text
from logq.terminal import wants_colour

_STDOUT: Final = threading.Lock()


class Printer:
    """Writes the records of one run as lines, counted in `rows`; `is_full` once at `--limit-bytes`."""

    def __init__(self, options: Namespace, run: Run) -> None:
        self.rows = 0
        self.is_full = False
        self._is_terminal = sys.stdout.isatty()
        self._colours = wants_colour(options, sys.stdout)
        self._prefix = f"[pod/{run.pod.name}/{run.container}] ".encode() if options.prefix else b""
        self._has_time = bool(options.timestamps)
        self._bytes_left = options.limit_bytes or None

    @property
    def takes_text(self) -> bool:
        """Whether the server's own text (message and newline) is already what is to be written."""
        return not (self._is_terminal or self._prefix or self._has_time or self._bytes_left)

    def write(self, run: bytes) -> None:
        """Takes whole NDJSON lines."""
        if self.is_full:
            return
        lines = [self._line(line) for line in run[:-1].split(b"\n")]
        self._put(b"".join(lines), len(lines))

    def write_text(self, text: bytes) -> None:
        """Takes the server's own text, in any pieces."""
        self._put(text, text.count(b"\n"))

    def _line(self, line: bytes) -> bytes:
        row = json.loads(line)
        text = raw_text(row)
        if self._is_terminal:
            text = coloured_message(text, str(row.get("severity") or ""), colours=self._colours)
        counted = (f"{row['time']} ".encode() if self._has_time else b"") + encoded(text) + b"\n"
        return self._prefix + self._cut(counted)

    def _cut(self, line: bytes) -> bytes:
        if self._bytes_left is None:
            return line
        line = line[: self._bytes_left]
        self._bytes_left -= len(line)
        self.is_full = self._bytes_left == 0
        return line

    def _put(self, text: bytes, rows: int) -> None:
        with _STDOUT:
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


def printers(options: Namespace, runs: list[Run]) -> list[Printer]:
    """One printer a run."""
    if not options.output:
        return [Printer(options, run) for run in runs]
    writer = writer_for(options.output, options)
    return [FormatPrinter(options, run, writer) for run in runs]
