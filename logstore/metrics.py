"""Counters of the engine: plain numbers under one lock, read by whoever exposes them."""

import threading
from collections import defaultdict


class Metrics:
    """Named counters and gauges, and sums with counts for durations; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: defaultdict[str, float] = defaultdict(float)

    def add(self, name: str, amount: float = 1.0) -> None:
        with self._lock:
            self._values[name] += amount

    def set(self, name: str, value: float) -> None:
        with self._lock:
            self._values[name] = value

    def observe(self, name: str, seconds: float) -> None:
        """Adds one duration: `<name>_seconds_sum` and `<name>_seconds_count`."""
        with self._lock:
            self._values[f"{name}_seconds_sum"] += seconds
            self._values[f"{name}_seconds_count"] += 1

    def read(self) -> dict[str, float]:
        with self._lock:
            return dict(self._values)
