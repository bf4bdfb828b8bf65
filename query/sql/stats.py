"""Aggregates and groups. To add one: its SQL below, its line in AGGREGATES, its example in docs/language.md."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from query import ast
from query.errors import did_you_mean, invalid, shown
from query.sql.answer import Kind
from query.sql.expressions import value_of
from query.sql.fields import Scope
from query.sql.fragment import Sql, join, sql
from query.sql.relation import Relation, order_keys, stored_as
from query.sql.value import Value, finite, number, text

Write: TypeAlias = Callable[[ast.Aggregate, Value], Value]

_PERCENTILE: Final = re.compile(r"p([0-9]{1,2}|100)")
_COUNT: Final = Value(Sql("count(*)"), Kind.INTEGER, nullable=False)
_WEIGHT: Final = Value(Sql("CAST(coalesce(sum(weight), 0) AS BIGINT)"), Kind.INTEGER, nullable=False)


def stats(pipe: ast.Stats, before: Relation) -> Relation:
    """One row a group, ordered by the groups' keys; without keys one row."""
    check_names(pipe)
    keys = keys_of(pipe, before)
    aggregates = tuple(_aggregate(aggregate, before) for aggregate in pipe.aggregates)
    return grouped(pipe, keys, aggregates, before)


def grouped(pipe: ast.Stats, keys: tuple[Value, ...], aggregates: tuple[Value, ...], before: Relation) -> Relation:
    """The groups of these keys with these aggregates, under the names that the pipe gives them."""
    stored, columns, made = stored_as((*keys, *aggregates), before.made)
    names = (*(key.name for key in pipe.by), *(aggregate.name for aggregate in pipe.aggregates))
    made_fields = {name: replace(value, name=name) for name, value in zip(names, stored, strict=True)}
    groups = f"GROUP BY {', '.join(str(index) for index in range(1, len(keys) + 1))}" if keys else ""
    layer = replace(before, order=()).select(join(", ", columns), groups)
    order = tuple(term for key in stored[: len(keys)] for term in order_keys(key, descending=False))
    return replace(
        before,
        source=sql("({})", layer),
        conditions=(),
        scope=Scope(made_fields, is_open=False),
        names=names,
        order=order,
        made=made,
        of_records=False,
        in_total_order=False,
        is_rowwise=False,
        own_limit=True,
    )


def check_names(pipe: ast.Stats) -> None:
    seen: set[str] = set()
    parts: tuple[ast.Key | ast.Aggregate, ...] = (*pipe.by, *pipe.aggregates)
    for part in parts:
        if part.name in seen:
            raise invalid(f'two columns are called "{shown(part.name)}"', part.at, "rename one with as")
        seen.add(part.name)


def keys_of(pipe: ast.Stats, before: Relation) -> tuple[Value, ...]:
    return tuple(_key(value_of(key.expression, before.context)) for key in pipe.by)


def _key(value: Value) -> Value:
    """Groups are told apart by text form, so that 404 and "404" are one."""
    if value.kind is not Kind.JSON:
        return value
    return Value(value.sql, Kind.TEXT, name=value.name)


def _aggregate(node: ast.Aggregate, before: Relation) -> Value:
    if node.function == "count" and node.argument is None:
        return count_of(before)
    write = AGGREGATES.get(node.function)
    if write is None and (share := share_of(node.function)) is not None:
        write = _quantile(share)
    if write is None:
        hint = did_you_mean(node.function, (*AGGREGATES, "p50", "p90", "p95", "p99"))
        raise invalid(f'unknown function "{shown(node.function)}"', node.at, hint)
    if node.argument is None:
        raise invalid(f'"{node.function}" needs a field', node.at, f"write {node.function}(duration_ms)")
    return write(node, value_of(node.argument, before.context))


def count_of(rows: Relation) -> Value:
    """How many there are."""
    return _WEIGHT if rows.scope.stored.weights else _COUNT


def _count(_node: ast.Aggregate, value: Value) -> Value:
    """How many have the field; of a condition, how many satisfy it."""
    if value.kind is Kind.BOOLEAN:
        return Value(sql("count(*) FILTER (WHERE {})", value.sql), Kind.INTEGER, nullable=False)
    return Value(sql("count({})", value.sql), Kind.INTEGER, nullable=False)


def _count_distinct(_node: ast.Aggregate, value: Value) -> Value:
    counted = value.sql if value.kind is Kind.TIME else text(value)
    return Value(sql("count(DISTINCT {})", counted), Kind.INTEGER, nullable=False)


def _numeric(template: str) -> Write:
    """An aggregate of those values that are numbers."""

    def write(node: ast.Aggregate, value: Value) -> Value:
        return Value(finite(sql(template, number(value, node.at))), Kind.FLOAT)

    return write


def share_of(function: str) -> float | None:
    """Which share of the numbers is at most the quantile that the function gives; None where it gives none."""
    if function == "median":
        return 0.5
    percent = _PERCENTILE.fullmatch(function)
    return int(percent[1]) / 100 if percent else None


def _quantile(share: float) -> Write:
    return _numeric(f"quantile_cont({{}}, {share!r})")


def _extreme(function: str) -> Write:
    """The least or greatest: of the numbers if there are any, else of the texts."""

    def write(node: ast.Aggregate, value: Value) -> Value:
        if compares_as_it_is(value):
            return typed_extreme(value, sql(f"{function}({{}})", value.sql))
        if value.kind is Kind.BOOLEAN:
            number(value, node.at)
        numbers = sql(f"{function}({{}})", number(value))
        return extreme(numbers, sql(f"{function}({{}})", text(value)))

    return write


def compares_as_it_is(value: Value) -> bool:
    """Whether the least or greatest value is that of one type."""
    return value.kind in (Kind.TIME, Kind.INTEGER, Kind.FLOAT) or value.verbatim


def typed_extreme(value: Value, found: Sql) -> Value:
    """The least or greatest of values of one type."""
    return replace(value, sql=found, json=value.json and found, nullable=True)


def extreme(numbers: Sql, texts: Sql) -> Value:
    """The least or greatest of values that may be numbers, of that number and that text."""
    shown_number = text(Value(finite(numbers), Kind.FLOAT))
    return Value(
        sql("coalesce({}, {})", shown_number, texts),
        Kind.JSON,
        json=sql("coalesce({}, CAST(to_json({}) AS VARCHAR))", shown_number, texts),
    )


AGGREGATES: Final[dict[str, Write]] = {
    "avg": _numeric("avg({})"),
    "count": _count,
    "count_distinct": _count_distinct,
    "max": _extreme("max"),
    "median": _quantile(0.5),
    "min": _extreme("min"),
    "sum": _numeric("sum({})"),
}
