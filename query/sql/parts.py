"""Statistics in two steps: of the records of each segment, and then of these parts together.

The first statement is that of `stats` with the segment as one more key, `FROM records`; it needs a column `SEGMENT`
there. The second reads its rows, whatever they were remembered in, `FROM parts`. What an aggregate can be merged of
stands in `PARTS`, but for quantiles, which are of numbers and how often each is there; a query with another one has no
parts. To add one: its line there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from query import ast
from query.sql.answer import Column, Compiled, Kind
from query.sql.expressions import value_of
from query.sql.fragment import Sql, join, sql
from query.sql.relation import Relation
from query.sql.stats import (
    check_names,
    compares_as_it_is,
    count_of,
    extreme,
    grouped,
    keys_of,
    share_of,
    typed_extreme,
)
from query.sql.value import Value, finite, number, text

SEGMENT: Final = "segment"
"""The column of `records` that names the segment of a record; '' of those in no segment."""
TABLE: Final = Sql("parts")

_TYPES: Final = {
    Kind.TEXT: "VARCHAR",
    Kind.JSON: "VARCHAR",
    Kind.TIME: "TIMESTAMP_NS",
    Kind.INTEGER: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """`sql` gives the parts, in `columns`, of which the first is the segment; `whole` makes the answer of them."""

    sql: str
    params: tuple[object, ...]
    columns: tuple[Column, ...]
    whole: Compiled


@dataclass(frozen=True, slots=True)
class Split:
    """A query at its first statistics: what comes before, and after."""

    before: ast.Query
    stats: ast.Stats
    after: tuple[ast.Pipe, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What an aggregate needs of each part, and itself, of the columns that these then are; `split`: what parts are
    also told apart by, which then comes first among these."""

    columns: tuple[Value, ...]
    whole: Callable[..., Value]
    split: Value | None = None


_Write: TypeAlias = Callable[[Value], _Part]


def split(query: ast.Query) -> Split | None:
    """None where the query is none of statistics of records, or has some that cannot be merged."""
    for at, pipe in enumerate(query.pipes):
        match pipe:
            case ast.Where() | ast.Extend() | ast.Fields():
                continue
            case ast.Top(rows, names):
                keys = tuple(ast.Key(name, name.name, name.at) for name in names)
                stats = ast.Stats((ast.Aggregate("count", None, "count", pipe.at),), keys, pipe.at)
                most = (ast.Sort((ast.SortKey(ast.Name("count"), descending=True),)), ast.Limit(rows))
                return Split(replace(query, pipes=query.pipes[:at]), stats, (*most, *query.pipes[at + 1 :]))
            case ast.Stats() if _can_merge(pipe):
                return Split(replace(query, pipes=query.pipes[:at]), pipe, query.pipes[at + 1 :])
        return None
    return None


def _can_merge(pipe: ast.Stats) -> bool:
    """Parts are told apart by the values of one field at most, as texts or as numbers."""
    split_by = {
        (one.argument, one.function == _DISTINCT)
        for one in pipe.aggregates
        if one.function == _DISTINCT or share_of(one.function) is not None
    }
    is_known = all(one.function in PARTS or share_of(one.function) is not None for one in pipe.aggregates)
    return is_known and len(split_by) <= 1


def in_parts(pipe: ast.Stats, before: Relation) -> tuple[Sql, tuple[Column, ...], Relation]:
    """The statement that gives the parts, their columns, and the groups as they are merged of them."""
    check_names(pipe)
    keys = keys_of(pipe, before)
    made = [_part(aggregate, before) for aggregate in pipe.aggregates]
    split_by = (*keys, *[part.split for part in made if part.split is not None][:1])
    values = (*split_by, *(value for part in made for value in part.columns))
    names = tuple(f"p{index}" for index in range(len(values)))
    columns = [sql(f"CAST({{}} AS {_TYPES[v.kind]}) AS {name}", v.sql) for v, name in zip(values, names, strict=True)]
    by = ", ".join(str(index + 1) for index in range(len(split_by) + 1))
    select = replace(before, order=()).select(join(", ", [Sql(SEGMENT), *columns]), f"GROUP BY {by}")
    parts = replace(before, source=TABLE, conditions=(), order=())
    merged = grouped(pipe, tuple(map(_read, keys, names)), _whole(made, names, len(keys), len(split_by)), parts)
    shown = (Column(SEGMENT, Kind.TEXT), *(Column(n, v.kind) for n, v in zip(names, values, strict=True)))
    return select, shown, merged


def _read(value: Value, name: str) -> Value:
    return replace(value, sql=Sql(name), json=None, number=None, present=None)


def _whole(made: list[_Part], names: tuple[str, ...], keys: int, first: int) -> tuple[Value, ...]:
    """The aggregates of the parts, whose columns begin after those that they are told apart by."""
    found = []
    at = first
    for part in made:
        split_by = names[keys:first] if part.split is not None else ()
        found.append(part.whole(*map(Sql, (*split_by, *names[at : at + len(part.columns)]))))
        at += len(part.columns)
    return tuple(found)


def _part(node: ast.Aggregate, before: Relation) -> _Part:
    count = count_of(before).sql
    if node.argument is None:
        return _added(count)
    value = value_of(node.argument, before.context)
    share = share_of(node.function)
    return PARTS[node.function](value) if share is None else _quantile(value, count, share)


def _added(count: Sql) -> _Part:
    counts = (Value(count, Kind.INTEGER),)
    return _Part(counts, lambda n: Value(_sum_of_counts(n), Kind.INTEGER, nullable=False))


def _sum_of_counts(counts: Sql) -> Sql:
    return sql("CAST(coalesce(sum({}), 0) AS BIGINT)", counts)


def _count(value: Value) -> _Part:
    is_condition = value.kind is Kind.BOOLEAN
    return _added(sql("count(*) FILTER (WHERE {})" if is_condition else "count({})", value.sql))


def _sum(value: Value) -> _Part:
    sums = (Value(sql("sum({})", number(value)), Kind.FLOAT),)
    return _Part(sums, lambda of: Value(finite(sql("sum({})", of)), Kind.FLOAT))


def _average(value: Value) -> _Part:
    sums, counts = sql("sum({})", number(value)), sql("count({})", number(value))
    parts = (Value(sums, Kind.FLOAT), Value(counts, Kind.INTEGER))
    return _Part(parts, lambda s, n: Value(finite(sql("sum({}) / sum({})", s, n)), Kind.FLOAT))


def _extreme(function: str) -> _Write:
    def of(piece: Sql) -> Sql:
        return sql(f"{function}({{}})", piece)

    def write(value: Value) -> _Part:
        if compares_as_it_is(value):
            return _Part((replace(value, sql=of(value.sql)),), lambda found: typed_extreme(value, of(found)))
        numbers, texts = Value(of(number(value)), Kind.FLOAT), Value(of(text(value)), Kind.TEXT)
        return _Part((numbers, texts), lambda n, t: extreme(of(n), of(t)))

    return write


def _count_distinct(value: Value) -> _Part:
    split_by = value if value.kind is Kind.TIME else Value(text(value), Kind.TEXT)
    return _Part((), lambda of: Value(sql("count(DISTINCT {})", of), Kind.INTEGER, nullable=False), split_by)


def _quantile(value: Value, count: Sql, share: float) -> _Part:
    def whole(numbers: Sql, counts: Sql) -> Value:
        pairs = sql("list({number: {}, n: {}}) FILTER (WHERE {} IS NOT NULL)", numbers, counts, numbers)
        return Value(finite(sql(f"quantile_of({{}}, {share!r})", pairs)), Kind.FLOAT)

    return _Part((Value(count, Kind.INTEGER),), whole, Value(number(value), Kind.FLOAT))


_DISTINCT: Final = "count_distinct"

PARTS: Final[dict[str, _Write]] = {
    "avg": _average,
    "count": _count,
    _DISTINCT: _count_distinct,
    "max": _extreme("max"),
    "min": _extreme("min"),
    "sum": _sum,
}
