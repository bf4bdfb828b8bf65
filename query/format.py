"""AST → text: what `parse` reads back as the same query."""

import re
import unicodedata
from typing import Final

from query import ast

_TERM: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")
_KEYWORDS: Final = frozenset(["and", "or", "not", "in", "by", "as", "asc", "desc", "true", "false", "null"])
_MESSAGE: Final = "message"


def format(query: ast.Query) -> str:  # noqa: A001 - it is what it does
    """The query as text, on one line."""
    return " | ".join([condition(query.filter), *map(pipe, query.pipes)])


def quoted(text: str) -> str:
    """The text as a string of the language."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char in "\n\t":
        return "\\n" if char == "\n" else "\\t"
    return f"\\x{ord(char):02x}" if unicodedata.category(char) == "Cc" else char


def term(text: str) -> str:
    """The text unquoted where that says the same."""
    is_plain = _TERM.fullmatch(text) is not None and text.lower() not in _KEYWORDS
    return text if is_plain else quoted(text)


# Filters


def condition(node: ast.Filter) -> str:
    """A filter, as it stands before the first pipe."""
    match node:
        case ast.All():
            return "*"
        case ast.Phrase(ast.Name(name), text, prefix):
            field = "" if name == _MESSAGE else f"{term(name)}:"
            return f"{field}{_prefixed(text) if prefix else term(text)}"
        case ast.Present(ast.Name(name)):
            return f"{term(name)}:*"
        case ast.Not(ast.Comparison(ast.Operator.EQ, ast.Name(name), right)):
            return f"{term(name)}!={_literal(right)}"
        case ast.Not(ast.Match(ast.Name(name), pattern)):
            return f"{term(name)}!~{quoted(pattern)}"
        case ast.Not(item):
            return f"not {_operand(item)}"
        case ast.And(items):
            return " ".join(map(_operand, items))
        case ast.Or(items):
            return " or ".join(condition(item) if isinstance(item, ast.And) else _operand(item) for item in items)
        case _:
            return _test(node)


def _operand(node: ast.Filter) -> str:
    return f"({condition(node)})" if isinstance(node, ast.And | ast.Or) else condition(node)


def _test(node: ast.Filter) -> str:
    match node:
        case ast.Comparison(operator, ast.Name(name), right):
            return f"{term(name)}{operator}{_literal(right)}"
        case ast.Match(ast.Name(name), pattern):
            return f"{term(name)}=~{quoted(pattern)}"
        case ast.Contains(ast.Name(name), affix, text):
            return f"{term(name)}{affix}{quoted(text)}"
        case ast.OneOf(ast.Name(name), values):
            return f"{term(name)} in ({', '.join(map(quoted, values))})"
        case ast.InQuery(ast.Name(name), query):
            return f"{term(name)} in ({format(query)})"
    raise ValueError(f"{type(node).__name__} is no filter")


def _prefixed(text: str) -> str:
    return f"{term(text)}*"


def _literal(node: ast.Expression) -> str:
    match node:
        case ast.Text(text):
            return quoted(text)
        case ast.Number(text) | ast.Quantity(text):
            return text
    raise ValueError(f"{type(node).__name__} is no literal")


# Pipes


def pipe(node: ast.Pipe) -> str:
    match node:
        case ast.Where(test):
            return f"where {expression(test)}"
        case ast.Fields(names):
            return f"fields {_names(names)}"
        case ast.Extend(assignments):
            return "extend " + ", ".join(f"{term(each.name)} = {expression(each.expression)}" for each in assignments)
        case ast.Stats(aggregates, by):
            keys = f" by {', '.join(map(_key, by))}" if by else ""
            return f"stats {', '.join(map(_aggregate, aggregates))}{keys}"
        case ast.Sort(keys):
            return "sort by " + ", ".join(f"{term(k.name.name)}{' desc' if k.descending else ''}" for k in keys)
        case ast.Limit(rows):
            return f"limit {rows}"
        case ast.Top(rows, names):
            return f"top {rows} by {_names(names)}"
        case ast.Uniq(names):
            return f"uniq by {_names(names)}"
        case ast.Patterns(rows):
            return f"patterns {rows}"


def _names(names: tuple[ast.Name, ...]) -> str:
    return ", ".join(term(name.name) for name in names)


def _aggregate(node: ast.Aggregate) -> str:
    argument = "" if node.argument is None else expression(node.argument)
    return f"{node.function}({argument}) as {term(node.name)}"


def _key(node: ast.Key) -> str:
    match node.expression:
        case ast.Name(name):
            written = term(name)
        case ast.Call(function, arguments):
            written = f"{function}({', '.join(map(expression, arguments))})"
        case _:
            raise ValueError("groups are fields or calls")
    return f"{written} as {term(node.name)}"


# Expressions


def expression(node: ast.Expression) -> str:
    match node:
        case ast.Name(name):
            is_plain = _NAME.fullmatch(name) is not None and name.lower() not in _KEYWORDS
            return name if is_plain else f"field({quoted(name)})"
        case ast.Text() | ast.Number() | ast.Quantity():
            return _literal(node)
        case ast.Boolean(value):
            return "true" if value else "false"
        case ast.Null():
            return "null"
        case ast.Call(function, arguments):
            return f"{function}({', '.join(map(expression, arguments))})"
        case ast.Negative(operand):
            return f"-{_grouped(operand)}"
        case ast.Arithmetic(operator, left, right):
            return f"{_grouped(left)} {operator} {_grouped(right)}"
        case ast.And(items):
            return " and ".join(map(_grouped, items))
        case ast.Or(items):
            return " or ".join(map(_grouped, items))
        case ast.Not(item):
            return _negated(item)
        case _:
            return _compared(node)


def _negated(item: ast.Expression) -> str:
    match item:
        case ast.Comparison(ast.Operator.EQ, left, right):
            return f"{_grouped(left)} != {_grouped(right)}"
        case ast.Match(target, pattern):
            return f"{_grouped(target)} !~ {quoted(pattern)}"
    return f"not {_grouped(item)}"


def _compared(node: ast.Expression) -> str:
    match node:
        case ast.Comparison(operator, left, right):
            return f"{_grouped(left)} {operator} {_grouped(right)}"
        case ast.Match(target, pattern):
            return f"{_grouped(target)} =~ {quoted(pattern)}"
        case ast.Contains(target, affix, text):
            return f"{_grouped(target)} {affix} {quoted(text)}"
        case ast.OneOf(target, values):
            return f"{_grouped(target)} in ({', '.join(map(quoted, values))})"
        case ast.InQuery(target, query):
            return f"{_grouped(target)} in ({format(query)})"
    raise ValueError(f"{type(node).__name__} is no expression")


def _grouped(node: ast.Expression) -> str:
    """In parentheses, but for what stands alone."""
    alone = ast.Name | ast.Text | ast.Number | ast.Quantity | ast.Boolean | ast.Null | ast.Call
    return expression(node) if isinstance(node, alone) else f"({expression(node)})"
