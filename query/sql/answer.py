"""What compiled SQL answers with."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column of an answer holds, and its type in SQL."""

    TEXT = "text"  # VARCHAR
    JSON = "json"  # VARCHAR: the value's JSON text, null where there is no value
    TIME = "time"  # TIMESTAMP_NS, UTC
    INTEGER = "integer"  # BIGINT
    FLOAT = "float"  # DOUBLE, finite
    BOOLEAN = "boolean"  # BOOLEAN


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Window:
    """A time range, for the query and all its subqueries: start inclusive, end exclusive, None: open."""

    start_ns: int | None = None
    end_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the total order: a page begins after it, in the order asked for."""

    time_ns: int
    seq: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL and what its answer looks like.

    `columns` are in the order of the SQL's own. With `with_place` the last two of the SQL's columns are not among
    them: `time` (TIMESTAMP_NS) and `_seq` (BIGINT) of the row's record, from which the next page's `Place` is made.
    `ordered_by_time`: rows come in the total order of records (or its reverse), one a record.
    `is_rowwise`: each row depends on its own record alone, but for subqueries and a last `limit`: the newest N may be
    looked for from the newest on, and a page can continue after a place.
    `own_limit`: the query bounds its rows itself (`limit`, `top`, `stats`, `patterns`).
    """

    sql: str
    params: list[object]
    columns: tuple[Column, ...]
    ordered_by_time: bool
    is_rowwise: bool
    own_limit: bool
    with_place: bool = False
