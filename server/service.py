"""What the routes share: the store, the query engine, the thread pools, and the bounds on all of them."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol, TypeVar

from ingest.namespaces import Namespaces
from ingest.pipeline import Pipeline
from ingest.rules import Rules
from logstore.errors import LogstoreError
from logstore.segment import file_readings
from logstore.store import Store
from query.engine import Engine
from query.execute import run
from query.footers import Footers
from query.request import Request
from query.tail import Hub
from server.body import BodyBudget, BodyLimits
from server.memory import Trimmer
from server.results import Results
from server.rules_metrics import RulesCollector
from server.settings import ServeSettings
from server.shares import pipeline_settings, query_settings, store_settings, tail_settings
from server.sources import Sources
from server.store_metrics import GAUGES, HELP
from server.telemetry import Telemetry

ADMIN_THREADS: Final = 4
WAITING_THREADS: Final = 8
"""Threads beyond those of running queries, in which others wait for their turn."""

TAIL_THREADS: Final = 6
CATCH_UPS: Final = 4

SPILL: Final = "spill"
"""Directory, inside that of the data, for what large queries put aside."""

Result = TypeVar("Result")


class Wakeable(Protocol):
    """What can be told that there is something to do."""

    def set(self) -> None: ...


class Service:
    """One server's working parts. `open` and `close` block; everything else is called on the event loop.

    Raises InvalidSettings for rules that cannot be read.
    """

    store: Store
    engine: Engine
    hub: Hub
    pipeline: Pipeline

    def __init__(self, settings: ServeSettings, telemetry: Telemetry) -> None:
        self.settings = settings
        self.telemetry = telemetry
        self.rules = Rules(settings.rules_file) if settings.rules_file is not None else None
        self.is_stopping = False
        """Tails end with a last cursor."""
        self.sources = Sources(telemetry.ingest)
        self.bodies = BodyBudget(settings.ingest_memory_bytes)
        telemetry.ingest.held_bytes.set_function(lambda: self.bodies.held_bytes)
        self.results = Results()
        self.query_threads = ThreadPoolExecutor(settings.query_concurrency + WAITING_THREADS, "query")
        self.admin_threads = ThreadPoolExecutor(ADMIN_THREADS, "admin")
        self.tail_threads = ThreadPoolExecutor(TAIL_THREADS, "tail")
        self.catching_up = asyncio.Semaphore(CATCH_UPS)
        """Held by a tail while it reads what came before it: fewer than its threads, so that each step gets one."""
        self._trimmer = Trimmer(settings.memory)
        self._tails: set[Wakeable] = set()
        self._is_open = False

    def open(self) -> None:
        """Open the store and what reads it. Raises OperatorError."""
        self.store = Store.open(self.settings.data, store_settings(self.settings))
        self.engine = Engine(
            self.store.directory.segments,
            self.store.directory.root / SPILL,
            query_settings(self.settings),
            self.store.catalog.secret(),
        )
        self.hub = Hub(self.store, self.engine, tail_settings(self.settings))
        self.namespaces = Namespaces(self.store.catalog.flushed(), self.settings.new_namespaces)
        self.pipeline = Pipeline(
            self.store, pipeline_settings(self.settings), rules=self.rules, namespaces=self.namespaces
        )
        self._is_open = True
        for readings in (
            self.store.readings,
            self.engine.readings,
            self.engine.answers.readings,
            self.engine.parts.readings,
            self.engine.misses.readings,
            self.store.indexes.readings,
            self.namespaces.readings,
            file_readings,
            self._trimmer.readings,
        ):
            self.telemetry.add_layer(readings, HELP, GAUGES)
        if self.rules is not None:
            self.telemetry.registry.register(RulesCollector(self.rules))
        self._footers = Footers(self.store, self.engine)
        self._footers.start()
        self._trimmer.start()
        self.admin_threads.submit(self._warm_up)

    def _warm_up(self) -> None:
        """Asks for nothing, so that a user's first query finds the parser built and the databases awake."""
        nothing = Request("word message=~word", start_ns=0, end_ns=0)
        with suppress(LogstoreError), run(self.store, self.engine, nothing) as answer:
            deque(answer.batches(), maxlen=0)

    def stop_tails(self) -> None:
        self.is_stopping = True
        for wake in self._tails:
            wake.set()

    @contextmanager
    def tailing(self, wake: Wakeable) -> Iterator[None]:
        """Counts a tail, and wakes it when the server stops."""
        self._tails.add(wake)
        self.telemetry.query.tails.set(len(self._tails))
        try:
            yield
        finally:
            self._tails.discard(wake)
            self.telemetry.query.tails.set(len(self._tails))

    def close(self) -> None:
        """Wait for running work, flush everything accepted, close the store."""
        for threads in (self.query_threads, self.admin_threads, self.tail_threads):
            threads.shutdown(wait=False, cancel_futures=True)
        self._trimmer.stop()
        if self._is_open:
            self._footers.stop()
            self.hub.close()
            self.pipeline.close()
            self.engine.close()
            self.store.close()

    def body_limits(self) -> BodyLimits:
        return BodyLimits(
            max_bytes=self.settings.max_body,
            max_bytes_setting="max_body",
            receive_timeout_s=self.settings.receive_timeout,
            wait_s=self.settings.ingest_wait,
        )

    async def follow(self, function: Callable[[], Result]) -> Result:
        """Run a step of a tail that may block."""
        return await asyncio.get_running_loop().run_in_executor(self.tail_threads, function)

    async def administer(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run blocking work that is neither ingest nor a query."""
        return await asyncio.get_running_loop().run_in_executor(self.admin_threads, function, *arguments)
