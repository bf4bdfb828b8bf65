"""The limits of all queries of one server, and which of them share an instance of DuckDB."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MIB: Final = 1 << 20


class Size(StrEnum):
    """Which instance a query runs in."""

    SMALL = "small"
    LARGE = "large"
    TAIL = "tail"


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """Limits of all queries of one server; the server's settings have the names in brackets."""

    timeout_s: float = 60.0
    """Time that a query may spend reading and computing, not sending (query_timeout)."""
    memory_bytes: int = 128 * MIB
    """Memory of all queries together (query_memory)."""
    concurrency: int = 8
    """Queries at once (query_concurrency)."""
    wait_s: float = 1.0
    """How long a query waits for its turn before it is refused."""
    threads: int = 2
    spill_bytes: int = 1024 * MIB
    """Disk that large sorts and groups may use, for each instance."""
    large_bytes: int = 64 * MIB
    """Bytes of segments, before compression, from which on a query counts as large."""

    @property
    def large_concurrency(self) -> int:
        """Large queries at once."""
        return max(1, self.concurrency // 2)

    def share_bytes(self, size: Size) -> int:
        """An instance's part of the memory."""
        eighths = {Size.SMALL: 2, Size.LARGE: 5, Size.TAIL: 1}[size]
        return self.memory_bytes * eighths // 8
