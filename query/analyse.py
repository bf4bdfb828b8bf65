"""What a query needs, known before it runs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from logstore.record import IDENTITY
from query import ast
from query.sql.comparisons import flipped, time_ns
from query.sql.fields import stored_columns
from query.sql.relation import RECORD
from query.walk import names, walk

ORDER: Final = frozenset(("time", "_seq"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What every record that the query can see satisfies: start inclusive, end exclusive.

    `identity`: the values that cluster, namespace, pod, container can have; one not named can have any.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    identity: Mapping[str, frozenset[str]] = field(default_factory=dict)


def bounds(query: ast.Query) -> Bounds:
    """Bounds of the records that the query's own filter accepts (a subquery reads others)."""
    found = Bounds()
    for condition in conjuncts(query):
        found = _both(found, _bounds_of(condition, query.now_ns))
    return found


def is_rowwise(query: ast.Query) -> bool:
    """Whether each row of the answer depends on one record alone: where, extend, fields, and no subquery."""
    rowwise = (ast.Where, ast.Extend, ast.Fields)
    return all(isinstance(pipe, rowwise) for pipe in query.pipes) and not has_subquery(query)


def has_subquery(query: ast.Query) -> bool:
    """Whether the query reads records that its own bounds do not cover."""
    return any(isinstance(node, ast.InQuery) for node in walk(query))


def has_patterns(query: ast.Query) -> bool:
    """Whether the query, or a subquery of it, groups records by their templates."""
    return any(isinstance(node, ast.Patterns) for node in walk(query))


def columns(query: ast.Query) -> frozenset[str]:
    """The stored columns that the query reads, with what its order and its answer need."""
    found = set(ORDER)
    for each in (node for node in walk(query) if isinstance(node, ast.Query)):
        found |= _own_columns(each)
    return frozenset(found)


def record_names(query: ast.Query) -> Iterator[str]:
    """The fields of records that the query names, its subqueries included; some may turn out to be made by a pipe."""
    for each in (node for node in walk(query) if isinstance(node, ast.Query)):
        yield from (name.name for part in _of_records(each) for name in names(part))


def _of_records(query: ast.Query) -> Iterator[ast.Node]:
    """The parts of a query that see records: what comes after groups are made sees these."""
    yield query.filter
    for pipe in query.pipes:
        yield pipe
        if isinstance(pipe, ast.Stats | ast.Top | ast.Patterns):
            return


def _own_columns(query: ast.Query) -> set[str]:
    """Of one query without its subqueries; a name may turn out to be of a field made by a pipe, and costs nothing."""
    found = set[str]()
    for part in _of_records(query):
        for name in names(part):
            found |= stored_columns(name.name)
        if any(isinstance(node, ast.Call) and node.function == "bucket" for node in walk(part)):
            found.add("time")
    if any(isinstance(pipe, ast.Patterns) for pipe in query.pipes):
        found.add("message")
    if not any(isinstance(pipe, ast.Fields | ast.Stats | ast.Top | ast.Patterns) for pipe in query.pipes):
        found |= set(RECORD)
    return found


def is_exact_bound(condition: ast.Expression) -> bool:
    """Whether bounds say all of this condition: it is one on the time, on the cluster or namespace alone, or none."""
    if isinstance(condition, ast.All) or is_time_bound(condition):
        return True
    values = _identity_of(condition)
    return values is not None and values[0] in ("cluster", "namespace")


def is_identity(condition: ast.Expression) -> bool:
    """Whether this condition is one on the values of one column of identity alone."""
    return _identity_of(condition) is not None


def is_time_bound(condition: ast.Expression) -> bool:
    """Whether this condition is one on the time alone, so that bounds of time say all of it."""
    found = _bounds_of(condition, 0)
    return found.start_ns is not None or found.end_ns is not None


def without_time_bounds(query: ast.Query) -> ast.Query:
    """The query without the conditions that its bounds of time say all of."""
    pipes = list(query.pipes)
    for at, pipe in enumerate(pipes):
        if not isinstance(pipe, ast.Where):
            break
        pipes[at] = replace(pipe, condition=_without_time_bounds(pipe.condition))
    return replace(query, filter=_without_time_bounds(query.filter), pipes=tuple(pipes))


def _without_time_bounds(condition: ast.Expression) -> ast.Expression:
    kept = tuple(part for part in parts_of(condition) if not is_time_bound(part))
    if not kept:
        return ast.All()
    return kept[0] if len(kept) == 1 else ast.And(kept)


def conjuncts(query: ast.Query) -> Iterable[ast.Expression]:
    """Conditions that every record of the answer satisfies: the filter's, and those of `where` pipes right after it."""
    yield from parts_of(query.filter)
    for pipe in query.pipes:
        if not isinstance(pipe, ast.Where):
            return
        yield from parts_of(pipe.condition)


def parts_of(condition: ast.Expression) -> Iterable[ast.Expression]:
    """The conditions that all have to hold for this one to hold."""
    if not isinstance(condition, ast.And):
        yield condition
        return
    for item in condition.items:
        yield from parts_of(item)


def _bounds_of(condition: ast.Expression, now_ns: int) -> Bounds:
    match condition:
        case ast.Comparison(operator, ast.Name("time"), ast.Text() | ast.Number() | ast.Quantity() as when):
            return _time_bounds(operator.value, time_ns(when, now_ns))
        case ast.Comparison(operator, ast.Text() | ast.Number() | ast.Quantity() as when, ast.Name("time")):
            return _time_bounds(flipped(operator.value), time_ns(when, now_ns))
    values = _identity_of(condition)
    return Bounds() if values is None else Bounds(identity={values[0]: values[1]})


def _time_bounds(operator: str, when_ns: int) -> Bounds:
    match operator:
        case "=":
            return Bounds(when_ns, when_ns + 1)
        case "<":
            return Bounds(None, when_ns)
        case "<=":
            return Bounds(None, when_ns + 1)
        case ">":
            return Bounds(when_ns + 1, None)
        case _:
            return Bounds(when_ns, None)


def _identity_of(condition: ast.Expression) -> tuple[str, frozenset[str]] | None:
    """The one identity column that the condition bounds, and the values that it can then have."""
    match condition:
        case ast.Comparison(ast.Operator.EQ, ast.Name(name), right) | ast.Comparison(
            ast.Operator.EQ, right, ast.Name(name)
        ) if name in IDENTITY and isinstance(right, ast.Literal):
            return name, frozenset((right.value if isinstance(right, ast.Text) else right.text,))
        case ast.OneOf(ast.Name(name), values) if name in IDENTITY:
            return name, frozenset(values)
        case ast.Or(items):
            return _union([_identity_of(item) for item in items])
    return None


def _union(each: list[tuple[str, frozenset[str]] | None]) -> tuple[str, frozenset[str]] | None:
    found = [values for values in each if values is not None]
    if len(found) < len(each) or len({column for column, _ in found}) != 1:
        return None
    return found[0][0], frozenset().union(*(values for _, values in found))


def _both(left: Bounds, right: Bounds) -> Bounds:
    starts = [ns for ns in (left.start_ns, right.start_ns) if ns is not None]
    ends = [ns for ns in (left.end_ns, right.end_ns) if ns is not None]
    identity = dict(left.identity)
    for column, values in right.identity.items():
        identity[column] = identity[column] & values if column in identity else values
    return Bounds(max(starts, default=None), min(ends, default=None), identity)
