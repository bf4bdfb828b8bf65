"""Expressions and conditions, one function a kind of node."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from query import ast
from query.errors import invalid
from query.sql import comparisons, filters, functions
from query.sql.answer import Kind
from query.sql.fields import Scope, resolve
from query.sql.fragment import Sql, bind, joined, sql
from query.sql.value import (
    FALSE,
    TRUE,
    Condition,
    Value,
    boolean,
    condition,
    finite,
    number,
    text,
)

NULL: Final = Value(Sql("NULL"), Kind.TEXT, json=Sql("NULL"))


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression is read in: the fields it sees, what relative times count from, how a subquery is compiled."""

    scope: Scope
    now_ns: int
    subquery: Callable[[ast.Query], Sql]


def value_of(node: ast.Expression, context: Context) -> Value:
    """The expression as a value."""
    match node:
        case ast.Name(name):
            return resolve(context.scope, name) or NULL
        case ast.Text(written):
            return Value(_text(written), Kind.TEXT, verbatim=True, nullable=False)
        case ast.Number(written):
            return Value(sql("CAST({} AS DOUBLE)", bind(_float(written))), Kind.FLOAT, nullable=False)
        case ast.Quantity(dimension=dimension, amount=amount):
            base = amount / 1e9 if dimension is ast.Dimension.DURATION else float(amount)
            return Value(sql("CAST({} AS DOUBLE)", bind(base)), Kind.FLOAT, nullable=False)
        case ast.Boolean(value):
            return Value(TRUE if value else FALSE, Kind.BOOLEAN, nullable=False)
        case ast.Null():
            return NULL
        case ast.Call():
            return _call(node, context)
        case ast.Negative() | ast.Arithmetic():
            return Value(finite(_arithmetic(node, context)), Kind.FLOAT)
        case _:
            return boolean(condition_of(node, context))


def condition_of(node: ast.Expression, context: Context) -> Condition:
    """The expression as a condition."""
    match node:
        case ast.All():
            return Condition(TRUE, nullable=False)
        case ast.Phrase(target):
            return filters.phrase(value_of(target, context), node)
        case ast.Present(target):
            return filters.present(value_of(target, context))
        case ast.Match(target):
            return filters.match(value_of(target, context), node)
        case ast.Contains(target):
            return filters.contains(value_of(target, context), node)
        case ast.OneOf(target):
            return filters.one_of(value_of(target, context), node)
        case ast.InQuery(target, query):
            found = sql("{} IN ({})", text(value_of(target, context)), context.subquery(query))
            return Condition(found)
        case ast.Decided(column):
            return Condition(Sql(f'"{column}"'), nullable=False)
        case ast.Comparison():
            return _comparison(node, context)
        case ast.And(items):
            return _joined("AND", items, context)
        case ast.Or(items):
            return _either(items, context)
        case ast.Not(item):
            return _negated(condition_of(item, context))
        case _:
            return condition(value_of(node, context), node.at)


def _either(items: Sequence[ast.Expression], context: Context) -> Condition:
    ids, others = filters.ids_among(items)
    if not ids:
        return _joined("OR", items, context)
    has_id = filters.has_id(value_of(ids[0].target, context), ids)
    if not others:
        return has_id
    rest = _joined("OR", others, context)
    return Condition(sql("{} OR {}", has_id.sql, rest.sql), has_id.nullable or rest.nullable)


def _joined(operator: str, items: Sequence[ast.Expression], context: Context) -> Condition:
    conditions = [condition_of(item, context) for item in items]
    pieces = [
        sql("({})", each.sql) if isinstance(item, ast.And | ast.Or) else each.sql
        for item, each in zip(items, conditions, strict=True)
    ]
    return Condition(joined(operator, pieces), any(each.nullable for each in conditions))


def _negated(inner: Condition) -> Condition:
    if inner.nullable:
        return Condition(sql("coalesce(NOT ({}), true)", inner.sql), nullable=False)
    return Condition(sql("NOT ({})", inner.sql), nullable=False)


def _comparison(node: ast.Comparison, context: Context) -> Condition:
    left, operator, right = node.left, node.operator.value, node.right
    if isinstance(left, ast.Null) or isinstance(right, ast.Null):
        return comparisons.NEVER
    if isinstance(left, ast.Literal) and not isinstance(right, ast.Literal):
        left, operator, right = right, comparisons.flipped(operator), left
    if isinstance(right, ast.Literal):
        return comparisons.with_literal(value_of(left, context), operator, right, context.now_ns)
    return comparisons.between(value_of(left, context), operator, value_of(right, context))


def _call(node: ast.Call, context: Context) -> Value:
    functions.check_call(node)
    arguments = node.arguments
    if node.function == "bucket" and len(arguments) == 1:
        arguments = (*arguments, ast.Name("time", node.at))
    return functions.call(node, tuple(value_of(argument, context) for argument in arguments))


def _arithmetic(node: ast.Expression, context: Context) -> Sql:
    """A number that may not be finite: that is looked at once, at the top of the arithmetic, and before it divides."""
    match node:
        case ast.Negative(operand):
            return sql("(-{})", _arithmetic(operand, context))
        case ast.Arithmetic(operator, left, right):
            return _operation(operator, _arithmetic(left, context), _divisor(right, operator, context))
        case _:
            return number(value_of(node, context), node.at)


def _operation(operator: str, left: Sql, right: Sql) -> Sql:
    return sql(f"({{}} {operator} {{}})", left, right)


def _divisor(node: ast.Expression, operator: str, context: Context) -> Sql:
    """Division is the one operation that would make a finite number of one that is not."""
    piece = _arithmetic(node, context)
    return finite(piece) if operator in "/%" and not isinstance(node, ast.Number | ast.Quantity) else piece


def _text(written: str) -> Sql:
    return sql("CAST({} AS VARCHAR)", bind(written))


def _float(written: str) -> float:
    value = float(written)
    if value in (float("inf"), float("-inf")):
        raise invalid("the number is too large to calculate with")
    return value
