"""Everything that can be set about the engine, with defaults that fit a 512 MB server."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20
DAY_S: Final = 86_400.0

PARTITIONS: Final = (("cluster", "namespace"), ("cluster", "namespace", "pod", "container", "hour"))
"""The directory layouts there are; `date` always follows the identity columns."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Settings of one store; sizes in bytes, durations in seconds."""

    partition_by: tuple[str, ...] = PARTITIONS[0]
    writer: int = 0
    """Number of this writer, in the high bits of every `_seq` it gives out."""

    pending_bytes: int = 48 * MIB
    """Decoded batches that wait for the WAL; more are refused as busy."""
    buffer_bytes: int = 96 * MIB
    """Records in memory and not yet in segments; at this size appends wait for the flush."""
    recent_bytes: int = 24 * MIB
    """Newest records kept for tails, flushed or not."""

    flush_bytes: int = 8 * MIB
    flush_age_s: float = 60.0
    flush_files: int = 256
    """Partition-windows that one flush may open; records of the others go to wider segments."""

    file_bytes: int = 16 * MIB
    """Records, in memory, that a flush puts into one file: it copies them twice on the way, a file at a time."""

    wal_file_bytes: int = 64 * MIB
    wal_max_bytes: int = 512 * MIB
    """Past this size of WAL everything is flushed."""
    disk_reserve_bytes: int = 256 * MIB
    """Free space below which nothing is accepted."""

    row_group_rows: int = 8_192
    column_rows: int = 32
    """Records of a segment that have an attribute from which on it may be a column of its own."""
    index_cache_bytes: int = 32 * MIB
    """Indexes of segments that are kept in memory."""
    compact_bytes: int = 64 * MIB
    """Uncompressed size up to which short segments of one partition and window are sorted into one."""
    compact_files: int = 8
    """Short segments of one partition and window that are worth it."""
    join_bytes: int = 32 * MIB
    """Size up to which segments of one partition and window are joined as they are."""
    join_files: int = 4
    """Segments that are worth it."""
    compact_settle_s: float = 120.0
    """Two segments are worth a merge already when no record came into them for so long."""
    compact_interval_s: float = 10.0

    retention_age_s: float | None = None
    retention_bytes: int | None = None
    retired_age_s: float = DAY_S

    key_age_s: float = DAY_S
    key_count: int = 10_000_000
