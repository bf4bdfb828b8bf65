"""The lines of one run of a container: all or the last N, oldest first, and those that come."""

import json
from collections.abc import Iterator

from logq.answer import Answer
from logq.client import QUERY_PATH, Client, blocks
from logq.config import Target
from logq.errors import Refusal
from logq.follow import Follower
from logq.notes import note
from logq.past import OUT_OF_MEMORY, every, last, present, up_to
from logq.pods import Run
from logq.printing import Printer
from logq.scope import quoted


class Lines:
    """Reads runs from one server; `tail` None is all, `start` empty is from the beginning."""

    def __init__(self, target: Target, tail: int | None, start: str) -> None:
        self._target = target
        self._tail = tail
        self._start = start

    def print(self, run: Run, printer: Printer) -> None:
        """Prints what there is."""
        client = Client(self._target)
        params = self._params(run)
        if self._tail is None and printer.takes_text and not self._has_pieces(client, params):
            text = {**params, "order": "asc", "limit": "0", "format": "text"}
            try:
                response = client.ask(QUERY_PATH, text)
            except Refusal as refusal:
                if refusal.http_status != OUT_OF_MEMORY:
                    raise
            else:
                for piece in blocks(response):
                    printer.write_text(piece)
                return
        for rows in self._past(client, params):
            printer.write(rows)
            if printer.is_full:
                return

    def follow(self, run: Run, printer: Printer) -> None:
        """Prints what there is, then what comes, until interrupted; a restarted container is followed on."""
        query = self._since(run.container_query())
        cursor = present(self._target, query)
        client = Client(self._target)
        for rows in up_to(cursor, self._past(client, {**self._params(run), "meta": "true"})):
            printer.write(rows)
        client.close()
        for rows in Follower(self._target, query, cursor, note).runs():
            if printer.is_full:
                return
            printer.write(rows)

    def _has_pieces(self, client: Client, params: dict[str, str]) -> bool:
        """Whether some line came in pieces, which the server's own text has not put together again."""
        query = f"{params['q']} attributes._partial=true | stats count() as pieces"
        counted = b"".join(Answer(client.ask(QUERY_PATH, {**params, "q": query})).runs())
        return bool(json.loads(counted)["pieces"])

    def _params(self, run: Run) -> dict[str, str]:
        return {"q": run.query(), **({"start": self._start} if self._start else {})}

    def _past(self, client: Client, params: dict[str, str]) -> Iterator[bytes]:
        return every(client, params) if self._tail is None else last(client, params, self._tail)

    def _since(self, query: str) -> str:
        return f"{query} time>={quoted(self._start)}" if self._start else query
