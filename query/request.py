"""What is asked: a query's text with its parameters, and what follows from these before anything is read."""

import itertools
import time
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from logstore import pruning
from query import analyse, sql
from query.ast import Extend, Fields, Limit, Patterns, Pipe, Query, Stats, Top, Where
from query.reading import Reading
from query.sql import Compiled, Place, Window
from query.sql.fields import ANYTHING, Stored

DEFAULT_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """A query with its parameters; times are nanoseconds since 1970, start inclusive, end exclusive."""

    text: str
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int | None = None
    """Rows at most; 0: all; None: the default, unless the query bounds itself."""
    order: Literal["asc", "desc"] = "desc"
    cursor: str = ""
    with_seq: bool = False
    dynamic: Literal["json", "text"] = "json"
    """Whether attributes and labels that the query names keep their JSON types."""
    now_ns: int = field(default_factory=time.time_ns)
    """What the query's own relative times count from."""
    up_to_seq: int | None = None
    """Only records with at most this number."""


def compiled_for(
    query: Query,
    request: Request,
    limit: int | None = None,
    after: Place | None = None,
    *,
    with_place: bool = False,
    stored: Stored = ANYTHING,
) -> Compiled:
    """A request's query as SQL."""
    return sql.compile(
        query,
        Window(request.start_ns, request.end_ns),
        order=request.order,
        limit=limit,
        after=after,
        with_seq=request.with_seq,
        with_place=with_place,
        up_to_seq=request.up_to_seq,
        dynamic=request.dynamic,
        stored=stored,
    )


def parts_for(reading: Reading, request: Request, limit: int | None) -> sql.Parts:
    """A request's statistics as SQL in two steps."""
    parts = sql.compile_parts(
        reading.query,
        Window(request.start_ns, request.end_ns),
        limit=limit,
        up_to_seq=request.up_to_seq,
        dynamic=request.dynamic,
        stored=reading.stored,
    )
    assert parts is not None
    return parts


def first_groups_for(reading: Reading, request: Request) -> sql.Sql:
    """The statement that finds the first of a request's patterns."""
    window = Window(request.start_ns, request.end_ns)
    return sql.compile_first_groups(reading.query, window, up_to_seq=request.up_to_seq, stored=reading.stored)


def split_limit(query: Query) -> tuple[Query, int | None]:
    """The query without its `limit`, and what that is, where each row that this lets through comes out; the least of
    several."""
    pipes, after, rows = list(query.pipes), list[Pipe](), list[int]()
    while pipes and isinstance(pipes[-1], Limit | Fields | Extend):
        match pipes.pop():
            case Limit(limit):
                rows.append(limit)
            case pipe:
                after.insert(0, pipe)
    return replace(query, pipes=(*pipes, *after)), min(rows, default=None)


def is_grouped(query: Query) -> bool:
    return any(isinstance(pipe, Stats | Top | Patterns) for pipe in query.pipes)


def record_part(query: Query) -> Query:
    """The query up to where its rows stop being records, as facts about records need it."""
    pipes = list(itertools.takewhile(lambda pipe: isinstance(pipe, Where | Extend | Fields), query.pipes))
    while pipes and isinstance(pipes[-1], Fields):
        pipes.pop()
    return replace(query, pipes=tuple(pipes))


def bounds(query: Query, start_ns: int | None, end_ns: int | None) -> pruning.Bounds:
    """What every record that the query can see satisfies, within a time range."""
    if analyse.has_subquery(query):
        return pruning.Bounds(start_ns, end_ns)
    own = analyse.bounds(query)
    return pruning.Bounds(_latest(start_ns, own.start_ns), _earliest(end_ns, own.end_ns), own.identity)


def _latest(one: int | None, other: int | None) -> int | None:
    return max((bound for bound in (one, other) if bound is not None), default=None)


def _earliest(one: int | None, other: int | None) -> int | None:
    return min((bound for bound in (one, other) if bound is not None), default=None)


def row_limit(request: Request, own_rows: int | None, compiled: Compiled) -> tuple[int | None, bool]:
    """How many rows come out at most, and whether that is the default limit."""
    asked = None if request.limit == 0 else request.limit
    if own_rows is not None:
        return (own_rows if asked is None else min(asked, own_rows)), False
    if request.limit is not None or compiled.own_limit:
        return asked, False
    return DEFAULT_LIMIT, True
