"""The catalog: which segments there are, what is in them, and how far each partition is flushed. One transaction
publishes a change; what it does not name is not there."""

import sqlite3
import struct
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from logstore import key_rows, stream_rows, tables
from logstore.attributes import Kind
from logstore.columns import AttributeColumns
from logstore.errors import Unavailable
from logstore.labels import bounded, keys_of
from logstore.stream_ids import StreamIds
from logstore.stream_totals import StreamTotals
from logstore.tables import Stream
from logstore.upgrade import SECRET, upgrade
from logstore.wal import KeyedReceipt

INDEXED_FORMAT: Final = 2
"""Version of the segments' layout from which on they have an index."""
_BATCH: Final = 500
_READ_AT_ONCE: Final = 4_096

Partition = tuple[str, str]
"""A (cluster, namespace): the unit of flush, of retention and of the position to replay from."""


@dataclass(frozen=True, slots=True)
class StreamRange:
    """The rows of one stream in one segment."""

    stream: Stream
    first_row: int
    rows: int
    min_time_ns: int
    max_time_ns: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One published Parquet file; immutable. Times are inclusive."""

    id: int
    path: Path
    cluster: str
    namespace: str
    window_ns: int
    """Start of the epoch-aligned day that the records lie in, or -1 where a flush had too many of them."""
    min_time_ns: int
    max_time_ns: int
    min_seq: int
    max_seq: int
    rows: int
    bytes: int
    plain_bytes: int
    """Size before compression: what a merge has to hold in memory."""
    received_ns: int
    """When the last of its records was accepted."""
    format: int
    """Version of the file's layout."""
    columns: AttributeColumns

    @property
    def has_index(self) -> bool:
        return self.format >= INDEXED_FORMAT


@dataclass(frozen=True, slots=True)
class NewSegment:
    """A written file that is not published yet, with its streams; `segment.id` means nothing."""

    segment: Segment
    ranges: tuple[StreamRange, ...]


class Catalog:
    """The catalog of one data directory. Its methods are transactions; all are safe in any thread."""

    def __init__(self, path: Path, segments_root: Path) -> None:
        self._root = segments_root
        self._writing = threading.Lock()
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        sa.event.listen(self._engine, "connect", _configure)
        with self._engine.begin() as connection:
            upgrade(connection, path)
        self._stream_ids = StreamIds()
        self._totals: StreamTotals | None = None
        """Of what is published; replaced under `_writing`. A merge changes nothing about it."""
        with self._engine.connect() as connection:
            texts = connection.scalars(sa.select(tables.streams.c.labels).distinct())
            self.label_keys: frozenset[str] | None = bounded(frozenset().union(*map(keys_of, texts)))
            """All keys that labels of its streams have; None where there are too many to tell."""

    def close(self) -> None:
        self._engine.dispose()

    def segments(self) -> list[Segment]:
        return [self._segment(row) for rows in self._segment_rows() for row in rows]

    def segment_columns(self) -> Iterator[dict[str, Sequence[Any]]]:
        """The values of all segments by name, in order of id, some thousand segments at a time; paths are relative."""
        names = tables.segments.c.keys()
        for rows in self._segment_rows():
            values = dict[str, Sequence[Any]](zip(names, zip(*rows, strict=True), strict=True))
            yield {**values, "columns": list(map(AttributeColumns.from_json, values["columns"]))}

    def _segment_rows(self) -> Iterator[Sequence[sa.Row[Any]]]:
        with self._engine.connect() as connection:
            found = connection.execution_options(yield_per=_READ_AT_ONCE).execute(
                sa.select(tables.segments).order_by(tables.segments.c.id)
            )
            yield from found.partitions()

    def next_seq(self) -> int:
        """The lowest record number that no flush has seen."""
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(tables.meta.c.value).where(tables.meta.c.name == "next_seq")) or 0)

    def secret(self) -> bytes:
        """16 bytes that are this store's own, for the ids of templates."""
        query = sa.select(tables.meta.c.value).where(tables.meta.c.name.in_(SECRET)).order_by(tables.meta.c.name)
        with self._engine.connect() as connection:
            return struct.pack("<qq", *connection.scalars(query))

    def attribute_kinds(self) -> dict[str, Kind]:
        """The keys of attributes whose kind of column is chosen."""
        with self._engine.connect() as connection:
            return {row.key: Kind(row.kind) for row in connection.execute(sa.select(tables.attribute_kinds))}

    def add_attribute_kinds(self, kinds: Mapping[str, Kind]) -> None:
        with self._transaction() as connection:
            connection.execute(
                tables.attribute_kinds.insert(), [{"key": key, "kind": kind.value} for key, kind in kinds.items()]
            )

    def flushed(self) -> dict[Partition, int]:
        """Up to which record number each partition is in segments."""
        with self._engine.connect() as connection:
            return {
                (row.cluster, row.namespace): row.flushed_seq
                for row in connection.execute(sa.select(tables.partitions))
            }

    def publish_flush(
        self,
        new: Sequence[NewSegment],
        partitions: Iterable[Partition],
        flushed_seq: int,
        keys: Sequence[tuple[KeyedReceipt, int]],
    ) -> list[Segment]:
        """Publishes segments and moves the position of their partitions in one transaction.

        `keys` are (key, received_ns) that no earlier transaction has seen.
        """
        positions = [{"cluster": c, "namespace": n, "flushed_seq": flushed_seq} for c, n in partitions]
        with self._transaction() as connection:
            added = self._insert_segments(connection, new)
            tables.upsert(connection, tables.partitions, positions)
            connection.execute(
                tables.meta.update()
                .where(tables.meta.c.name == "next_seq", tables.meta.c.value <= flushed_seq)
                .values(value=flushed_seq + 1)
            )
            key_rows.add(connection, keys)
            if self._totals is not None:
                self._totals = self._totals.plus([self._total_of(found) for item in new for found in item.ranges])
        return added

    def replace(self, old: Sequence[Segment], new: Sequence[NewSegment]) -> list[Segment]:
        """Publishes `new` in the place of `old` in one transaction."""
        with self._transaction() as connection:
            self._delete_segments(connection, [segment.id for segment in old])
            return self._insert_segments(connection, new)

    def join(self, old: Sequence[Segment], joined: Segment) -> Segment:
        """Publishes one segment in the place of those whose rows it has, one segment's after the other's."""
        ranges = tables.ranges
        with self._transaction() as connection:
            new = connection.scalar(tables.segments.insert().returning(tables.segments.c.id), self._segment_row(joined))
            first_row = 0
            for segment in old:
                moved = {"segment": new, "first_row": ranges.c.first_row + first_row}
                connection.execute(ranges.update().where(ranges.c.segment == segment.id).values(moved))
                first_row += segment.rows
            self._delete_segments(connection, [segment.id for segment in old])
        return replace(joined, id=new)

    def remove(self, old: Sequence[Segment]) -> None:
        """Removes segments, and the streams that no other segment has."""
        ids = [segment.id for segment in old]
        with self._transaction() as connection:
            streams = tables.streams_of(connection, ids)
            self._delete_segments(connection, ids)
            tables.delete_unused(connection, streams)
            self._stream_ids.forget()
            self._totals = None

    def stream_totals(self) -> StreamTotals:
        """Of all segments; a sum of everything the first time, and again once segments were removed."""
        totals = self._totals
        if totals is not None:
            return totals
        with self._writing, self._engine.connect() as connection:
            self._totals = totals = StreamTotals.read(connection)
        return totals

    def named(self, totals: StreamTotals) -> pa.Table:
        """Every stream that has rows: identity, labels ('' where none), records, first_time and last_time in ns."""
        with self._engine.connect() as connection:
            return totals.named(connection)

    def ranges(self, segment_id: int) -> list[StreamRange]:
        """The row ranges of one segment, in row order."""
        query = (
            sa.select(tables.streams, tables.ranges)
            .join(tables.ranges, tables.ranges.c.stream == tables.streams.c.id)
            .where(tables.ranges.c.segment == segment_id)
            .order_by(tables.ranges.c.first_row)
        )
        with self._engine.connect() as connection:
            return [
                StreamRange(
                    (row.cluster, row.namespace, row.pod, row.container, row.labels),
                    row.first_row,
                    row.rows,
                    row.min_time_ns,
                    row.max_time_ns,
                )
                for row in connection.execute(query)
            ]

    def values_of(self, column: str, at_most: int, segment_ids: Sequence[int]) -> list[str] | None:
        """Different values of this column of identity that streams have, so many of them at most; None where they may
        not be all that these segments have."""
        with self._engine.connect() as connection:
            return stream_rows.values_of(connection, column, at_most, segment_ids)

    def rows_of(
        self, identity: Mapping[str, Collection[str]], segment_ids: Sequence[int]
    ) -> dict[int, list[tuple[int, int]]]:
        """For each of the segments that may have records of such streams, their (first row, rows)."""
        with self._engine.connect() as connection:
            return stream_rows.rows_of(connection, identity, segment_ids)

    def key(self, key: str) -> KeyedReceipt | None:
        """Raises Unavailable."""
        try:
            with closing(self._engine.raw_connection()) as connection:
                return key_rows.find(connection.cursor(), key)
        except sqlite3.Error as error:
            raise Unavailable(f"the catalog could not be read: {error}") from error

    def forget_keys(self, before_ns: int, at_most: int) -> int:
        """Deletes keys older than `before_ns`, and the oldest past `at_most`; returns how many."""
        with self._transaction() as connection:
            return key_rows.forget(connection, before_ns, at_most)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """One writer at a time; after a failure nothing is remembered that the database does not have."""
        with self._writing:
            try:
                with self._engine.begin() as connection:
                    yield connection
            except BaseException:
                self._stream_ids.forget()
                self._totals = None
                raise

    def _segment(self, row: Any) -> Segment:
        values = dict(row._mapping)
        values["path"] = self._root / values["path"]
        values["columns"] = AttributeColumns.from_json(values["columns"])
        return Segment(**values)

    def _insert_segments(self, connection: sa.Connection, new: Sequence[NewSegment]) -> list[Segment]:
        if not new:
            return []
        id_ = tables.segments.c.id
        last = connection.scalar(sa.select(sa.func.max(id_))) or 0
        connection.execute(tables.segments.insert(), [self._segment_row(item.segment) for item in new])
        ids = connection.scalars(sa.select(id_).where(id_ > last).order_by(id_)).all()
        self._add_streams(connection, {found.stream for item in new for found in item.ranges})
        rows = [
            (
                segment_id,
                found.first_row,
                self._stream_ids[found.stream],
                found.rows,
                found.min_time_ns,
                found.max_time_ns,
            )
            for segment_id, item in zip(ids, new, strict=True)
            for found in item.ranges
        ]
        tables.insert(connection, tables.ranges, rows)
        return [replace(item.segment, id=segment_id) for segment_id, item in zip(ids, new, strict=True)]

    def _add_streams(self, connection: sa.Connection, streams: Collection[Stream]) -> None:
        new = self._stream_ids.add(connection, streams)
        if new and self.label_keys is not None:
            self.label_keys = bounded(self.label_keys.union(*(keys_of(labels) for *_, labels in new)))

    def _segment_row(self, segment: Segment) -> dict[str, Any]:
        row = {column.name: getattr(segment, column.name) for column in tables.segments.c if column.name != "id"}
        return {**row, "path": segment.path.relative_to(self._root).as_posix(), "columns": segment.columns.to_json()}

    def _total_of(self, found: StreamRange) -> tuple[int, int, int, int]:
        return self._stream_ids[found.stream], found.rows, found.min_time_ns, found.max_time_ns

    def _delete_segments(self, connection: sa.Connection, ids: list[int]) -> None:
        for start in range(0, len(ids), _BATCH):
            some = ids[start : start + _BATCH]
            connection.execute(tables.ranges.delete().where(tables.ranges.c.segment.in_(some)))
            connection.execute(tables.segments.delete().where(tables.segments.c.id.in_(some)))


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-8000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
