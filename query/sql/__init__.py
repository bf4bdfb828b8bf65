"""A query as DuckDB SQL.

The relation. Compiled SQL reads `FROM records`, wherever it needs records (subqueries too). The caller makes
that name mean what the query shall see: a registered Arrow table, a view, or a CTE put before the SQL. It has the
columns of `logstore.record.STORED`: `time` TIMESTAMP_NS, `_seq` BIGINT, the rest VARCHAR (`labels` and
`attributes` JSON object texts or null).

The answer. The SQL's columns are those of `Compiled.columns`, by position: two fields whose names differ only in
case cannot both be named so in SQL. Times come as TIMESTAMP_NS.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from query.ast import Filter, Query


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

    `columns` are in the order of the SQL's own. With `with_place` the last two of the SQL's columns are not among them:
    `time` (TIMESTAMP_NS) and `_seq` (BIGINT) of the row's record, from which the next page's `Place` is made.
    `ordered_by_time`: rows come in the total order of records (or its reverse), one a record.
    `is_rowwise`: each row depends on its own record alone (but for subqueries): a page can continue after a place.
    `own_limit`: the query bounds its rows itself (`limit`, `top`, `stats`).
    """

    sql: str
    params: list[object]
    columns: tuple[Column, ...]
    ordered_by_time: bool
    is_rowwise: bool
    own_limit: bool


def compile(  # noqa: A001 - it is what it does
    query: Query,
    window: Window = Window(),
    *,
    order: Literal["asc", "desc"] = "desc",
    limit: int | None = None,
    after: Place | None = None,
    with_seq: bool = False,
    with_place: bool = False,
    after_seq: int | None = None,
    up_to_seq: int | None = None,
    dynamic: Literal["json", "text"] = "json",
) -> Compiled:
    """Compile a query; every error that its text can cause is raised here, before anything is read.

    Args:
        window: bounds the records of the query and of its subqueries.
        order: the order that pipes see and the answer has, until `sort` or `stats` gives another.
        limit: at most so many rows; None: all.
        after: only what comes after it in `order`; only for row-wise queries.
        with_seq: adds `_seq`, where rows are records and it is not there anyway.
        with_place: see Compiled; only for row-wise queries.
        after_seq: only records with a greater `_seq` (not in subqueries).
        up_to_seq: only records with at most this `_seq` (in subqueries too).
        dynamic: whether values of attributes and labels come as JSON (kind `json`) or as their text form (kind `text`).

    Raises:
        InvalidQuery: with position and hint.
    """
    raise NotImplementedError


def predicate(filter: Filter) -> tuple[str, list[object]]:  # noqa: A002
    """A filter as a SQL condition over the columns of `records`, with its parameters; never null.

    Raises:
        InvalidQuery: with position and hint.
    """
    raise NotImplementedError


__all__ = ["Column", "Compiled", "Kind", "Place", "Window", "compile", "predicate"]
