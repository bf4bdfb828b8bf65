"""The functions of expressions. To add one: its SQL below, its line in FUNCTIONS, its example in docs/language.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from query import ast
from query.errors import did_you_mean, invalid
from query.sql.answer import Kind
from query.sql.fragment import Sql, bind, sql
from query.sql.value import Value, condition, finite, json, number, text

Arguments: TypeAlias = tuple[Value, ...]
Write: TypeAlias = Callable[[ast.Call, Arguments], Value]

_ROUND_DIGITS_MAX: Final = 15
_INT64: Final = 2**63
_SMALL_BUCKET_NS: Final = 100 * 86_400 * 10**9
"""Buckets up to this size begin within int64, whatever the time of a record."""


@dataclass(frozen=True, slots=True)
class Function:
    """`least` to `most` arguments; `usage` is how an error shows it."""

    least: int
    most: int
    usage: str
    write: Write


def call(node: ast.Call, arguments: Arguments) -> Value:
    """The value of a call whose arguments are already values."""
    function = FUNCTIONS[node.function]
    return function.write(node, arguments)


def check_call(node: ast.Call) -> None:
    """Raise InvalidQuery if there is no such function, or it does not take so many arguments."""
    function = FUNCTIONS.get(node.function)
    if function is None:
        hint = did_you_mean(node.function, FUNCTIONS)
        raise invalid(f'unknown function "{node.function[:60]}"', node.at, hint)
    if not function.least <= len(node.arguments) <= function.most:
        raise invalid(f'"{node.function}" does not take {len(node.arguments)} arguments', node.at, function.usage)


def _textual(template: str, kind: Kind = Kind.TEXT) -> Write:
    """A function of texts: the template's `{}` are the arguments' text forms."""

    def write(_node: ast.Call, arguments: Arguments) -> Value:
        nullable = any(argument.nullable for argument in arguments)
        return Value(sql(template, *map(text, arguments)), kind, nullable=nullable)

    return write


def _numeric(template: str) -> Write:
    def write(node: ast.Call, arguments: Arguments) -> Value:
        return Value(finite(sql(template, number(arguments[0], node.at))), Kind.FLOAT)

    return write


def _round(node: ast.Call, arguments: Arguments) -> Value:
    digits = 0
    if len(node.arguments) == 2:
        match node.arguments[1]:
            case ast.Number(written) if written.isdigit() and len(written) <= 2 and int(written) <= _ROUND_DIGITS_MAX:
                digits = int(written)
            case other:
                raise invalid("digits are not a whole number up to 15", other.at, FUNCTIONS["round"].usage)
    return Value(finite(sql(f"round({{}}, {digits})", number(arguments[0], node.at))), Kind.FLOAT)


def _number(node: ast.Call, arguments: Arguments) -> Value:
    return Value(finite(number(arguments[0], node.at)), Kind.FLOAT)


def _concat(_node: ast.Call, arguments: Arguments) -> Value:
    pieces = [sql("coalesce({}, '')", text(argument)) for argument in arguments]
    return Value(sql(f"concat({', '.join('{}' for _ in pieces)})", *pieces), Kind.TEXT, nullable=False)


def _coalesce(_node: ast.Call, arguments: Arguments) -> Value:
    return _one_of(f"coalesce({', '.join('{}' for _ in arguments)})", (), arguments)


def _if(node: ast.Call, arguments: Arguments) -> Value:
    chosen = condition(arguments[0], node.arguments[0].at)
    branches = arguments[1:] if len(arguments) == 3 else (*arguments[1:], _NULL)
    return _one_of("CASE WHEN {} THEN {} ELSE {} END", (chosen.sql,), branches)


def _one_of(template: str, before: tuple[Sql, ...], choices: Arguments) -> Value:
    """A value that is one of several: of their kind if they have the same, else of a kind known a row at a time."""
    kinds = {choice.kind for choice in choices if choice.sql != _NULL.sql}
    kind = kinds.pop() if len(kinds) == 1 else Kind.JSON
    if kind is not Kind.JSON:
        verbatim = all(choice.verbatim for choice in choices)
        return Value(sql(template, *before, *(c.sql for c in choices)), kind, verbatim=verbatim)
    texts = sql(template, *before, *map(text, choices))
    return Value(texts, Kind.JSON, json=sql(template, *before, *map(json, choices)))


def _exists(_node: ast.Call, arguments: Arguments) -> Value:
    return Value(sql("{} IS NOT NULL", text(arguments[0])), Kind.BOOLEAN, nullable=False)


def _epoch(node: ast.Call, arguments: Arguments) -> Value:
    if arguments[0].kind is not Kind.TIME:
        raise invalid("epoch takes a time", node.arguments[0].at, FUNCTIONS["epoch"].usage)
    return Value(sql("epoch_ns({}) / 1e9", arguments[0].sql), Kind.FLOAT, nullable=arguments[0].nullable)


def _bucket(node: ast.Call, arguments: Arguments) -> Value:
    """The start of the time's bucket, aligned to the epoch."""
    usage = FUNCTIONS["bucket"].usage
    match node.arguments[0]:
        case ast.Quantity(dimension=ast.Dimension.DURATION, amount=size_ns) if 0 < size_ns < _INT64:
            pass
        case other:
            raise invalid("a bucket's size is a duration", other.at, usage)
    time = arguments[1]
    if time.kind is not Kind.TIME:
        raise invalid("there is no time to put into buckets", node.at, usage)
    ns = sql("epoch_ns({})", time.sql)
    if size_ns > _SMALL_BUCKET_NS:
        ns = sql("CAST({} AS HUGEINT)", ns)
    start = sql("{} - (({} % {}) + {}) % {}", ns, ns, *(bind(size_ns) for _ in range(3)))
    if size_ns > _SMALL_BUCKET_NS:
        start = sql("CAST(greatest({}, -9223372036854775807) AS BIGINT)", start)
    return Value(sql("make_timestamp_ns({})", start), Kind.TIME, nullable=time.nullable)


_NULL: Final = Value(Sql("NULL"), Kind.TEXT, json=Sql("NULL"))

FUNCTIONS: Final = {
    "abs": Function(1, 1, "abs(number)", _numeric("abs({})")),
    "bucket": Function(1, 2, "bucket(5m) or bucket(5m, time)", _bucket),
    "ceil": Function(1, 1, "ceil(number)", _numeric("ceil({})")),
    "coalesce": Function(1, 32, "coalesce(first, second, …)", _coalesce),
    "concat": Function(1, 32, "concat(first, second, …)", _concat),
    "contains": Function(2, 2, "contains(value, text)", _textual("contains({}, {})", Kind.BOOLEAN)),
    "ends_with": Function(2, 2, "ends_with(value, text)", _textual("ends_with({}, {})", Kind.BOOLEAN)),
    "epoch": Function(1, 1, "epoch(time)", _epoch),
    "exists": Function(1, 1, "exists(field)", _exists),
    "floor": Function(1, 1, "floor(number)", _numeric("floor({})")),
    "if": Function(2, 3, "if(condition, then, else)", _if),
    "length": Function(1, 1, "length(value)", _textual("length({})", Kind.INTEGER)),
    "lower": Function(1, 1, "lower(value)", _textual("lower({})")),
    "number": Function(1, 1, "number(value)", _number),
    "replace": Function(3, 3, "replace(value, old, new)", _textual("replace({}, {}, {})")),
    "round": Function(1, 2, "round(number) or round(number, digits)", _round),
    "starts_with": Function(2, 2, "starts_with(value, text)", _textual("starts_with({}, {})", Kind.BOOLEAN)),
    "text": Function(1, 1, "text(value)", _textual("{}")),
    "trim": Function(1, 1, "trim(value)", _textual("trim({})")),
    "upper": Function(1, 1, "upper(value)", _textual("upper({})")),
}
