"""What was there before a moment, so that what comes after it can follow without a gap or a repeat.

The moment is a cursor: the number of the last record accepted. Rows of a query that carry higher numbers are left
to the tail that begins at the cursor.
"""

import json
import re
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from typing import Final

from logq.answer import Answer, whole_lines
from logq.client import QUERY_PATH, Client, blocks
from logq.config import Target
from logq.errors import Unreachable

SPOOL_BYTES: Final = 32 << 20
"""The last N lines arrive newest first; more than this of them wait in a temporary file."""
RUN_ROWS: Final = 256
ANSWER_TIMEOUT_S: Final = 30.0
_SEQ_AT_END: Final = re.compile(rb',"_seq":(-?\d+)\}$')


def present(target: Target, query: str) -> str:
    """The cursor of now: everything accepted before it is in queries that start later."""
    client = Client(target, answer_timeout_s=ANSWER_TIMEOUT_S)
    try:
        response = client.ask("/api/v1/tail", {"q": query, "backlog": "0"})
        for run in whole_lines(blocks(response), keep_rest=False):
            for line in run.split(b"\n"):
                if line.startswith(b'{"@tail"'):
                    return str(json.loads(line)["@tail"]["cursor"])
    finally:
        client.close()
    raise Unreachable("the server ended the tail before it began")


def last(client: Client, params: Mapping[str, str], count: int) -> Iterator[bytes]:
    """The last `count` rows of a query, oldest first."""
    if count:
        newest = {**params, "order": "desc", "limit": str(count)}
        yield from reversed_lines(Answer(client.ask(QUERY_PATH, newest)).runs())


def every(client: Client, params: Mapping[str, str]) -> Iterator[bytes]:
    """All rows of a query, oldest first."""
    yield from Answer(client.ask(QUERY_PATH, {**params, "order": "asc", "limit": "0"})).runs()


def up_to(cursor: str, numbered: Iterator[bytes]) -> Iterator[bytes]:
    """Rows asked for with `meta`, as they are without it, but for those after the cursor."""
    highest = int(cursor)
    for run in numbered:
        lines = (_without_seq(line) for line in run[:-1].split(b"\n"))
        if kept := b"".join(line + b"\n" for line, seq in lines if seq <= highest):
            yield kept


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


def _without_seq(line: bytes) -> tuple[bytes, int]:
    if match := _SEQ_AT_END.search(line):
        head = line[: match.start()]
        return (head + b"}" if head != b"{" else b"{}"), int(match[1])
    row = json.loads(line)
    seq = int(row.pop("_seq"))
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"), seq
