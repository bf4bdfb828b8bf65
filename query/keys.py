"""Where an attribute is in a segment, and the SQL that reads it there."""

from dataclasses import dataclass

from logstore.attributes import Kind
from logstore.columns import AttributeColumns
from query.sql import fields
from query.sql.answer import Kind as AnswerKind
from query.sql.fields import key_paths
from query.sql.fragment import Sql, literal, written
from query.sql.value import Value, number


@dataclass(frozen=True, slots=True)
class Forms:
    """SQL of an attribute's text form, JSON text, number, and whether it has a text that is not empty."""

    text: str
    json: str
    number: str
    present: str


@dataclass(frozen=True, slots=True)
class Key:
    """Where an attribute is in a segment: in a column of its own, in `attributes`, in the message alone."""

    kind: Kind | None = None
    is_in_rest: bool = True
    is_omitted: bool = False


def key_of(attribute: str, columns: AttributeColumns) -> Key:
    """Of the name as a whole; what it says of a value inside another one is in `attributes`."""
    kind = dict(columns.kinds).get(attribute)
    return Key(kind, kind is None or attribute in columns.in_rest, attribute in columns.omitted)


def forms_in_files(attribute: str, key: Key) -> Forms:
    """Read in the segments' files."""
    texts: list[str] = []
    jsons: list[str] = []
    numbers: list[str] = []
    if key.kind is not None:
        name = quoted_name(attribute)
        text = name if key.kind is Kind.TEXT else f"CAST({name} AS VARCHAR)"
        texts.append(text)
        jsons.append(f"CAST(to_json({name}) AS VARCHAR)" if key.kind is Kind.TEXT else text)
        numbers.append(_number_of(name, key.kind))
    paths = key_paths(attribute) if key.is_in_rest else key_paths(attribute)[1:]
    if paths:
        found = fields.in_json(Sql("attributes"), paths)
        texts.append(written(found.text))
        jsons.append(written(found.json))
        numbers.append(_number_in(written(found.text)))
    if key.is_omitted:
        member = literal(attribute)
        texts.append(f"CASE WHEN attributes IS NULL THEN line_text(message, {member}) END")
        jsons.append(f"CASE WHEN attributes IS NULL THEN line_json(message, {member}) END")
        numbers.append(_number_in(texts[-1]))
    return Forms(_first(texts), _first(jsons), _first_number(texts, numbers), _present(attribute, key, texts))


def _present(attribute: str, key: Key, texts: list[str]) -> str:
    """Numbers and booleans of a column have a text, which need not be made to tell that."""
    if key.kind in (None, Kind.TEXT):
        return f"{_first(texts)} <> ''"
    has_value = f"{quoted_name(attribute)} IS NOT NULL"
    return f"({has_value} OR {_first(texts[1:])} <> '')" if len(texts) > 1 else has_value


def _number_of(name: str, kind: Kind) -> str:
    match kind:
        case Kind.TEXT:
            return _number_in(name)
        case Kind.BOOLEAN:
            return "CAST(NULL AS DOUBLE)"
        case _:
            return f"CAST({name} AS DOUBLE)"


def _number_in(text: str) -> str:
    return number(Value(Sql(text), AnswerKind.TEXT)).text


def _first(pieces: list[str]) -> str:
    return pieces[0] if len(pieces) == 1 else f"coalesce({', '.join(pieces)})"


def _first_number(texts: list[str], numbers: list[str]) -> str:
    found = numbers[-1]
    for text, said in zip(reversed(texts[:-1]), reversed(numbers[:-1]), strict=True):
        found = f"CASE WHEN {text} IS NOT NULL THEN {said} ELSE {found} END"
    return found


def quoted_name(key: str) -> str:
    """As a column's name in SQL."""
    return '"' + key.replace('"', '""') + '"'


def forms_in_json(attribute: str) -> Forms:
    """Read in the whole JSON text of `attributes`."""
    found = fields.in_json(Sql("attributes"), key_paths(attribute))
    text = written(found.text)
    return Forms(text, written(found.json), _number_in(text), f"{text} <> ''")
