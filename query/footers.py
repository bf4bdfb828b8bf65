"""Footers that are read before a question asks for them: a first one of all records took as long for these as for a
column or two. Only those of segments that stay: what compaction is about to merge is not worth it."""

import threading
import time
from contextlib import suppress
from typing import Final

import duckdb
import numpy as np

from logstore.errors import LogstoreError
from logstore.listing import Listing
from logstore.store import Store
from query.engine import Engine

LOOKED_S: Final = 5.0


class Footers:
    """Reads them in a thread of its own, from `start` to `stop`."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self._seen: Listing | None = None
        """The segments that were there when it looked before."""
        self._done: tuple[Listing, int] | None = None
        """Of which segments, and into which database."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="footers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """Reads those of segments that have settled and are there for the second time, the newest first, as long as
        there is room for them."""
        with self._store.snapshot() as snapshot:
            snapshot.let_go_of_buffer()
            found, seen = snapshot.segments, self._seen
            self._seen = found
            done = found, self._engine.large_database
            if found is not seen or done == self._done:
                return
            self._done = done
            settled_ns = time.time_ns() - int(self._store.settings.compact_settle_s * 1e9)
            stays = found.take(found.received_ns < settled_ns)
            # The question that reads them says what is wrong with a file.
            with suppress(duckdb.Error, UnicodeDecodeError):
                self._engine.read_footers(stays.take(np.argsort(-stays.max_time_ns)))

    def _run(self) -> None:
        while not self._stopping.wait(LOOKED_S):
            with suppress(LogstoreError):
                self.look()
