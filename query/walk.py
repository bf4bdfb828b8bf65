"""The syntax tree's parts, for whoever looks through all of it."""

from collections.abc import Iterator

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
