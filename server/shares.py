"""What each part of the server gets of the settings; shares of memory that are not set follow from the whole."""

import os
from typing import Final

from ingest.identity_table import read_table
from ingest.lines_asked import LinesSettings
from ingest.pipeline import PipelineSettings
from ingest.request import Limits
from logstore.settings import StoreSettings
from query.settings import QuerySettings
from query.tail import TailSettings
from server.settings import ServeSettings

CONNECTION_BYTES: Final = 8192


def store_settings(settings: ServeSettings) -> StoreSettings:
    return StoreSettings(
        partition_by=tuple(settings.partition_by.split(",")),
        pending_bytes=_or(settings.pending_bytes, settings.memory // 16),
        buffer_bytes=_or(settings.buffer_bytes, settings.memory // 8),
        recent_bytes=_or(settings.recent_bytes, settings.memory // 32),
        flush_bytes=settings.flush_bytes,
        flush_age_s=settings.flush_age,
        wal_max_bytes=settings.wal_max_bytes,
        disk_reserve_bytes=settings.disk_reserve,
        retention_age_s=settings.retention_age,
        retention_bytes=settings.retention_bytes,
    )


def pipeline_settings(settings: ServeSettings) -> PipelineSettings:
    return PipelineSettings(
        limits=Limits(max_body_bytes=settings.max_body, max_line_bytes=settings.max_line),
        threads=settings.ingest_threads,
        # The server holds bodies back before it reads them; the pipeline's own bound is never reached.
        pending_bytes=settings.ingest_memory_bytes + settings.max_connections * CONNECTION_BYTES,
        wait_s=settings.ingest_wait,
        default_cluster=settings.default_cluster,
        default_namespace=settings.default_namespace,
        lines=LinesSettings(settings.unwrap, settings.multiline),
        identity=read_table(settings.identity_file),
    )


def query_settings(settings: ServeSettings) -> QuerySettings:
    return QuerySettings(
        timeout_s=settings.query_timeout,
        memory_bytes=_or(settings.query_memory, settings.memory // 4),
        concurrency=settings.query_concurrency,
        threads=len(os.sched_getaffinity(0)),
    )


def tail_settings(settings: ServeSettings) -> TailSettings:
    return TailSettings(max_followers=settings.tail_max_followers, held_bytes=settings.memory // 32)


def _or(given: int | None, share: int) -> int:
    return share if given is None else given
