"""The catalog's ids of streams."""

from collections.abc import Collection
from itertools import count
from typing import Final

import sqlalchemy as sa

from logstore import tables
from logstore.tables import Stream

REMEMBERED_MAX: Final = 100_000
_STREAMS: Final = tables.streams.c
_FIND: Final = tables.driver_text(
    sa.select(_STREAMS.id).where(*(_STREAMS[name] == sa.bindparam(name) for name in tables.STREAM))
)


class StreamIds:
    """Those of the streams that were asked for last. Not thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Stream, int] = {}

    def __getitem__(self, stream: Stream) -> int:
        """The id of one that `add` has seen last, or since. Raises KeyError."""
        return self._known[stream]

    def forget(self) -> None:
        self._known.clear()

    def add(self, connection: sa.Connection, streams: Collection[Stream]) -> list[Stream]:
        """Finds the ids of all; those that have none are added to the catalog, and returned.

        Raises:
            sqlite3.Error, SQLAlchemyError: the database failed.
        """
        unknown = [stream for stream in streams if stream not in self._known]
        if len(self._known) + len(unknown) > REMEMBERED_MAX:
            self._known.clear()
            unknown = list(streams)
        # One by one, for SQLite reads the whole table to compare tuples, and many alternatives are slow to compile.
        cursor = connection.connection.cursor()
        found = {stream: cursor.execute(_FIND, stream).fetchone() for stream in unknown}
        cursor.close()
        self._known.update((stream, row[0]) for stream, row in found.items() if row is not None)
        new = [stream for stream, row in found.items() if row is None]
        if new:
            last = connection.scalar(sa.select(sa.func.max(_STREAMS.id))) or 0
            ids = dict(zip(new, count(last + 1)))
            tables.insert(connection, tables.streams, [(id_, *stream) for stream, id_ in ids.items()])
            self._known.update(ids)
        return new
