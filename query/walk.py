"""The syntax tree's parts, for whoever looks through all of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from query import ast


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes directly inside this one, in the order in which they are written."""
    for name in node.__match_args__:  # the names of a dataclass's fields, without looking them up
        value = getattr(node, name)
        if isinstance(value, ast.Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, ast.Node))


def walk(node: ast.Node) -> Iterator[ast.Node]:
    """This node and all inside it."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(reversed(list(children(here))))


def names(node: ast.Node) -> Iterator[ast.Name]:
    """The fields that this part of a query itself names: those of its subqueries are of other records."""
    stack = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, ast.Name):
            yield here
        stack.extend(child for child in reversed(list(children(here))) if not isinstance(child, ast.Query))


def with_conditions(query: ast.Query, change: Callable[[ast.Expression], ast.Expression | None]) -> ast.Query:
    """The query with other conditions in its filter, and in each `where` that follows it at once: `change` says what
    comes in the place of one; of one for which that is None, also inside of `and`, `or` and `not`."""
    pipes = list(query.pipes)
    for at, pipe in enumerate(pipes):
        if not isinstance(pipe, ast.Where):
            break
        pipes[at] = replace(pipe, condition=_changed(pipe.condition, change))
    return replace(query, filter=_changed(query.filter, change), pipes=tuple(pipes))


def _changed(condition: ast.Expression, change: Callable[[ast.Expression], ast.Expression | None]) -> ast.Expression:
    if (other := change(condition)) is not None:
        return other
    match condition:
        case ast.And(items) | ast.Or(items):
            return replace(condition, items=tuple(_changed(item, change) for item in items))
        case ast.Not(item):
            return replace(condition, item=_changed(item, change))
    return condition
