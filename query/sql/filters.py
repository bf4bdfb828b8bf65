"""Words, phrases and other tests of one text."""

from collections.abc import Sequence

from logstore.words import is_word_character
from query import ast, regexes
from query.needles import has_digit
from query.sql.fragment import Sql, bind, joined, sql
from query.sql.regex import check_pattern
from query.sql.value import FALSE, TRUE, Condition, Value, text

MANY_IDS = 4
"""Of more, messages are asked all in one pass."""
_MESSAGE = Sql("message")
_NOT_WORD = "[^0-9a-z_]"
"""In a lower-cased text of ASCII characters."""
_NEEDED_MIN = 3
"""Texts of fewer characters are in most records."""
_FUNCTIONS = {ast.Affix.ANYWHERE: "contains", ast.Affix.START: "starts_with", ast.Affix.END: "ends_with"}


def phrase(target: Value, node: ast.Phrase) -> Condition:
    """Of messages, which differ and may be long, by a function of ours, which needs no copy in lower case if the phrase
    is of ASCII characters. Of others, which are mostly few, so that DuckDB asks each only once: first whether the
    phrase is there at all, then whether it stands between words' ends, by a pattern in texts of ASCII characters only.
    """
    needle = lower(node.text)
    value = text(target)
    if not needle:
        return Condition(sql("{} IS NOT NULL", value), nullable=False)
    has_case, is_message = _has_case(needle), value == _MESSAGE
    hay = sql("lower({})", value) if has_case and not (is_message and needle.isascii()) else value
    by_function = sql("stands_free({}, {}, {})", hay, bind(needle), bind(node.prefix))
    if has_case and is_message:
        return Condition(by_function, target.nullable)
    found = sql("contains({}, {})", hay, bind(needle))
    if not any(_ends_inside(node)):
        return Condition(found, target.nullable)
    stands = by_function if is_message else _by_pattern(value, node, by_function)
    return Condition(sql("({} AND {})", found, stands), target.nullable)


def ids_among(items: Sequence[ast.Expression]) -> tuple[list[ast.Phrase], list[ast.Expression]]:
    """The conditions that a message has some word of ASCII with a digit, if they are many, and the others."""
    ids: list[ast.Phrase] = []
    others: list[ast.Expression] = []
    for item in items:
        if isinstance(item, ast.Phrase) and _is_id(item):
            ids.append(item)
        else:
            others.append(item)
    return (ids, others) if len(ids) > MANY_IDS else ([], list(items))


def _is_id(node: ast.Phrase) -> bool:
    is_word = node.text.isascii() and all(map(is_word_character, node.text))
    return node.target == ast.Name("message") and is_word and has_digit(node.text) and not node.prefix


def has_id(target: Value, ids: Sequence[ast.Phrase]) -> Condition:
    """Whether one of them is in the message."""
    words = dict.fromkeys(lower(node.text) for node in ids)
    return Condition(sql("has_word({}, {})", text(target), bind(" ".join(words))), target.nullable)


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
    """Of a column, first whether the texts that every match has are there, which takes a fraction of what RE2 does."""
    check_pattern(node.pattern, node.at)
    value = text(target)
    found = [sql("contains({}, {})", value, bind(needed)) for needed in _needed(node.pattern) if target.verbatim]
    found.append(sql("regexp_matches({}, {})", value, bind(node.pattern)))
    return Condition(found[0] if len(found) == 1 else sql("({})", joined("AND", found)), target.nullable)


def _needed(pattern: str) -> tuple[str, ...]:
    """Texts that every match has as they stand, and few records may have."""
    needed = regexes.needed(pattern)
    if needed.folded or len(needed.alternatives) > 1:
        return ()
    return tuple(one for one in needed.alternatives[0] if len(one) >= _NEEDED_MIN)


def contains(target: Value, node: ast.Contains) -> Condition:
    function = _FUNCTIONS[node.affix]
    return Condition(sql(f"{function}({{}}, {{}})", text(target), bind(node.text)), target.nullable)


def one_of(target: Value, node: ast.OneOf) -> Condition:
    values = dict.fromkeys(node.values)
    if not values:
        return Condition(FALSE, nullable=False)
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
