"""Words, phrases and other tests of one text."""

from collections.abc import Callable

from logstore.words import is_word_character
from query import ast
from query.sql.fragment import Sql, bind, sql
from query.sql.regex import check_pattern
from query.sql.value import TRUE, Condition, Value, text

_NOT_WORD = "[^0-9a-z_]"
"""In a lower-cased text of ASCII characters."""
_FUNCTIONS = {ast.Affix.ANYWHERE: "contains", ast.Affix.START: "starts_with", ast.Affix.END: "ends_with"}


def phrase(target: Value, node: ast.Phrase) -> Condition:
    """First whether the text is there at all, which is cheap; then whether it stands between words' ends: by a pattern
    in texts of ASCII characters only, else by a function of ours, since a pattern of all letters is slow to set up."""
    return _phrase(target, node, _by_pattern)


def phrase_in_memory(target: Value, node: ast.Phrase) -> Condition:
    """The same by the function alone: nothing is set up for a statement, but Python is called once for some thousand
    texts that have the phrase."""
    return _phrase(target, node, lambda _value, _node, by_function: by_function)


def _phrase(target: Value, node: ast.Phrase, stands_free: Callable[[Sql, ast.Phrase, Sql], Sql]) -> Condition:
    needle = lower(node.text)
    value = text(target)
    hay = sql("lower({})", value) if _has_case(needle) else value
    if not needle:
        return Condition(sql("{} IS NOT NULL", value), nullable=False)
    found = sql("contains({}, {})", hay, bind(needle))
    if not any(_ends_inside(node)):
        return Condition(found, target.nullable)
    by_function = sql("stands_free({}, {}, {})", hay, bind(needle), bind(node.prefix))
    return Condition(sql("({} AND {})", found, stands_free(value, node, by_function)), target.nullable)


def _ends_inside(node: ast.Phrase) -> tuple[bool, bool]:
    """Whether the phrase, not empty, might begin and end inside a word."""
    return is_word_character(node.text[0]), is_word_character(node.text[-1]) and not node.prefix


def _by_pattern(value: Sql, node: ast.Phrase, by_function: Sql) -> Sql:
    needle = lower(node.text)
    if not needle.isascii():
        return by_function
    begins, ends = _ends_inside(node)
    before, after = f"(?:^|{_NOT_WORD})" if begins else "", f"(?:{_NOT_WORD}|$)" if ends else ""
    plain = sql("regexp_matches(lower({}), {})", value, bind(before + escape(needle) + after))
    return sql("CASE WHEN strlen({}) = length({}) THEN {} ELSE {} END", value, value, plain, by_function)


def present(target: Value) -> Condition:
    if not target.nullable and target.kind not in ("text", "json"):
        return Condition(TRUE, nullable=False)
    return Condition(target.present or sql("{} <> ''", text(target)), target.nullable)


def match(target: Value, node: ast.Match) -> Condition:
    check_pattern(node.pattern, node.at)
    return Condition(sql("regexp_matches({}, {})", text(target), bind(node.pattern)), target.nullable)


def contains(target: Value, node: ast.Contains) -> Condition:
    function = _FUNCTIONS[node.affix]
    return Condition(sql(f"{function}({{}}, {{}})", text(target), bind(node.text)), target.nullable)


def one_of(target: Value, node: ast.OneOf) -> Condition:
    values = dict.fromkeys(node.values)
    if len(values) == 1:
        return Condition(sql("{} = {}", text(target), bind(node.values[0])), target.nullable)
    marks = ", ".join("{}" for _ in values)
    return Condition(sql(f"{{}} IN ({marks})", text(target), *map(bind, values)), target.nullable)


def lower(needle: str) -> str:
    """Simple lower-casing, character by character, as DuckDB's own."""
    return "".join(c.lower()[0] for c in needle)


def escape(needle: str) -> str:
    """The RE2 pattern of exactly this text."""
    return "".join(c if c.isalnum() or c == "_" or not c.isascii() else f"\\x{ord(c):02x}" for c in needle)


def _has_case(needle: str) -> bool:
    """Whether lower-casing the value could matter: nothing becomes an ASCII character that is no letter."""
    return any(not c.isascii() or c.isalpha() for c in needle)
