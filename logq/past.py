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
from logq.errors import Incomplete, Refusal, Unreachable

SPOOL_BYTES: Final = 32 << 20
"""The last N lines arrive newest first; more than this of them wait in a temporary file."""
RUN_ROWS: Final = 256
ANSWER_TIMEOUT_S: Final = 30.0
OUT_OF_MEMORY: Final = 422
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
        yield from reversed_lines(_rows(client, {**params, "order": "desc"}, count))


def every(client: Client, params: Mapping[str, str]) -> Iterator[bytes]:
    """All rows of a query, oldest first."""
    yield from _rows(client, {**params, "order": "asc"}, 0)


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


def _rows(client: Client, params: Mapping[str, str], count: int) -> Iterator[bytes]:
    """At most `count` rows, 0 for all; page by page where the server has not the memory to sort them at once."""
    try:
        answer = Answer(client.ask(QUERY_PATH, {**params, "limit": str(count)}))
    except Refusal as refusal:
        if refusal.http_status != OUT_OF_MEMORY:
            raise
        return _pages(client, params, count)
    return answer.runs()


def _pages(client: Client, params: Mapping[str, str], count: int) -> Iterator[bytes]:
    """The same rows by cursor, as many at a time as the server gives of itself."""
    left = count
    page = dict(params)
    while True:
        answer = Answer(client.ask(QUERY_PATH, page))
        for run in answer.runs():
            if count and run.count(b"\n") >= left:
                yield b"".join(line + b"\n" for line in run.split(b"\n")[:left])
                client.close()  # whatever is left of the answer
                return
            left -= run.count(b"\n")
            yield run
        if not answer.is_truncated:
            return
        if not answer.cursor or answer.cursor == page.get("cursor"):
            raise Incomplete("the server gave no cursor for the next page", "the lines before are right, but not all")
        page["cursor"] = answer.cursor


def _without_seq(line: bytes) -> tuple[bytes, int]:
    if match := _SEQ_AT_END.search(line):
        head = line[: match.start()]
        return (head + b"}" if head != b"{" else b"{}"), int(match[1])
    row = json.loads(line)
    seq = int(row.pop("_seq"))
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"), seq
