"""What a message's template alone says of a condition on the message.

A template is the message with every word that has an ASCII digit replaced by WILDCARD. Such a word is a whole one: what
stands next to a WILDCARD is no letter, digit or `_`, nor a WILDCARD. So words without digits stand in the template as
they do in the message, with the same neighbours, and a searched text stands there in one of the `forms` it can have.
Lower-casing, character by character, makes no word character of another nor the reverse, and no digit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logstore.templates import BEYOND_ASCII, WILDCARD
from query import ast, regexes
from query.needles import Form, forms
from query.sql import filters
from query.sql.answer import Kind
from query.sql.fragment import Sql, bind, joined, sql
from query.sql.value import FALSE, TRUE, Value

_MESSAGE: Final = Value(Sql("message"), Kind.TEXT, verbatim=True, nullable=False)
_FOLDED: Final = Value(
    sql("replace(lower(message), {}, 's')", bind(regexes.LONG_S)), Kind.TEXT, verbatim=True, nullable=False
)
_HAS_WILDCARD: Final = sql("contains(message, {})", bind(WILDCARD))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition on the message, and SQL over a table of templates; neither is ever null. The table's columns are
    `message`, and `letters`: those of the words that are wildcards in it.

    `must`: every message of this template satisfies it; where that is not sure, false. Also of texts in which some of
    the wildcards are the words that all messages have there.
    `may`: some message of it might; where that is not sure, true.
    """

    condition: ast.Expression
    must: Sql
    may: Sql


def leaf(condition: ast.Expression) -> Leaf | None:
    """None where the condition is not one on the message alone that templates say anything of.

    `message` is taken for the record's own: the condition is of a filter, before any pipe that makes fields.

    Raises:
        InvalidQuery: where the condition itself is an error.
    """
    match condition:
        case ast.Present(ast.Name("message")):
            whole = filters.present(_MESSAGE).sql
            return Leaf(condition, whole, whole)
        case ast.Phrase(ast.Name("message")):
            return Leaf(condition, *_phrase(condition))
        case ast.Contains(ast.Name("message")):
            return Leaf(condition, *_contains(condition))
        case ast.Match(ast.Name("message")):
            return Leaf(condition, *_match(condition))
        case ast.OneOf(ast.Name("message"), values):
            return Leaf(condition, *_one_of(values))
        case ast.Comparison(ast.Operator.EQ, ast.Name("message"), right) | ast.Comparison(
            ast.Operator.EQ, right, ast.Name("message")
        ) if isinstance(right, ast.Literal):
            return Leaf(condition, *_one_of((right.value if isinstance(right, ast.Text) else right.text,)))
    return None


def _phrase(node: ast.Phrase) -> tuple[Sql, Sql]:
    def found(text: str) -> Sql:
        return filters.phrase(_MESSAGE, replace(node, text=text)).sql

    return _verdicts(node.text, forms(node.text, opens_right=node.prefix), found)


def _contains(node: ast.Contains) -> tuple[Sql, Sql]:
    def found(text: str) -> Sql:
        return filters.contains(_MESSAGE, replace(node, text=text)).sql

    opens_left, opens_right = node.affix is not ast.Affix.START, node.affix is not ast.Affix.END
    return _verdicts(node.text, forms(node.text, opens_left=opens_left, opens_right=opens_right), found)


def _verdicts(text: str, in_templates: Sequence[Form], found: Callable[[str], Sql]) -> tuple[Sql, Sql]:
    """must and may of a searched text: what stands in a template without a WILDCARD stands in all its messages. Words
    with a digit do in no template, but in fuller texts (query/fuller.py)."""
    if WILDCARD in text:
        return FALSE, TRUE
    return found(text), _any(_with_letters(found(form.text), form) for form in in_templates)


def _one_of(values: Sequence[str]) -> tuple[Sql, Sql]:
    possible = tuple(value for value in values if WILDCARD not in value)
    if len(possible) < len(values):
        return _equals_any(possible), TRUE
    return _equals_any(possible), _equals_any([form.text for value in values for form in forms(value)])


def _equals_any(values: Sequence[str]) -> Sql:
    return filters.one_of(_MESSAGE, ast.OneOf(ast.Name("message"), tuple(values))).sql if values else FALSE


def _match(node: ast.Match) -> tuple[Sql, Sql]:
    """A template without wildcards is the message itself; in others, what each match contains has to be possible, and a
    match in what is between wildcards is one in all their messages."""
    exact = filters.match(_MESSAGE, node).sql
    texts = regexes.plain(node.pattern)
    if texts is not None and len(texts) <= regexes.WAYS_MAX:
        each = [_contains(ast.Contains(node.target, ast.Affix.ANYWHERE, text)) for text in texts]
        return _any(must for must, _ in each), _any(may for _, may in each)
    between = _between_wildcards(node) if regexes.is_local(node.pattern) else FALSE
    must = sql("CASE WHEN {} THEN {} ELSE {} END", _HAS_WILDCARD, between, exact)
    return must, sql("CASE WHEN {} THEN {} ELSE {} END", _HAS_WILDCARD, _possible(node.pattern), exact)


def _between_wildcards(node: ast.Match) -> Sql:
    found = filters.match(replace(_MESSAGE, sql=Sql("part")), node).sql
    parts = sql("string_split(message, {})", bind(WILDCARD))
    return sql("len(list_filter({}, lambda part: {})) > 0", parts, found)


def _possible(pattern: str) -> Sql:
    needed = regexes.needed(pattern)
    message = _FOLDED if needed.folded else _MESSAGE

    def may(text: str) -> Sql:
        if WILDCARD in text:
            return TRUE
        return _any(
            _with_letters(sql("contains({}, {})", message.sql, bind(form.text)), form)
            for form in forms(text, opens_left=True, opens_right=True)
        )

    return _any(sql("({})", joined("AND", [TRUE, *map(may, texts)])) for texts in needed.alternatives)


def _with_letters(condition: Sql, form: Form) -> Sql:
    """The wildcards that the form takes for words have to have the words' letters. Beyond ASCII there are letters that
    count as one of ASCII where case does not."""
    if not form.letters:
        return condition
    has_all = f"(letters & {form.letters} = {form.letters} OR letters & {BEYOND_ASCII} <> 0)"
    return sql(f"({{}} AND {has_all})", condition)


def _any(conditions: Iterable[Sql]) -> Sql:
    pieces = list(dict.fromkeys(conditions))
    return pieces[0] if len(pieces) == 1 else sql("({})", joined("OR", pieces))
