"""What a stopped server left in its data directory."""

import logging
import time
from pathlib import Path

import structlog

from bench.measure import directory_bytes
from logstore.settings import StoreSettings
from logstore.store import Store


def opened(data: Path, settings: StoreSettings | None = None) -> Store:
    """The store in this process, which reports nothing but trouble."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return Store.open(data, settings)


def compacted(data: Path) -> float:
    """Merges all that can be merged, and returns the CPU seconds of that."""
    with opened(data, StoreSettings(compact_settle_s=0.0)) as store:
        before_s = time.process_time()
        while store.compact():
            pass
        return time.process_time() - before_s


def parts_bytes(data: Path) -> tuple[tuple[str, int], ...]:
    """All that is kept of records in segments, by name."""
    return (
        ("segments", directory_bytes(data / "segments")),
        ("indexes", directory_bytes(data / "indexes")),
        ("catalog", sum(file.stat().st_size for file in data.glob("catalog.sqlite*"))),
    )
