"""Expressions, one row at a time."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from query import ast
from tests.reference import conditions
from tests.reference.values import NULL, Cell, Numeral, finite, number, text

COLUMNS = frozenset(["time", "cluster", "namespace", "pod", "container", "stream", "severity", "message"])
COLUMNS |= frozenset(["labels", "trace_id", "span_id", "attributes", "_seq"])


@dataclass(frozen=True)
class Row:
    """A record (None once rows are no records), fields made by pipes, and whether the record's own are seen."""

    record: dict[str, Any] | None
    made: dict[str, Cell]
    is_open: bool = True


@dataclass(frozen=True)
class World:
    """What is the same for all rows."""

    now_ns: int
    time_of: Callable[[ast.Literal], int]
    members: Callable[[ast.Query], set[str]]


def _upper(character: str) -> str:
    """One for one; DuckDB has the capital sharp s, as German spelling since 2017."""
    if character == "ß":
        return "ẞ"
    return next((form for form in (character.upper(), character.title()) if len(form) == 1), character)


def field(row: Row, name: str) -> Cell:
    for candidate in (name, "severity" if name == "level" else name):
        if candidate in row.made:
            return row.made[candidate]
    parts = name.split(".")
    for size in range(len(parts) - 1, 0, -1):
        outer = row.made.get(".".join(parts[:size]))
        if outer is not None and outer.kind == "json":
            return Cell("json", lookup(outer.value, ".".join(parts[size:])), name=name)
    if not row.is_open or row.record is None:
        return NULL
    return of_record(row.record, name)


def of_record(record: dict[str, Any], name: str) -> Cell:
    column = "severity" if name == "level" else name
    if column in COLUMNS:
        kinds = {"time": "time", "_seq": "integer", "labels": "json", "attributes": "json"}
        kind = kinds.get(column, "text")
        if column in ("trace_id", "span_id") and record.get(column) is None:
            return Cell(kind, text(of_keys(record, name)), True, name)
        return Cell(kind, record.get(column), kind in ("text", "json"), name)
    for source in ("attributes", "labels"):
        if name.startswith(source + "."):
            return Cell("json", lookup(record.get(source), name[len(source) + 1 :]), name=name)
    return of_keys(record, name)


def of_keys(record: dict[str, Any], name: str) -> Cell:
    found = lookup(record.get("attributes"), name)
    return Cell("json", lookup(record.get("labels"), name) if found is None else found, name=name)


def lookup(value: Any, key: str) -> Any:
    """`a.b` is the key `a.b` if there is one, else `b` inside `a`."""
    for path in _paths(key.split(".")):
        found = value
        for step in path:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and step.isascii() and step.isdigit() and str(int(step)) == step:
                found = found[int(step)] if int(step) < len(found) else None
            else:
                found = None
        if found is not None:
            return found
    return None


def _paths(parts: list[str]) -> Iterator[list[str]]:
    yield [".".join(parts)]
    for size in range(len(parts) - 1, 0, -1):
        for rest in _paths(parts[size:]):
            yield [".".join(parts[:size]), *rest]


def evaluate(node: ast.Expression, row: Row, world: World) -> Cell:
    match node:
        case ast.Name(name):
            return field(row, name)
        case ast.Text(written):
            return Cell("text", written, verbatim=True)
        case ast.Number(written):
            return Cell("float", float(written))
        case ast.Quantity(_, dimension, total):
            return Cell("float", total / 1e9 if dimension == "duration" else float(total))
        case ast.Boolean(value):
            return Cell("boolean", value)
        case ast.Null():
            return NULL
        case ast.Call():
            return call(node, row, world)
        case ast.Negative() | ast.Arithmetic():
            return Cell("float", finite(arithmetic(node, row, world)))
    return Cell("boolean", holds(node, row, world))


def arithmetic(node: ast.Expression, row: Row, world: World) -> float | None:
    match node:
        case ast.Negative(operand):
            inner = arithmetic(operand, row, world)
            return None if inner is None else -inner
        case ast.Arithmetic(sign, left, right):
            first, second = arithmetic(left, row, world), arithmetic(right, row, world)
            return None if first is None or second is None else _operate(sign, first, second)
    return number(evaluate(node, row, world))


def _operate(sign: str, left: float, right: float) -> float | None:
    if sign in "/%" and (right == 0 or not math.isfinite(right)):
        return None
    if sign == "/":
        return left / right
    if sign == "%":
        return math.fmod(left, right) if math.isfinite(left) else None
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


def holds(node: ast.Expression, row: Row, world: World) -> bool:
    """Two-valued: whatever compares with null is false."""

    def form(target: ast.Expression) -> str | None:
        return text(evaluate(target, row, world))

    match node:
        case ast.All():
            return True
        case ast.Phrase(target, phrase, prefix):
            return conditions.has_phrase(form(target), phrase, prefix)
        case ast.Present(target):
            return form(target) not in (None, "")
        case ast.Match(target, pattern):
            return conditions.matches(form(target), pattern)
        case ast.Contains(target, affix, part):
            return conditions.contains(form(target), affix, part)
        case ast.OneOf(target, values):
            return form(target) in values
        case ast.InQuery(target, query):
            return form(target) in world.members(query)
        case ast.Comparison():
            return compare(node, row, world)
        case ast.And(items):
            return all(holds(item, row, world) for item in items)
        case ast.Or(items):
            return any(holds(item, row, world) for item in items)
        case ast.Not(item):
            return not holds(item, row, world)
    cell = evaluate(node, row, world)
    return text(cell) == "true"


def compare(node: ast.Comparison, row: Row, world: World) -> bool:
    left, sign, right = node.left, node.operator.value, node.right
    if isinstance(left, ast.Null) or isinstance(right, ast.Null):
        return False
    if isinstance(left, ast.Literal) and not isinstance(right, ast.Literal):
        left, sign, right = right, conditions.FLIPPED[sign], left
    first = evaluate(left, row, world)
    if isinstance(right, ast.Literal):
        return conditions.with_literal(first, sign, right, world.time_of)
    return conditions.between(first, sign, evaluate(right, row, world))


def call(node: ast.Call, row: Row, world: World) -> Cell:
    cells = [evaluate(argument, row, world) for argument in node.arguments]
    if node.function == "if":
        return _if(holds(node.arguments[0], row, world), cells)
    if node.function == "coalesce":
        return _chosen([cell for cell in cells if cell.value is not None], cells)
    if node.function == "exists":
        return Cell("boolean", cells[0].value is not None)
    if node.function == "concat":
        return Cell("text", "".join(text(cell) or "" for cell in cells))
    if node.function == "bucket":
        return _bucket(node, cells[1] if len(cells) > 1 else field(row, "time"))
    if node.function == "epoch":
        return Cell("float", None if cells[0].value is None else cells[0].value / 1e9)
    if node.function in NUMERIC:
        return Cell("float", _on_numbers(node.function, cells))
    kind, function = TEXTUAL[node.function]
    forms = [text(cell) for cell in cells]
    return Cell(kind, None if None in forms else function(*forms))


def _on_numbers(function: str, cells: list[Cell]) -> float | None:
    value = number(cells[0])
    if value is None or not math.isfinite(value):
        return None
    digits = int(cells[1].value) if len(cells) > 1 else 0
    return finite(NUMERIC[function](value, digits))


def _if(condition: bool, cells: list[Cell]) -> Cell:
    branches = [*cells[1:], NULL][:2]
    return _chosen([branches[0] if condition else branches[1]], branches)


def _chosen(found: list[Cell], choices: list[Cell]) -> Cell:
    """Of the choices' kind if they have the same, else of a kind known a row at a time."""
    kinds = {cell.kind for cell in choices if cell is not NULL}
    value = found[0].value if found else None
    if len(kinds) == 1 and kinds != {"json"}:
        return Cell(kinds.pop(), value, all(cell.verbatim for cell in choices))
    return Cell("json", _as_json(found[0]) if found else None)


def _as_json(cell: Cell) -> Any:
    if cell.kind in ("integer", "float") and cell.value is not None:
        return Numeral(text(cell) or "")
    return text(cell) if cell.kind == "time" else cell.value


def _bucket(node: ast.Call, time: Cell) -> Cell:
    size = node.arguments[0]
    assert isinstance(size, ast.Quantity)
    return Cell("time", None if time.value is None else time.value - time.value % size.amount)


def _round(value: float, digits: int) -> float:
    scaled = value * 10**digits
    return math.copysign(math.floor(abs(scaled) + 0.5), value) / 10**digits if math.isfinite(scaled) else value


NUMERIC: dict[str, Callable[[float, int], float]] = {
    "abs": lambda value, _: abs(value),
    "ceil": lambda value, _: float(math.ceil(value)),
    "floor": lambda value, _: float(math.floor(value)),
    "number": lambda value, _: value,
    "round": _round,
}
TEXTUAL: dict[str, tuple[str, Callable[..., Any]]] = {
    "contains": ("boolean", lambda form, part: part in form),
    "ends_with": ("boolean", lambda form, part: form.endswith(part)),
    "length": ("integer", len),
    "lower": ("text", conditions.lower),
    "replace": ("text", lambda form, old, new: form.replace(old, new) if old else form),
    "starts_with": ("boolean", lambda form, part: form.startswith(part)),
    "text": ("text", str),
    "trim": ("text", lambda form: form.strip(" ")),
    "upper": ("text", lambda form: "".join(map(_upper, form))),
}
