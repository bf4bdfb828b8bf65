"""A whole query over a list of records: pipe by pipe, with Python lists."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cmp_to_key
from statistics import fmean
from typing import Any

from logstore.record import TIME_MAX_NS, TIME_MIN_NS
from query import ast
from tests.reference.expressions import Row, World, evaluate, field, holds
from tests.reference.templates import pattern_key, shown
from tests.reference.values import INTEGER, NUMBER, Cell, Numeral, Raw, dump, duration_ns, finite, number, text

RECORD = ("time", "cluster", "namespace", "pod", "container", "stream", "severity", "message")
RECORD = (*RECORD, "trace_id", "span_id", "labels", "attributes")


@dataclass(frozen=True)
class Table:
    """Rows in their order; `blank` is a row with all kinds and no values."""

    rows: list[Row]
    blank: Row
    names: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    names: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def answer(query: ast.Query, records: list[dict[str, Any]], order: str = "desc", limit: int | None = None) -> Answer:
    """The rows of a query: texts, JSON texts, ints (times in ns, and integers), floats and booleans.

    Records are dicts by column; `labels` and `attributes` JSON texts or None, `time` in ns.
    """
    loaded = [{**record, **{name: _object(record[name]) for name in ("labels", "attributes")}} for record in records]
    loaded.sort(key=lambda record: (record["time"], record["_seq"]), reverse=order == "desc")
    table = run(query, loaded, query.now_ns)
    rows = [tuple(_shown(_out(row, name)) for name in table.names) for row in table.rows]
    return Answer(table.names, rows if limit is None else rows[:limit])


def _out(row: Row, name: str) -> Cell:
    """As it comes out: of a record's own columns what the sender put there."""
    if row.is_open and row.record is not None and name in ("trace_id", "span_id") and name not in row.made:
        return Cell("text", row.record[name], True, name)
    return field(row, name)


def _object(raw: str | None) -> Raw | None:
    return None if raw is None else Raw(raw)


def _shown(cell: Cell) -> Any:
    return dump(cell.value) if cell.kind == "json" and cell.value is not None else cell.value


def run(query: ast.Query, records: list[dict[str, Any]], now_ns: int) -> Table:
    world = World(now_ns, lambda written: time_of(written, now_ns), lambda inner: _members(inner, records, now_ns))
    rows = [Row(record, {}) for record in records]
    kept = [row for row in rows if holds(query.filter, row, world)]
    table = Table(kept, Row({}, {}), RECORD)
    for pipe in query.pipes:
        table = apply(pipe, table, world)
    return table


def _members(query: ast.Query, records: list[dict[str, Any]], now_ns: int) -> set[str]:
    table = run(query, records, now_ns)
    forms = (text(field(row, table.names[0])) for row in table.rows)
    return {form for form in forms if form is not None}


def time_of(written: ast.Literal, now_ns: int) -> int:
    """Seconds, ms, us or ns since the epoch by magnitude; a duration before now, or with a plus after it."""
    form = (written.value if isinstance(written, ast.Text) else written.text).strip()
    if NUMBER.fullmatch(form):
        number_ = Decimal(form)
        scale = next((ns for below, ns in ((11, 10**9), (14, 10**6), (17, 10**3)) if abs(number_) < 10**below), 1)
        found = int(number_ * scale)
    else:
        length = duration_ns(form.lstrip("+-"))
        assert length is not None, form
        found = now_ns + int(length) * (1 if form.startswith("+") else -1)
    return max(TIME_MIN_NS, min(found, TIME_MAX_NS + 1))


def apply(pipe: ast.Pipe, table: Table, world: World) -> Table:
    if not isinstance(pipe, ast.Stats | ast.Top | ast.Patterns) and table.blank.is_open:
        table = replace(table, names=_distinct((*table.names, *_named(pipe))))
    match pipe:
        case ast.Where(condition):
            return replace(table, rows=[row for row in table.rows if holds(condition, row, world)])
        case ast.Fields(names):
            return _fields([name.name for name in names], table)
        case ast.Extend(assignments):
            for each in assignments:
                table = _extended(each, table, world)
            return table
        case ast.Stats():
            return stats(pipe, table, world)
        case ast.Sort(keys):
            return replace(table, rows=sorted(table.rows, key=cmp_to_key(_comparer(keys))))
        case ast.Limit(count):
            return replace(table, rows=table.rows[:count])
        case ast.Top(count, names):
            by = tuple(ast.Key(name, name.name) for name in names)
            grouped = stats(ast.Stats((ast.Aggregate("count", None, "count"),), by), table, world)
            most_first = sorted(grouped.rows, key=lambda row: -field(row, "count").value)
            return replace(grouped, rows=most_first[:count])
        case ast.Uniq(names):
            first: dict[tuple[str | None, ...], Row] = {}
            for row in table.rows:
                first.setdefault(tuple(text(field(row, name.name)) for name in names), row)
            return _fields([name.name for name in names], replace(table, rows=list(first.values())))
        case ast.Patterns(count):
            return patterns(table, count)


def _named(pipe: Any) -> Iterator[str]:
    """The fields that a pipe names, in the order in which it does."""
    if isinstance(pipe, ast.Name):
        yield pipe.name
    elif isinstance(pipe, tuple):
        for item in pipe:
            yield from _named(item)
    elif hasattr(pipe, "__dataclass_fields__") and not isinstance(pipe, ast.Query):
        for part in pipe.__dataclass_fields__:
            yield from _named(getattr(pipe, part))


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _fields(names: list[str], table: Table) -> Table:
    def narrowed(row: Row) -> Row:
        return Row(row.record, {name: replace(field(row, name), name=name) for name in names}, is_open=False)

    return Table([narrowed(row) for row in table.rows], narrowed(table.blank), _distinct(tuple(names)))


def _extended(each: ast.Assignment, table: Table, world: World) -> Table:
    def extended(row: Row) -> Row:
        cell = replace(evaluate(each.expression, row, world), name=each.name)
        return replace(row, made={**row.made, each.name: cell})

    return Table([extended(row) for row in table.rows], extended(table.blank), _distinct((*table.names, each.name)))


def stats(pipe: ast.Stats, table: Table, world: World) -> Table:
    groups: dict[tuple[Any, ...], list[Row]] = {} if pipe.by else {(): []}
    for row in table.rows:
        key = tuple(_grouped(evaluate(part.expression, row, world)) for part in pipe.by)
        groups.setdefault(key, []).append(row)

    def made(key: tuple[Cell, ...], rows: list[Row]) -> Row:
        cells = {part.name: replace(cell, name=part.name) for part, cell in zip(pipe.by, key, strict=True)}
        for part in pipe.aggregates:
            cells[part.name] = replace(_aggregate(part, rows, table.blank, world), name=part.name)
        return Row(None, cells, is_open=False)

    blank_key = tuple(replace(_grouped(evaluate(part.expression, table.blank, world)), value=None) for part in pipe.by)
    rows = [made(key, members) for key, members in groups.items()]
    keys = tuple(ast.SortKey(ast.Name(part.name)) for part in pipe.by)
    rows.sort(key=cmp_to_key(_comparer(keys)))
    names = tuple(part.name for part in (*pipe.by, *pipe.aggregates))
    return Table(rows, made(blank_key, []), names)


def patterns(table: Table, count: int) -> Table:
    """Of each pattern, in the order of first appearance by number: most frequent first, then those seen first."""
    groups: dict[tuple[str, str] | None, list[Row]] = {}
    for row in sorted(table.rows, key=_seq):
        message = text(field(row, "message"))
        groups.setdefault(None if message is None else pattern_key(message), []).append(row)

    def made(key: tuple[str, str] | None, rows: list[Row]) -> Row:
        times = [time for row in rows if (time := field(row, "time").value) is not None]
        cells = {
            "pattern": Cell("text", None if key is None else shown(*key), True),
            "count": Cell("integer", len(rows)),
            "share": Cell("float", len(rows) / len(table.rows) if rows else None),
            "first_time": Cell("time", min(times, default=None)),
            "last_time": Cell("time", max(times, default=None)),
            "example": Cell("text", text(field(rows[0], "message")) if rows else None, True),
        }
        return Row(None, {name: replace(cell, name=name) for name, cell in cells.items()}, is_open=False)

    found = [made(key, rows) for key, rows in groups.items()]
    found.sort(key=lambda row: -row.made["count"].value)
    blank = made(None, [])
    return Table(found[:count], blank, tuple(blank.made))


def _seq(row: Row) -> int:
    assert row.record is not None
    return int(row.record["_seq"])


def _grouped(cell: Cell) -> Cell:
    """Groups are told apart by text form."""
    return Cell("text", text(cell)) if cell.kind == "json" else replace(cell, name="")


def _aggregate(node: ast.Aggregate, rows: list[Row], blank: Row, world: World) -> Cell:
    if node.argument is None:
        return Cell("integer", len(rows))
    kind = evaluate(node.argument, blank, world)
    cells = [evaluate(node.argument, row, world) for row in rows]
    if node.function == "count":
        return Cell(
            "integer",
            sum(cell.value is not None and cell.value is not False for cell in cells)
            if kind.kind == "boolean"
            else sum(cell.value is not None for cell in cells),
        )
    if node.function == "count_distinct":
        return Cell("integer", len({text(cell) for cell in cells} - {None}))
    if node.function in ("min", "max"):
        return _extreme(min if node.function == "min" else max, kind, cells)
    numbers = [value for value in map(number, cells) if value is not None]
    return Cell("float", finite(_of_numbers(node.function, numbers)) if numbers else None)


def _of_numbers(function: str, numbers: list[float]) -> float:
    if function == "sum":
        return sum(numbers)
    if function == "avg":
        return fmean(numbers)
    share = 0.5 if function == "median" else int(function[1:]) / 100
    numbers = sorted(numbers)
    at = share * (len(numbers) - 1)
    low = int(at)
    high = min(low + 1, len(numbers) - 1)
    return numbers[low] + (numbers[high] - numbers[low]) * (at - low)


def _extreme(choose: Callable[..., Any], kind: Cell, cells: list[Cell]) -> Cell:
    """Of the numbers if there are any, else of the texts."""
    values = [cell.value for cell in cells if cell.value is not None]
    if kind.kind in ("time", "integer", "float") or kind.verbatim:
        return Cell(kind.kind, choose(values, key=_by_size, default=None), kind.verbatim)
    numbers = [value for value in map(number, cells) if value is not None]
    if finite(choose(numbers, default=None)) is not None:
        return Cell("json", Numeral(repr(choose(numbers)).removesuffix(".0")))
    return Cell("json", choose((text(cell) for cell in cells if cell.value is not None), default=None))


def _by_size(value: Any) -> Any:
    return value.raw if isinstance(value, Raw) else value


def _comparer(keys: tuple[ast.SortKey, ...]) -> Callable[[Row, Row], int]:
    def compare(left: Row, right: Row) -> int:
        for key in keys:
            cells = field(left, key.name.name), field(right, key.name.name)
            for first, second in zip(*map(_terms, cells), strict=True):
                if first is None or second is None:
                    found = (first is None) - (second is None)
                else:
                    found = ((first > second) - (first < second)) * (-1 if key.descending else 1)
                if found:
                    return found
        return 0

    return compare


def _terms(cell: Cell) -> tuple[Any, ...]:
    if cell.kind not in ("text", "json") or cell.verbatim:
        return (cell.value if cell.kind != "json" else text(cell), None, None)
    form = text(cell)
    if form is None:
        return (None, None, None)
    return (
        float(form) if NUMBER.fullmatch(form) else None,
        int(form) if INTEGER.fullmatch(form) else None,
        form,
    )
