"""Following a query over lost connections, without loss or repeat.

The server sends, now and then, the cursor that stands for everything before it. After a lost connection the
follower takes up from the last cursor and drops as many records as it had already passed on since: they come
again in the same order, the order of acceptance.
"""

import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from logq.answer import whole_lines
from logq.client import Client, blocks
from logq.config import Target
from logq.errors import Refusal, Unreachable

SILENCE_MAX_S: Final = 30.0
"""The server sends something every 10 s; after this the connection is taken for dead."""
RETRY_FIRST_S: Final = 0.1
RETRY_MAX_S: Final = 5.0
RETRIED_STATUS: Final = frozenset((408, 425, 429, 500, 502, 503, 504))


class Follower:
    """Records that match `query` and were accepted after `cursor`, for ever; `tell` takes what the user should know."""

    def __init__(self, target: Target, query: str, cursor: str, tell: Callable[[str], None]) -> None:
        self._client = Client(target, answer_timeout_s=SILENCE_MAX_S)
        self._query = query
        self._cursor = cursor
        self._tell = tell
        self._since_cursor = 0
        self._to_skip = 0
        self._wait = threading.Event()

    def runs(self) -> Iterator[bytes]:
        """Bytes that are whole record lines, each with its newline.

        Raises:
            Unreachable: the first connection cannot be made; later ones are tried for ever.
            Refusal: the server will not have this query.
        """
        response = self._ask()
        while True:
            try:
                for run in whole_lines(blocks(response), keep_rest=False):
                    if records := self._records(run):
                        yield records
            except Unreachable:
                pass
            self._client.close()
            response = self._again()

    def _records(self, run: bytes) -> bytes:
        if not self._to_skip and b'{"@' not in run and b"\n\n" not in run and not run.startswith(b"\n"):
            self._since_cursor += run.count(b"\n")
            return run
        return b"".join(line + b"\n" for line in run[:-1].split(b"\n") if line and self._is_new_record(line))

    def _is_new_record(self, line: bytes) -> bool:
        if line.startswith(b'{"@'):
            fields = json.loads(line)
            if isinstance(fields.get("@tail"), dict):
                self._take_cursor(fields["@tail"])
                return False
            if "@error" in fields:
                raise Unreachable(str(fields["@error"]))
        self._since_cursor += 1
        if self._to_skip:
            self._to_skip -= 1
            return False
        return True

    def _take_cursor(self, tail: dict[str, Any]) -> None:
        if missed := tail.get("missed"):
            self._tell(f"too slow: the server skipped {missed:,} records")
        if tail.get("cursor") is not None:
            self._cursor = str(tail["cursor"])
            self._since_cursor = 0

    def _again(self) -> http.client.HTTPResponse:
        self._to_skip += self._since_cursor
        self._since_cursor = 0
        retry_s = RETRY_FIRST_S
        is_told = False
        while True:
            self._wait.wait(retry_s * random.uniform(0.5, 1.0))
            try:
                response = self._ask()
            except (Unreachable, Refusal) as error:
                if isinstance(error, Refusal) and error.http_status not in RETRIED_STATUS:
                    raise
                if not is_told and retry_s > 0.3:
                    self._tell(f"connection lost, trying again: {error}")
                    is_told = True
                asked_s = error.retry_after_s if isinstance(error, Refusal) else None
                retry_s = max(min(retry_s * 2, RETRY_MAX_S), min(asked_s or 0, 60.0))
                continue
            if is_told:
                self._tell("connected again")
            return response

    def _ask(self) -> http.client.HTTPResponse:
        return self._client.ask("/api/v1/tail", {"q": self._query, "cursor": self._cursor})
