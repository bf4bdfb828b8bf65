"""What is said on stderr: notes, errors with the place and a hint, and progress where it is a terminal."""

import os
import sys
import threading
import time
from types import TracebackType
from typing import Final

from logq.errors import LogqError, Refusal
from logq.scope import Scoped
from logq.terminal import DIM, RED, RESET, safe, width

PROGRESS_AFTER_S: Final = 1.0
PROGRESS_EVERY_S: Final = 0.2


def note(text: str) -> None:
    """One line on stderr that is no error."""
    _write(f"logq: {safe(text, colours=False)}\n")


def report(error: LogqError) -> None:
    """An error with its hint on stderr."""
    lines = [f"{_mark('logq:', RED)} {_lines(str(error))}"]
    lines += [f"  {_mark(safe(line, colours=False), DIM)}" for line in error.hint.splitlines()]
    _write("\n".join(lines) + "\n")


def with_place(refusal: Refusal, query: Scoped) -> LogqError:
    """The refusal of a query, with a caret under the place that is wrong."""
    if refusal.position is None:
        return refusal
    offset = query.offset(*refusal.position)
    start = query.original.rfind("\n", 0, offset) + 1
    end = query.original.find("\n", offset)
    line = query.original[start : end if end >= 0 else None]
    before = safe(line[: offset - start].replace("\t", " "), colours=False)
    shown = safe(line.replace("\t", " "), colours=False)
    line_number, column = query.original.count("\n", 0, offset) + 1, offset - start + 1
    message = str(refusal).replace(f"column {refusal.position[1]}", f"column {column}")
    message = message.replace(f"line {refusal.position[0]},", f"line {line_number},")
    hint = f"\n  hint: {refusal.hint}" if refusal.hint and refusal.hint not in message else ""
    return LogqError(f"{message}\n  {shown}\n  {' ' * width(before)}^{hint}")


class Progress:
    """A line on a terminal's stderr that says how long and how far, from a second on; nothing elsewhere.

    `text` may be set at any time; `hide()` takes the line away for good, as the first row does on a terminal.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._started = time.monotonic()
        self._over = threading.Event()
        self._drawn = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def hide(self) -> None:
        """Stops drawing and clears the line."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None
        if self._drawn:
            _write("\r\x1b[K")

    def _draw(self) -> None:
        wait_s = PROGRESS_AFTER_S
        while not self._over.wait(wait_s):
            wait_s = PROGRESS_EVERY_S
            self._drawn = True
            elapsed_s = time.monotonic() - self._started
            _write(f"\r\x1b[K{DIM}{self.text} {elapsed_s:.0f} s{RESET}")


def _lines(text: str) -> str:
    return "\n".join(safe(line, colours=False) for line in text.split("\n"))


def _mark(text: str, colour: str) -> str:
    return f"{colour}{text}{RESET}" if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else text


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody is left to tell
        return
