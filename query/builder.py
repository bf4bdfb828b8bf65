"""Parse tree → AST, one method a rule of the grammar; Lark calls them while it parses, innermost first."""

import re
from typing import Any, Final, TypeAlias

from lark import Token, Transformer, v_args

from logstore.errors import Position
from query import ast, literals
from query.errors import invalid, shown

Expr: TypeAlias = ast.Expression
Members: TypeAlias = tuple[str, ...] | ast.Query

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\s\S]))")
_STANDS_FOR: Final = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_AFFIXES: Final = frozenset(affix.value for affix in ast.Affix)
TOP_ROWS: Final = 10
PATTERN_ROWS: Final = 10


def at(token: Token) -> Position:
    return Position(token.line or 1, token.column or 1)


def text_of(token: Token) -> str:
    """What a term, a quoted or a raw string says."""
    if token.type == "RAW":
        return str(token[1:-1])
    if token.type == "STRING":
        return unescape(str(token[1:-1]), at(token))
    return str(token)


def unescape(body: str, place: Position) -> str:
    """The text between the quotes of a string, with its escapes replaced."""

    def replacement(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        return chr(int(code, 16)) if code else _STANDS_FOR.get(found[3], found[0])

    text = _ESCAPE.sub(replacement, body)
    if not any("\ud800" <= c <= "\udfff" for c in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise invalid("half a surrogate pair in the string", place, r"write both halves, as in \ud83d\ude00") from None


def literal(token: Token) -> ast.Literal:
    """A value: unquoted it is a number, has a unit, or is a text; quoted it is a text."""
    if token.type != "TERM":
        return ast.Text(text_of(token), at(token))
    text = str(token)
    if literals.is_number(text):
        return ast.Number(text, at(token))
    found = literals.quantity(text)
    return ast.Text(text, at(token)) if found is None else ast.Quantity(text, *found, at(token))


def phrase(target: ast.Name, token: Token) -> Expr:
    """What stands after `field:`, or alone, which means in `message`."""
    if token.type == "PREFIX":
        return ast.Phrase(target, unescape(str(token[1:-2]), at(token)), True, at(token))
    text = text_of(token)
    if token.type == "TERM" and text == "*":
        return ast.Present(target, at(token))
    if token.type == "TERM" and text.endswith("*"):
        return ast.Phrase(target, text[:-1], True, at(token))
    return ast.Phrase(target, text, False, at(token))


def test(operator: str, left: Expr, right: Expr, place: Position) -> Expr:
    """`left operator right`; the negated operators are `Not` of the others."""
    if operator in ("!=", "!~"):
        return ast.Not(test("=" if operator == "!=" else "=~", left, right, place), place)
    if operator == "=~":
        return ast.Match(left, _written(operator, right), right.at)
    if operator in _AFFIXES:
        return ast.Contains(left, ast.Affix(operator), _written(operator, right), place)
    return ast.Comparison(ast.Operator("=" if operator == "==" else operator), left, right, place)


def _written(operator: str, right: Expr) -> str:
    """The text on the right of an operator that takes a text and nothing else."""
    if isinstance(right, ast.Text):
        return right.value
    if isinstance(right, (ast.Number, ast.Quantity)):
        return right.text
    hint = "quote it" if operator == "=~" else "quote it, or use contains(), starts_with() or ends_with()"
    raise invalid(f'"{operator}" takes a text on its right', right.at, hint)


def among(left: Expr, word: Token, members: Members) -> Expr:
    place = at(word)
    member = ast.OneOf(left, members, place) if isinstance(members, tuple) else ast.InQuery(left, members, place)
    return ast.Not(member, place) if word.type == "NOT_IN" else member


def field_name(token: Token) -> ast.Name:
    if token.type == "TERM" and token == "*":
        raise invalid('"*" is no field', at(token), 'name a field, as in level:warn, or quote it: "*"')
    return ast.Name(text_of(token), at(token))


def default_name(function: Token, argument: Expr | None) -> str:
    """What a call's column is called when nothing says so."""
    if argument is None:
        return str(function).lower()
    if isinstance(argument, ast.Name):
        return f"{str(function).lower()}_{argument.name}"
    raise invalid(f'"{shown(function)}(…)" needs a name', at(function), f"write {shown(function)}(…) as some_name")


@v_args(inline=True)
class Builder(Transformer[Token, ast.Query]):
    """Methods take a rule's children in order; a child in brackets in the grammar is None where it is not written."""

    def start(self, query: ast.Query) -> ast.Query:
        return query

    @v_args(inline=False)
    def query(self, children: list[Any]) -> ast.Query:
        if children and not isinstance(children[0], ast.Pipe):
            return ast.Query(children[0], tuple(children[1:]))
        return ast.Query(ast.All(), tuple(children))

    subquery = query

    # Filters

    def phrase(self, token: Token) -> Expr:
        if token.type == "TERM" and token == "*":
            return ast.All(at(token))
        return phrase(ast.Name("message", at(token)), token)

    def field_phrase(self, field: Token, token: Token) -> Expr:
        return phrase(field_name(field), token)

    def field_test(self, field: Token, operator: Token, value: Token) -> Expr:
        return test(str(operator), field_name(field), literal(value), at(field))

    def field_in(self, field: Token, word: Token, members: Members) -> Expr:
        return among(field_name(field), word, members)

    @v_args(inline=False)
    def members(self, tokens: list[Token]) -> Members:
        return tuple(text_of(token) for token in tokens)

    def not_filter(self, item: Expr) -> Expr:
        return ast.Not(item, item.at)

    @v_args(inline=False)
    def and_filter(self, items: list[Expr]) -> Expr:
        return items[0] if len(items) == 1 else ast.And(tuple(items), items[0].at)

    @v_args(inline=False)
    def or_filter(self, items: list[Expr]) -> Expr:
        return items[0] if len(items) == 1 else ast.Or(tuple(items), items[0].at)

    # Pipes

    def where(self, condition: Expr) -> ast.Pipe:
        return ast.Where(condition, condition.at)

    def fields(self, *tokens: Token) -> ast.Pipe:
        return ast.Fields(tuple(map(field_name, tokens)), at(tokens[0]))

    def extend(self, *assignments: ast.Assignment) -> ast.Pipe:
        return ast.Extend(assignments, assignments[0].at)

    def assignment(self, name: Token, _equals: Token, expression: Expr) -> ast.Assignment:
        return ast.Assignment(text_of(name), expression, at(name))

    def stats(self, *parts: ast.Aggregate | ast.Key) -> ast.Pipe:
        aggregates = tuple(part for part in parts if isinstance(part, ast.Aggregate))
        keys = tuple(part for part in parts if isinstance(part, ast.Key))
        return ast.Stats(aggregates, keys, aggregates[0].at)

    def aggregate(self, function: Token, arguments: tuple[Expr, ...] | None, name: Token | None) -> ast.Aggregate:
        if arguments is not None and len(arguments) > 1:
            raise invalid(f'"{shown(function)}" takes one argument', arguments[1].at)
        argument = arguments[0] if arguments else None
        called = text_of(name) if name is not None else default_name(function, argument)
        return ast.Aggregate(str(function).lower(), argument, called, at(function))

    def alias(self, name: Token) -> Token:
        return name

    def field_key(self, field: Token, name: Token | None) -> ast.Key:
        return ast.Key(field_name(field), text_of(field if name is None else name), at(field))

    def call_key(self, function: Token, arguments: tuple[Expr, ...] | None, name: Token | None) -> ast.Key:
        call = ast.Call(str(function).lower(), arguments or (), at(function))
        if name is not None:
            return ast.Key(call, text_of(name), at(function))
        if call.function == "bucket":
            return ast.Key(call, "time", at(function))
        return ast.Key(call, default_name(function, call.arguments[0] if call.arguments else None), at(function))

    @v_args(inline=False)
    def sort(self, keys: list[ast.SortKey]) -> ast.Pipe:
        return ast.Sort(tuple(keys), keys[0].at)

    def sort_key(self, field: Token, direction: Token | None = None) -> ast.SortKey:
        return ast.SortKey(field_name(field), direction is not None and direction.type == "DESC", at(field))

    def limit(self, rows: Token) -> ast.Pipe:
        return ast.Limit(_rows(rows), at(rows))

    def top(self, *tokens: Token) -> ast.Pipe:
        counted = tokens[0].type == "INTEGER"
        names = tuple(map(field_name, tokens[1:] if counted else tokens))
        return ast.Top(_rows(tokens[0]) if counted else TOP_ROWS, names, at(tokens[0]))

    def uniq(self, *tokens: Token) -> ast.Pipe:
        return ast.Uniq(tuple(map(field_name, tokens)), at(tokens[0]))

    def patterns(self, word: Token, rows: Token | None = None) -> ast.Pipe:
        count = PATTERN_ROWS if rows is None else _rows(rows)
        if rows is not None and count < 1:
            raise invalid("no patterns are asked for", at(rows), "write a number from 1 on, or none")
        return ast.Patterns(count, at(word))

    # Expressions

    def comparison(self, left: Expr, operator: Token, right: Expr) -> Expr:
        return test(str(operator), left, right, at(operator))

    def in_expression(self, left: Expr, word: Token, members: Members) -> Expr:
        return among(left, word, members)

    def arithmetic(self, first: Expr, *rest: Any) -> Expr:
        expression = first
        for operator, operand in zip(rest[::2], rest[1::2], strict=True):
            expression = ast.Arithmetic(str(operator), expression, operand, at(operator))
        return expression

    def negative(self, dash: Token, operand: Expr) -> Expr:
        match operand:
            case ast.Number(text) if not text.startswith("-"):
                return ast.Number(f"-{text}", at(dash))
            case ast.Quantity(text, dimension, amount) if not text.startswith("-"):
                return ast.Quantity(f"-{text}", dimension, -amount, at(dash))
        return ast.Negative(operand, at(dash))

    def name(self, token: Token) -> Expr:
        return ast.Name(str(token), at(token))

    def call(self, function: Token, arguments: tuple[Expr, ...] | None) -> Expr:
        match str(function).lower(), arguments:
            case "field", (ast.Text(name),):
                return ast.Name(name, at(function))
            case lowered, _:
                return ast.Call(lowered, arguments or (), at(function))

    def arguments(self, *items: Expr) -> tuple[Expr, ...]:
        return items

    def number(self, token: Token) -> Expr:
        return ast.Number(str(token), at(token))

    def quantity(self, token: Token) -> Expr:
        found = literals.quantity(str(token))
        if found is None:
            hint = "units are ns us ms s m h d w, and B KB MB GB TB KiB MiB GiB TiB"
            raise invalid(f'"{shown(token)}" is no number with a unit', at(token), hint)
        return ast.Quantity(str(token), *found, at(token))

    def text(self, token: Token) -> Expr:
        return ast.Text(text_of(token), at(token))

    def boolean(self, token: Token) -> Expr:
        return ast.Boolean(token.type == "TRUE", at(token))

    def null(self, token: Token) -> Expr:
        return ast.Null(at(token))


def _rows(token: Token) -> int:
    if len(token) > 18:
        raise invalid("too many rows", at(token), "at most 18 digits")
    return int(token)
