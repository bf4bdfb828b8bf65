"""DuckDB under limits: a small fixed pool of instances, a cursor a query, admission, time-out, cancellation.

Limits are an instance's in DuckDB, not a cursor's. So there are three of them: one for queries that read little, one
for those that read much, and one for tails, which no query can then starve of memory; and those that read much yield
the processors to all others. Each can read files of the segments' directory and nothing else.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from logstore.catalog import Segment
from logstore.yielding import LONG_NICE, yielding
from query.extension import NO_SECRET
from query.hurry import HURRY
from query.instance import Instance, Limits
from query.misses import Misses
from query.parts import Parts
from query.remembered import Answers
from query.session import Room, Session
from query.settings import QuerySettings, Size
from query.turns import Turns
from query.verdicts import Verdicts
from query.watchdog import Watchdog

LARGE_WAITS: Final = 5
"""How many times as long as others a large query waits for its turn: one before it may take seconds, and may have to be
alone."""


class Engine:
    """The pool. All methods are safe in any thread."""

    def __init__(
        self, segments: Path, spill: Path, settings: QuerySettings | None = None, secret: bytes = NO_SECRET
    ) -> None:
        """`segments` is the only directory that can be read; `spill` is emptied, and nothing else may use it; `secret`
        is the one that the segments' templates have their ids by."""
        self.settings = settings or QuerySettings()
        self._secret = secret
        shutil.rmtree(spill, ignore_errors=True)
        self._instances = {size: self._start(size, segments, spill) for size in Size}
        self._turns = Turns(self.settings.concurrency, "queries")
        self._large_turns = Turns(self.settings.large_concurrency, "large queries")
        self._watchdog = Watchdog()
        self._readers = ThreadPoolExecutor(self.settings.threads, "query-read")
        self.verdicts = Verdicts()
        self.answers = Answers()
        self.misses = Misses()
        self.parts = Parts()

    def _start(self, size: Size, segments: Path, spill: Path) -> Instance:
        settings, is_tail = self.settings, size is Size.TAIL
        limits = Limits(1 if is_tail else settings.threads, settings.share_bytes(size), settings.spill_bytes, is_tail)
        threads = yielding(settings.large_concurrency, "large-query", LONG_NICE) if size is Size.LARGE else None
        return Instance(limits, segments, spill / size, self._secret, threads)

    @contextlib.contextmanager
    def session(self, size: Size = Size.SMALL, wait_s: float | None = None) -> Iterator[Session]:
        """A turn to run one query.

        Raises:
            Busy: too many queries run, still after `wait_s` (the settings' unless given).
        """
        with contextlib.ExitStack() as stack, contextlib.ExitStack() as hurried:
            wait_s = self.settings.wait_s if wait_s is None else wait_s

            def room_in(size: Size, wait_s: float) -> Room:
                if size is not Size.LARGE:
                    return Room(self._instances[size], lambda _wait_s, _is_off: False)
                hurried.close()
                turn = self._large_turns.take(wait_s * LARGE_WAITS)
                stack.callback(self._large_turns.end, turn)
                return Room(self._instances[size], partial(self._large_turns.isolate, turn))

            # Who waits among the large queries holds no turn that a small one could have.
            room = room_in(size, wait_s)
            if size is not Size.TAIL:
                stack.callback(self._turns.end, self._turns.take(wait_s))
            if size is Size.SMALL:
                hurried.enter_context(HURRY)
            session = Session(room, room_in, self._watchdog, self._readers, self.settings, size, wait_s)
            stack.callback(session.close)
            yield session

    def read_footers(self, files: Iterable[Segment]) -> None:
        """Reads those of files that large queries may read whole, the first ones, as long as there is room.

        Raises:
            duckdb.Error: one of the files cannot be read.
        """
        self._instances[Size.LARGE].read_footers(files)

    @property
    def large_database(self) -> int:
        """The number of the database of large queries: another one has no footers."""
        return self._instances[Size.LARGE].number

    def readings(self) -> dict[str, float]:
        """The numbers for /metrics."""
        return {"query_footers": sum(instance.footers for instance in self._instances.values())}

    def close(self) -> None:
        """Ends what runs and stops."""
        self._watchdog.close()
        self._readers.shutdown()
        for instance in self._instances.values():
            instance.close()
