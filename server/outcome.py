"""How a query ended, for its metrics."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import structlog

from logstore.errors import Busy, Damaged, InvalidInput, InvalidQuery, QueryTimeout, QueryTooExpensive, TooLarge
from query.session import QueryCancelled
from server.body import ClientGone
from server.telemetry import QueryMetrics

log = structlog.get_logger()

NAMES: Final[Mapping[type[BaseException], str]] = {
    InvalidInput: "invalid",
    InvalidQuery: "invalid",
    TooLarge: "invalid",
    Busy: "busy",
    QueryTimeout: "timeout",
    QueryTooExpensive: "memory",
    Damaged: "damaged",
    QueryCancelled: "cancelled",
    ClientGone: "cancelled",
    asyncio.CancelledError: "cancelled",
}


class Outcome:
    """A context manager around one query: counts it by what leaves the block, and logs what the disk is at fault of."""

    def __init__(self, metrics: QueryMetrics) -> None:
        self._metrics = metrics
        self._began_s = 0.0

    def __enter__(self) -> Self:
        self._began_s = time.monotonic()
        self._metrics.running.inc()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._metrics.running.dec()
        self._metrics.seconds.observe(time.monotonic() - self._began_s)
        self._metrics.outcomes.labels(_name(kind)).inc()
        if isinstance(error, Damaged):
            log.error("query needs what cannot be read", error=str(error), exc_info=error)


def _name(kind: type[BaseException] | None) -> str:
    if kind is None:
        return "ok"
    return next((NAMES[base] for base in kind.__mro__ if base in NAMES), "failed")
