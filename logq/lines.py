"""The lines of one run of a container: all or the last N, oldest first, and those that come."""

import json
import re
import tempfile
from array import array
from collections.abc import Iterator
from typing import Final

from logq.answer import Answer
from logq.client import Client, blocks
from logq.config import Target
from logq.follow import Follower
from logq.notes import note
from logq.pods import Run
from logq.printing import Printer
from logq.scope import quoted

SPOOL_BYTES: Final = 32 << 20
"""The last N lines arrive newest first; more than this of them wait in a temporary file."""
RUN_ROWS: Final = 256
_SEQ_AT_END: Final = re.compile(rb',"_seq":(\d+)\}$')


class Lines:
    """Reads runs from one server; `tail` None is all, `start` empty is from the beginning."""

    def __init__(self, target: Target, tail: int | None, start: str) -> None:
        self._target = target
        self._tail = tail
        self._start = start

    def print(self, run: Run, printer: Printer) -> None:
        """Prints what there is."""
        client = Client(self._target)
        if self._tail is None and printer.takes_text:
            for text in blocks(client.ask("/api/v1/query", {**self._all(run), "format": "text"})):
                printer.write_text(text)
            return
        for rows in self._history(client, run, {}):
            printer.write(rows)
            if printer.is_full:
                return

    def follow(self, run: Run, printer: Printer) -> None:
        """Prints what there is, then what comes, until interrupted; a restarted container is followed on.

        A cursor is the number of a record: the highest one of the records printed is where following begins.
        """
        client = Client(self._target)
        last_seq = 0
        for rows in self._history(client, run, {"meta": "true"}):
            kept, highest = _without_seq(rows)
            last_seq = max(last_seq, highest)
            printer.write(kept)
        last_seq = last_seq or self._newest_seq(client, run)
        client.close()
        params = {"q": self._since(run.container_query()), "cursor": str(last_seq)}
        for rows in Follower(self._target, params, note).runs():
            if printer.is_full:
                return
            printer.write(rows)

    def _all(self, run: Run) -> dict[str, str]:
        start = {"start": self._start} if self._start else {}
        return {"q": run.query(), "order": "asc", "limit": "0", **start}

    def _history(self, client: Client, run: Run, extra: dict[str, str]) -> Iterator[bytes]:
        if self._tail == 0:
            return
        if self._tail is None:
            yield from Answer(client.ask("/api/v1/query", {**self._all(run), **extra})).runs()
            return
        newest = {**self._all(run), "order": "desc", "limit": str(self._tail), **extra}
        yield from reversed_lines(Answer(client.ask("/api/v1/query", newest)).runs())

    def _newest_seq(self, client: Client, run: Run) -> int:
        """Where to begin when nothing was printed: after the newest record of all, if there is one."""
        params = {"q": run.container_query(), "order": "desc", "limit": "1", "meta": "true"}
        return max((_without_seq(rows)[1] for rows in Answer(client.ask("/api/v1/query", params)).runs()), default=0)

    def _since(self, query: str) -> str:
        return f"{query} time>={quoted(self._start)}" if self._start else query


def reversed_lines(runs: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of all runs, last first, in bounded memory."""
    starts = array("q")
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
        size = 0
        for run in runs:
            spool.write(run)
            for line in run[:-1].split(b"\n"):
                starts.append(size)
                size += len(line) + 1
        end = size
        for first in range(len(starts) - RUN_ROWS, -RUN_ROWS, -RUN_ROWS):
            start = starts[max(first, 0)]
            spool.seek(start)
            lines = spool.read(end - start)[:-1].split(b"\n")
            yield b"".join(line + b"\n" for line in reversed(lines))
            end = start


def _without_seq(rows: bytes) -> tuple[bytes, int]:
    """The rows as they are without `meta`, and the highest number among them."""
    kept: list[bytes] = []
    highest = 0
    for line in rows[:-1].split(b"\n"):
        if match := _SEQ_AT_END.search(line):
            kept.append(line[: match.start()] + b"}\n")
            highest = max(highest, int(match[1]))
            continue
        row = json.loads(line)
        highest = max(highest, int(row.pop("_seq")))
        kept.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n")
    return b"".join(kept), highest
