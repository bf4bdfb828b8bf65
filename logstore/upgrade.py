"""The catalog's versions: a program reads those up to its own, and brings them to it when it opens them.

1   as it began
2   segments have attribute columns and an index; a stream may have several ranges of rows in a segment; a secret;
    no segment's id is given twice
"""

import os
import struct
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from logstore import tables
from logstore.columns import AttributeColumns
from logstore.errors import Damaged

VERSION: Final = 2
_UNUSED_INDEXES: Final = ("ix_stream_ranges_stream",)
SECRET: Final = ("secret_0", "secret_1")
"""Two halves of the store's secret, by name in `meta`."""


def _version(connection: sa.Connection) -> int:
    """0 for a new catalog."""
    if not sa.inspect(connection).has_table(tables.meta.name):
        return 0
    return int(connection.scalar(sa.select(tables.meta.c.value).where(tables.meta.c.name == "version")) or 0)


def upgrade(connection: sa.Connection, path: Path) -> None:
    """Brings a catalog of an earlier version to this one's; a new one is made.

    Raises:
        Damaged: a newer version wrote it.
    """
    version = _version(connection)
    if version > VERSION:
        raise Damaged(f"{path} is in catalog format {version}; this program reads up to {VERSION}")
    earlier = (tables.segments, tables.ranges) if version == 1 else ()
    for table in earlier:
        connection.execute(sa.text(f"ALTER TABLE {table.name} RENAME TO {table.name}_1"))
    tables.metadata.create_all(connection)
    for table in earlier:
        # A colon before a word would be a parameter.
        no_columns = AttributeColumns().to_json().replace(":", "\\:")
        given = {"format": "1", "columns": f"'{no_columns}'"}
        into = ", ".join(column.name for column in table.c)
        of = ", ".join(given.get(column.name, column.name) for column in table.c)
        connection.execute(sa.text(f"INSERT INTO {table.name} ({into}) SELECT {of} FROM {table.name}_1"))
        connection.execute(sa.text(f"DROP TABLE {table.name}_1"))
    if version == 1:
        connection.execute(tables.meta.update().where(tables.meta.c.name == "version").values(value=VERSION))
    if version < VERSION:
        fresh = {"version": VERSION, "next_seq": 0} if version == 0 else {}
        halves = dict(zip(SECRET, struct.unpack("<qq", os.urandom(16)), strict=True))
        connection.execute(
            tables.meta.insert(), [{"name": name, "value": value} for name, value in {**fresh, **halves}.items()]
        )
    _bring_indexes(connection)


def _bring_indexes(connection: sa.Connection) -> None:
    """The database's own indexes are no part of the format: a program of the same version makes those it uses."""
    for table in tables.metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    for name in _UNUSED_INDEXES:
        connection.execute(sa.text(f"DROP INDEX IF EXISTS {name}"))
