"""Text → AST."""

import time
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from lark import Lark
from lark.exceptions import LarkError, UnexpectedInput, VisitError

from logstore.errors import InvalidQuery, Position
from query import ast, limits
from query.builder import Builder
from query.diagnosis import explain
from query.errors import invalid, shown
from query.walk import children

REMEMBERED: Final = 128
REMEMBERED_CHARS: Final = 1_000
"""Longer texts are parsed anew each time."""


def parse(text: str, now_ns: int | None = None) -> ast.Query:
    """Parse a query; relative times in it count from `now_ns` (the clock's, unless given).

    Raises:
        InvalidQuery: with position and hint.
    """
    read = _read if len(text) <= REMEMBERED_CHARS else _read.__wrapped__
    query = read(text)
    return ast.Query(query.filter, query.pipes, time.time_ns() if now_ns is None else now_ns)


@lru_cache(REMEMBERED)
def _read(text: str) -> ast.Query:
    """Dashboards and pages ask the same over and over, of other times. Raises InvalidQuery."""
    _check_text(text)
    try:
        tree = _parser().parse(text)
    except VisitError as error:
        if isinstance(error.orig_exc, InvalidQuery):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise explain(text, error) from None
    except LarkError as error:
        raise invalid(f"the query cannot be read: {shown(str(error))}") from None
    assert isinstance(tree, ast.Query)
    check_size(tree)
    return tree


@cache
def _parser() -> Lark:
    grammar = files("query").joinpath("grammar.lark").read_text(encoding="utf-8")
    parser = Lark(grammar, parser="lalr", transformer=Builder(), maybe_placeholders=True)
    # Else each is compiled when a query comes to its place, and first questions take ten times as long to parse.
    for lexer in parser.parser.lexer.lexers.values():
        _ = lexer.scanner
    return parser


def _check_text(text: str) -> None:
    if len(text) > limits.TEXT_BYTES_MAX or len(text.encode("utf-8", "replace")) > limits.TEXT_BYTES_MAX:
        raise invalid(f"the query is longer than {limits.TEXT_BYTES_MAX} bytes")
    for index, char in enumerate(text):
        if "\ud800" <= char <= "\udfff":
            raise invalid("half a surrogate pair", position(text, index))


def position(text: str, index: int) -> Position:
    before = text[:index]
    return Position(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)


def check_size(query: ast.Query) -> None:
    """Refuse what is too deep or too large for the steps that follow; needs no recursion itself."""
    nodes = 0
    stack: list[tuple[ast.Node, int]] = [(query, 1)]
    while stack:
        node, depth = stack.pop()
        nodes += 1
        _check_node(node, nodes, depth)
        stack.extend((child, depth + 1) for child in children(node))


def _check_node(node: ast.Node, nodes: int, depth: int) -> None:
    place = node.at if not isinstance(node, ast.Query) else ast.START
    if depth > limits.DEPTH_MAX:
        raise invalid(f"the query is nested deeper than {limits.DEPTH_MAX}", place)
    if nodes > limits.NODES_MAX:
        raise invalid(f"the query has more than {limits.NODES_MAX} parts", place)
    if isinstance(node, ast.OneOf) and len(node.values) > limits.LIST_MAX:
        raise invalid(f"the list has more than {limits.LIST_MAX} members", place)
    if isinstance(node, ast.Pipe) and sum(1 for _ in children(node)) > limits.COLUMNS_MAX:
        raise invalid(f"the pipe has more than {limits.COLUMNS_MAX} columns", place)
    if isinstance(node, ast.Query) and len(node.pipes) > limits.PIPES_MAX:
        raise invalid(f"the query has more than {limits.PIPES_MAX} pipes", place)
