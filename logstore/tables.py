"""The catalog's tables, readable by others: SQLAlchemy Core, and nothing here that PostgreSQL lacks.

meta            format version, next free record number, the secret of the templates' ids in two halves
segments        one row a published Parquet file
streams         one row a (cluster, namespace, pod, container, labels)
stream_ranges   which rows of a segment belong to a stream
partitions      up to which record number a (cluster, namespace) is flushed
keys            idempotency keys and what they were answered
attribute_kinds what kind of column a key of attributes is, in the whole store
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

STREAM: Final = ("cluster", "namespace", "pod", "container", "labels")
Stream = tuple[str, str, str, str, str]
"""A (cluster, namespace, pod, container, labels or '')."""

metadata = sa.MetaData()
meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
segments = sa.Table(
    "segments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("window_ns", sa.BigInteger, nullable=False),
    sa.Column("min_time_ns", sa.BigInteger, nullable=False),
    sa.Column("max_time_ns", sa.BigInteger, nullable=False),
    sa.Column("min_seq", sa.BigInteger, nullable=False),
    sa.Column("max_seq", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("plain_bytes", sa.BigInteger, nullable=False),
    sa.Column("received_ns", sa.BigInteger, nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("columns", sa.Text, nullable=False),
    sqlite_autoincrement=True,  # an id is not given twice: what is remembered of a segment is remembered by it
)
streams = sa.Table(
    "streams",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("pod", sa.Text, nullable=False),
    sa.Column("container", sa.Text, nullable=False),
    sa.Column("labels", sa.Text, nullable=False),
    sa.UniqueConstraint(*STREAM),
    sa.Index("ix_streams_pod_container", "pod", "container"),
)
ranges = sa.Table(
    "stream_ranges",
    metadata,
    sa.Column("segment", sa.Integer, nullable=False, primary_key=True),
    sa.Column("first_row", sa.BigInteger, nullable=False, primary_key=True),
    sa.Column("stream", sa.Integer, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("min_time_ns", sa.BigInteger, nullable=False),
    sa.Column("max_time_ns", sa.BigInteger, nullable=False),
    sa.Index("ix_stream_ranges_stream_segment", "stream", "segment"),
)
partitions = sa.Table(
    "partitions",
    metadata,
    sa.Column("cluster", sa.Text, primary_key=True),
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("flushed_seq", sa.BigInteger, nullable=False),
)
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("receipt", sa.LargeBinary, nullable=False),
    sa.Column("received_ns", sa.BigInteger, nullable=False, index=True),
)
attribute_kinds = sa.Table(
    "attribute_kinds",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
)


def driver_text(statement: sa.ClauseElement) -> str:
    """A statement for the database's driver itself, which takes a seventh of the time; its parameters are in the order
    of the text."""
    return str(statement.compile(dialect=sqlite.dialect()))


def insert(connection: sa.Connection, table: sa.Table, rows: list[tuple[Any, ...]]) -> None:
    """Inserts many rows, which have the values of all of the table's columns."""
    if rows:
        connection.exec_driver_sql(driver_text(table.insert()), rows)


def upsert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Inserts rows in the place of those with the same primary key."""
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    same = sa.and_(*(table.c[name] == sa.bindparam(f"old_{name}") for name in key))
    connection.execute(table.delete().where(same), [{f"old_{name}": row[name] for name in key} for row in rows])
    connection.execute(table.insert(), rows)


def streams_of(connection: sa.Connection, segment_ids: Sequence[int]) -> Sequence[int]:
    """The ids of the streams that these segments have."""
    query = sa.select(ranges.c.stream).distinct().where(ranges.c.segment == sa.bindparam("segment"))
    return sorted({found for segment in segment_ids for found in connection.scalars(query, {"segment": segment})})


def delete_unused(connection: sa.Connection, stream_ids: Sequence[int]) -> None:
    """Deletes those of the streams of which there are no rows any more, but not the newest: its id would be given to
    another one."""
    has_rows = sa.exists().where(ranges.c.stream == streams.c.id)
    newest = sa.select(sa.func.max(streams.c.id)).scalar_subquery()
    unused = streams.delete().where(streams.c.id == sa.bindparam("stream"), streams.c.id < newest, ~has_rows)
    if stream_ids:
        connection.execute(unused, [{"stream": stream} for stream in stream_ids])
