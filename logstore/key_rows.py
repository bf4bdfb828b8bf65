"""Idempotency keys in the catalog, and what their batches were answered."""

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from logstore import tables
from logstore.wal import KeyedReceipt

_KEYS: Final = tables.keys.c
_FIND: Final = tables.driver_text(
    sa.select(_KEYS.key, _KEYS.digest, _KEYS.first_seq, _KEYS.rows, _KEYS.receipt).where(
        _KEYS.key == sa.bindparam("key")
    )
)


def find(cursor: DBAPICursor, key: str) -> KeyedReceipt | None:
    """Asked of every batch with a key. Raises sqlite3.Error."""
    cursor.execute(_FIND, (key,))
    row = cursor.fetchone()
    return None if row is None else KeyedReceipt(*row)


def add(connection: sa.Connection, keys: Iterable[tuple[KeyedReceipt, int]]) -> None:
    """Keys, and when their batches were received."""
    tables.upsert(connection, tables.keys, [_row(key, received_ns) for key, received_ns in keys])


def forget(connection: sa.Connection, before_ns: int, at_most: int) -> int:
    """Deletes keys older than `before_ns`, and the oldest past `at_most`; returns how many."""
    deleted = connection.execute(tables.keys.delete().where(_KEYS.received_ns < before_ns)).rowcount
    count = connection.scalar(sa.select(sa.func.count()).select_from(tables.keys)) or 0
    if count <= at_most:
        return deleted
    oldest = sa.select(_KEYS.key).order_by(_KEYS.received_ns).limit(count - at_most)
    return deleted + connection.execute(tables.keys.delete().where(_KEYS.key.in_(oldest))).rowcount


def _row(key: KeyedReceipt, received_ns: int) -> dict[str, Any]:
    return {
        "key": key.key,
        "digest": key.digest,
        "first_seq": key.first_seq,
        "rows": key.rows,
        "receipt": key.receipt,
        "received_ns": received_ns,
    }
