"""Queries in lists, answered before the query that they are in. With their values written out, words, columns and
slices of time leave out what they do for any other list; as a part of the statement, they let every record be read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from logstore.errors import QueryTooExpensive
from query.answer import Answer
from query.ast import (
    Aggregate,
    All,
    Assignment,
    Call,
    Expression,
    Extend,
    Fields,
    InQuery,
    Key,
    Name,
    Not,
    OneOf,
    Pipe,
    Query,
    Stats,
)
from query.request import Request, compiled_for, split_limit
from query.walk import with_conditions

VALUES_MAX: Final = 1_000
"""Different values that are written out; where there are more, the list stays a query."""
VALUES_MAX_BYTES: Final = 256 << 10
"""What these may take together."""
ROWS_MAX: Final = 10_000
"""Rows of a query that has a limit of its own."""
_VALUE: Final = "value"

Run: TypeAlias = Callable[[Query, int | None, Request], Answer]
"""Answers a query, whose limit is split off."""


def with_values(query: Query, request: Request, run: Run) -> Query:
    """The query with the values in the place of the queries in its filter's lists, and in those of the `where` that
    follow, unless they are too many.

    Raises what running these does, but QueryTooExpensive: such a one stays.
    """

    def with_list(condition: Expression) -> Expression | None:
        if not isinstance(condition, InQuery):
            return None
        values = _values_of(replace(condition.query, now_ns=query.now_ns), request, run)
        if values is None:
            return None
        return OneOf(condition.target, values, condition.at) if values else Not(All())

    return with_conditions(query, with_list)


def _values_of(query: Query, request: Request, run: Run) -> tuple[str, ...] | None:
    """The text forms of all values in the answer's one column that are not null; None where they are too many."""
    name = compiled_for(query, request).columns[0].name
    query, own_rows = split_limit(query)
    if own_rows is not None and own_rows > ROWS_MAX:
        return None
    value = Call("text", (Name(name),))
    asked = replace(request, limit=0, cursor="", with_seq=False)
    more: tuple[Pipe, ...] = (Extend((Assignment(_VALUE, value),)), Fields((Name(_VALUE),)))
    if own_rows is None:
        asked = replace(asked, limit=VALUES_MAX + 1)
        more = (Stats((Aggregate("count", None, "count"),), (Key(value, _VALUE),)),)
    found: dict[str, None] = {}
    try:
        with run(replace(query, pipes=(*query.pipes, *more)), own_rows, asked) as answer:
            for batch in answer.batches():
                found.update(dict.fromkeys(batch.column(_VALUE).drop_null().to_pylist()))
    except QueryTooExpensive:
        return None
    is_short = len(found) <= VALUES_MAX and sum(map(len, found)) <= VALUES_MAX_BYTES
    return tuple(found) if is_short else None
