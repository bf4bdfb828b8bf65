"""What the numbers of the store and of queries mean, for /metrics."""

from collections.abc import Mapping
from typing import Final

HELP: Final[Mapping[str, str]] = {
    "accepted_records": "Records written to the write-ahead log and visible to queries.",
    "busy": "Batches not taken because too much waited for the write-ahead log (pending_bytes).",
    "buffer_bytes": "Bytes of records in memory that are in no segment yet.",
    "buffer_full": "Times that writing waited because the buffer was full (buffer_bytes).",
    "chunk_cache_bytes": "Bytes of column chunks in memory that were read for the newest records; at most 16 MiB.",
    "chunk_loads": "Column chunks that were read for the newest (or oldest) records.",
    "compacted_bytes": "Bytes of segments that were merged into others.",
    "compacted_segments": "Segments that were merged into others.",
    "compactions": "Merges of small segments.",
    "damaged_wal_ranges": "Ranges of the write-ahead log that were unreadable at the start and set aside.",
    "disk_free_bytes": "Free bytes on the disk of the data directory.",
    "expired_segments": "Segments removed by retention.",
    "flush_failures": "Flushes that failed; their records stay in the write-ahead log.",
    "flushed_bytes": "Bytes of segments written by flushes.",
    "flushed_records": "Records written to segments by flushes.",
    "flushes": "Flushes of the buffer to segments.",
    "footer_cache_segments": "Segments whose Parquet footer is in memory, for reading single row groups; at most 256.",
    "footer_loads": "Parquet footers that were read into memory.",
    "index_cache_bytes": "Bytes of segments' indexes in memory; at most 32 MiB.",
    "index_cache_segments": "Segments whose index is in memory.",
    "index_loads": "Segments' indexes that were read into memory.",
    "memory_trims": "Times that the process came near --memory, and gave back what it had free.",
    "missing_segments": "Segments of the catalog whose files were not there at the start.",
    "query_answers_bytes": "Bytes of answers that are remembered.",
    "query_answers_remembered": "Queries that were answered from memory, since nothing had changed.",
    "query_footers": "Segments whose Parquet footer is in memory, for reading them whole.",
    "query_parts_bytes": "Bytes of what statistics found in segments, which are remembered.",
    "query_parts_remembered": "Segments that statistics did not read again, since what they found is remembered.",
    "quarantined_partitions": "Partitions whose flush failed twice; somebody must look at the disk and the log.",
    "segment_bytes": "Bytes of all segments.",
    "segments": "Segments, the Parquet files of the store.",
    "tending_failures": "Runs of compaction or retention that failed.",
    "wal_bytes": "Bytes written to the write-ahead log.",
    "wal_disk_bytes": "Bytes that the write-ahead log takes on disk.",
    "wal_failures": "Writes to the write-ahead log that failed; nothing of them was acknowledged.",
    "wal_sync_seconds": "Time to write and sync one entry of the write-ahead log.",
}

GAUGES: Final = frozenset(
    {
        "buffer_bytes",
        "chunk_cache_bytes",
        "damaged_wal_ranges",
        "disk_free_bytes",
        "footer_cache_segments",
        "index_cache_bytes",
        "index_cache_segments",
        "missing_segments",
        "quarantined_partitions",
        "query_answers_bytes",
        "query_footers",
        "query_parts_bytes",
        "segment_bytes",
        "segments",
        "wal_disk_bytes",
    }
)
