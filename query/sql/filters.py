"""Words, phrases and other tests of one text."""

from logstore.record import STORED, WORD
from logstore.words import is_word_character
from query import ast, regexes
from query.sql.fragment import bind, joined, sql
from query.sql.regex import check_pattern
from query.sql.value import TRUE, Condition, Value, text

_OF_WORDS = frozenset(field.name for field in STORED if field.type == WORD)
_FUNCTIONS = {ast.Affix.ANYWHERE: "contains", ast.Affix.START: "starts_with", ast.Affix.END: "ends_with"}


def phrase(target: Value, node: ast.Phrase) -> Condition:
    """By a function of ours, which needs no lower-case copy of the text if the phrase is of ASCII characters. First
    whether it is there at all, where that is cheap: it has no letters, or the texts are so few that DuckDB asks each
    only once."""
    needle = lower(node.text)
    value = text(target)
    if not needle:
        return Condition(sql("{} IS NOT NULL", value), nullable=False)
    has_case, is_few = _has_case(needle), value.text in _OF_WORDS
    hay = sql("lower({})", value) if has_case and (is_few or not needle.isascii()) else value
    stands = sql("stands_free({}, {}, {})", hay, bind(needle), bind(node.prefix))
    if has_case and not is_few:
        return Condition(stands, target.nullable)
    found = sql("contains({}, {})", hay, bind(needle))
    return Condition(sql("({} AND {})", found, stands) if _may_be_inside(node) else found, target.nullable)


def _may_be_inside(node: ast.Phrase) -> bool:
    """Whether the phrase, not empty, might begin or end inside a word."""
    return is_word_character(node.text[0]) or (is_word_character(node.text[-1]) and not node.prefix)


def present(target: Value) -> Condition:
    if not target.nullable and target.kind not in ("text", "json"):
        return Condition(TRUE, nullable=False)
    return Condition(target.present or sql("{} <> ''", text(target)), target.nullable)


def match(target: Value, node: ast.Match) -> Condition:
    """Of a column, first whether the texts that every match has are there, which takes a fraction of what RE2 does."""
    check_pattern(node.pattern, node.at)
    value = text(target)
    found = [sql("contains({}, {})", value, bind(needed)) for needed in _needed(node.pattern) if target.verbatim]
    found.append(sql("regexp_matches({}, {})", value, bind(node.pattern)))
    return Condition(found[0] if len(found) == 1 else sql("({})", joined("AND", found)), target.nullable)


def _needed(pattern: str) -> tuple[str, ...]:
    """Texts that every match has as they stand."""
    needed = regexes.needed(pattern)
    return needed.alternatives[0] if len(needed.alternatives) == 1 and not needed.folded else ()


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


def _has_case(needle: str) -> bool:
    """Whether lower-casing the value could matter: nothing becomes an ASCII character that is no letter."""
    return any(not c.isascii() or c.isalpha() for c in needle)
