"""How two values compare: as numbers, durations, sizes, times or texts, by what each is."""

from typing import Final

from logstore.errors import InvalidInput
from query import ast, literals
from query.errors import invalid, shown
from query.sql.answer import Kind
from query.sql.fragment import Sql, bind, sql
from query.sql.value import FALSE, Condition, Value, number, quantity, text
from query.times import parse_time_ns

_FLIPPED: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
NEVER: Final = Condition(FALSE, nullable=False)


def with_literal(left: Value, operator: str, right: ast.Literal, now_ns: int) -> Condition:
    """A value against one that the query writes out."""
    if left.kind is Kind.TIME:
        return _with_time(left, operator, right, now_ns)
    if isinstance(right, ast.Text):
        return _as_texts(left, operator, bind(right.value))
    if left.verbatim:
        return _as_texts(left, operator, bind(right.text))
    if left.kind is Kind.BOOLEAN:
        return NEVER
    if isinstance(right, ast.Quantity):
        amount = sql("{} " + operator + " {}", quantity(left, right.dimension), bind(float(right.amount)))
        return Condition(amount)
    return _with_number(left, operator, right.text)


def between(left: Value, operator: str, right: Value) -> Condition:
    """Two values of which neither is written out."""
    kinds = {left.kind, right.kind}
    if kinds == {Kind.TIME}:
        return Condition(sql(f"{{}} {operator} {{}}", left.sql, right.sql))
    if left.verbatim or right.verbatim or kinds & {Kind.BOOLEAN, Kind.TIME}:
        return _as_texts(left, operator, text(right))
    if kinds & {Kind.INTEGER, Kind.FLOAT}:
        return Condition(sql(f"{{}} {operator} {{}}", number(left), number(right)))
    return _as_numbers_or_texts(left, operator, right)


def flipped(operator: str) -> str:
    """The operator that says the same with its sides exchanged."""
    return _FLIPPED[operator]


def _as_texts(left: Value, operator: str, right: "Sql | bind") -> Condition:
    nullable = left.nullable or isinstance(right, Sql)
    return Condition(sql(f"{{}} {operator} {{}}", text(left), right), nullable)


def _with_time(left: Value, operator: str, right: ast.Literal, now_ns: int) -> Condition:
    moment = sql("make_timestamp_ns({})", bind(time_ns(right, now_ns)))
    return Condition(sql(f"{{}} {operator} {{}}", left.sql, moment), left.nullable)


def time_ns(written: ast.Literal, now_ns: int) -> int:
    """The time that a literal means; raises InvalidQuery if it means none."""
    text = written.value if isinstance(written, ast.Text) else written.text
    try:
        return parse_time_ns(text, now_ns)
    except InvalidInput:
        hint = 'write it as in time>="2026-01-31T12:00:00Z" or time>=-15m'
        raise invalid(f'"{shown(text)}" is no time', written.at, hint) from None


def _with_number(left: Value, operator: str, right: str) -> Condition:
    if literals.is_large_integer(right):
        return _with_large_integer(left, operator, right)
    if left.kind in (Kind.INTEGER, Kind.FLOAT):
        return Condition(sql(f"{{}} {operator} {{}}", left.sql, bind(float(right))), left.nullable)
    if left.number is not None:
        return Condition(sql(f"{{}} {operator} {{}}", left.number, bind(float(right))))
    value = left.sql
    near = sql(f"TRY_CAST({{}} AS DOUBLE) {operator} {{}}", value, bind(float(right)))
    return Condition(sql("({} AND regexp_full_match({}, {}))", near, value, bind(literals.NUMBER)))


def _with_large_integer(left: Value, operator: str, right: str) -> Condition:
    """Beyond 2^53 floating point is not exact: integers compare as such."""
    if left.kind is Kind.FLOAT:
        return Condition(sql(f"{{}} {operator} {{}}", left.sql, bind(float(right))), left.nullable)
    exact = sql(f"TRY_CAST({{}} AS BIGNUM) {operator} TRY_CAST({{}} AS BIGNUM)", text(left), bind(right))
    near = sql(f"{{}} {operator} {{}}", number(left), bind(float(right)))
    is_integer = sql("regexp_full_match({}, {})", text(left), bind(literals.INTEGER))
    return Condition(sql("CASE WHEN {} THEN {} ELSE {} END", is_integer, exact, near))


def _as_numbers_or_texts(left: Value, operator: str, right: Value) -> Condition:
    """Two values of unknown type: numbers if both are, else texts."""
    parts = (left.sql, right.sql)
    pattern = bind(literals.INTEGER)
    integers = sql("regexp_full_match({}, {}) AND regexp_full_match({}, {})", parts[0], pattern, parts[1], pattern)
    exact = sql(f"TRY_CAST({{}} AS BIGNUM) {operator} TRY_CAST({{}} AS BIGNUM)", *parts)
    numbers = (number(left), number(right))
    both = sql("{} IS NOT NULL AND {} IS NOT NULL", *numbers)
    near = sql(f"{{}} {operator} {{}}", *numbers)
    texts = sql(f"{{}} {operator} {{}}", *parts)
    return Condition(sql("CASE WHEN {} THEN {} WHEN {} THEN {} ELSE {} END", integers, exact, both, near, texts))
