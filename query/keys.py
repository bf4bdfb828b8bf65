"""Where an attribute is in a segment, and the SQL that reads it there."""

from dataclasses import dataclass
from typing import Final

from logstore.attributes import PATH_SEPARATOR, Kind
from logstore.columns import AttributeColumns
from query.sql import fields
from query.sql.answer import Kind as AnswerKind
from query.sql.fields import Path
from query.sql.fragment import Sql, literal, written
from query.sql.value import Value, number

_NO_TEXT: Final = "CAST(NULL AS VARCHAR)"


@dataclass(frozen=True, slots=True)
class Forms:
    """SQL of an attribute's text form, JSON text, number, and whether it has a text that is not empty."""

    text: str
    json: str
    number: str
    present: str


@dataclass(frozen=True, slots=True)
class Key:
    """Where an attribute is in a segment: in a column of this name and kind, in `attributes`, in the message alone."""

    column: str = ""
    kind: Kind | None = None
    is_in_rest: bool = True
    is_omitted: bool = False


_NOWHERE: Final = Key(is_in_rest=False)


def key_of(path: Path, columns: AttributeColumns) -> Key:
    """Of a path in `attributes`."""
    is_omitted = path[0] in columns.omitted
    name = ".".join(path)
    nested = next((one for one in columns.nested if one.name == name), None)
    if nested is not None and nested.path == path:
        return Key(name, nested.kind, not nested.is_all, is_omitted and not nested.is_all)
    if nested is not None and not nested.has_dots:
        return _NOWHERE
    kind = dict(columns.kinds).get(name) if len(path) == 1 else None
    return Key(name if kind else "", kind, kind is None or name in columns.in_rest, is_omitted)


def forms_in_files(path: Path, key: Key) -> Forms:
    """Read in the segments' files."""
    texts: list[str] = []
    jsons: list[str] = []
    numbers: list[str] = []
    if key.kind is not None:
        name = quoted_name(key.column)
        text = name if key.kind is Kind.TEXT else f"CAST({name} AS VARCHAR)"
        texts.append(text)
        jsons.append(f"CAST(to_json({name}) AS VARCHAR)" if key.kind is Kind.TEXT else text)
        numbers.append(_number_of(name, key.kind))
    if key.is_in_rest:
        found = fields.in_json(Sql("attributes"), path)
        texts.append(written(found.text))
        jsons.append(written(found.json))
        numbers.append(_number_in(written(found.text)))
    if key.is_omitted:
        text, as_json = _in_line(path)
        texts.append(f"CASE WHEN attributes IS NULL THEN {text} END")
        jsons.append(f"CASE WHEN attributes IS NULL THEN {as_json} END")
        numbers.append(_number_in(texts[-1]))
    if not texts:
        return Forms(_NO_TEXT, _NO_TEXT, "CAST(NULL AS DOUBLE)", f"{_NO_TEXT} <> ''")
    return Forms(_first(texts), _first(jsons), _first_number(texts, numbers), _present(key, texts))


def _in_line(path: Path) -> tuple[str, str]:
    """Text form and JSON text of a value in the message."""
    if all(any(map(str.isalpha, key)) for key in path[1:]):
        member = literal(PATH_SEPARATOR.join(path))
        return f"line_text(message, {member})", f"line_json(message, {member})"
    # A key of digits may be a place in an array.
    found = fields.in_json(Sql(f"line_json(message, {literal(path[0])})"), path[1:])
    return written(found.text), written(found.json)


def _present(key: Key, texts: list[str]) -> str:
    """Numbers and booleans of a column have a text, which need not be made to tell that."""
    if key.kind in (None, Kind.TEXT):
        return f"{_first(texts)} <> ''"
    has_value = f"{quoted_name(key.column)} IS NOT NULL"
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


def forms_in_json(path: Path) -> Forms:
    """Read in the whole JSON text of `attributes`."""
    found = fields.in_json(Sql("attributes"), path)
    text = written(found.text)
    return Forms(text, written(found.json), _number_in(text), f"{text} <> ''")
