"""Where an attribute is in a segment, and the SQL that reads it there."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from logstore.attributes import PATH_SEPARATOR, Kind, Path
from logstore.columns import AttributeColumns
from query import extension
from query.sql import fields
from query.sql.answer import Kind as AnswerKind
from query.sql.fields import key_paths
from query.sql.fragment import Sql, literal, written
from query.sql.value import Value, number

_MAY_BE_LINE: Final = "attributes IS NULL AND (starts_with(message, '{') OR message < '!')"
"""Whether the message can be an object: it begins with a brace, or with white space, which is less than any letter."""


@dataclass(frozen=True, slots=True)
class Forms:
    """SQL of an attribute's text form, JSON text, number, and whether it has a text that is not empty."""

    text: str
    json: str
    number: str
    present: str


@dataclass(frozen=True, slots=True)
class Key:
    """Where an attribute is in a segment: in a column of its own, of this kind; at `paths` in `attributes`; where they
    are null, at those `in_line` in the message."""

    kind: Kind | None
    paths: tuple[Path, ...]
    in_line: tuple[Path, ...]


def key_of(attribute: str, columns: AttributeColumns) -> Key:
    """Of the name as a whole, and of what it says of a value inside another one."""
    without_dots = {one.path[:at] for one in columns.nested if not one.has_dots for at in range(len(one.path))}
    paths = tuple(path for path in key_paths(attribute) if _may_be(path, without_dots))
    nested = next((one for one in columns.nested if (one.path,) == paths), None)
    if nested is not None:
        left = () if nested.is_all else paths
        return Key(nested.kind, left, _omitted(left, columns))
    kind = dict(columns.kinds).get(attribute)
    left = paths if kind is None or attribute in columns.in_rest else tuple(path for path in paths if len(path) > 1)
    return Key(kind, left, _omitted(paths, columns))


def _may_be(path: Path, without_dots: Collection[Path]) -> bool:
    """Whether there may be something, where the objects at some paths have no keys with dots."""
    return not any("." in key and path[:at] in without_dots for at, key in enumerate(path))


def _omitted(paths: tuple[Path, ...], columns: AttributeColumns) -> tuple[Path, ...]:
    """Keys with control characters are never omitted."""
    return tuple(path for path in paths if path[0] in columns.omitted and PATH_SEPARATOR not in "".join(path))


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
    if key.paths:
        found = fields.in_json(Sql("attributes"), key.paths)
        texts.append(written(found.text))
        jsons.append(written(found.json))
        numbers.append(_number_in(texts[-1]))
    if key.in_line:
        found_texts, found_jsons = zip(*_in_line(key.in_line), strict=True)
        texts.append(f"CASE WHEN {_MAY_BE_LINE} THEN {_first(found_texts)} END")
        jsons.append(f"CASE WHEN {_MAY_BE_LINE} THEN {_first(found_jsons)} END")
        numbers.append(_number_in(texts[-1]))
    return Forms(_first(texts), _first(jsons), _first_number(texts, numbers), _present(attribute, key, texts))


def _in_line(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Text form and JSON text of the values in the message, those that count first before the others."""
    for is_of_keys, some in groupby(paths, _is_of_keys):
        if is_of_keys:
            told = literal(extension.paths(list(some)))
            yield f"line_text(message, {told})", f"line_json(message, {told})"
        else:
            for key, *inside in some:
                told = literal(extension.paths([(key,)]))
                found = fields.in_json(Sql(f"line_json(message, {told})"), [tuple(inside)])
                yield written(found.text), written(found.json)


def _is_of_keys(path: Path) -> bool:
    """A key of digits may be a place in an array."""
    return all(any(map(str.isalpha, key)) for key in path[1:])


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


def _first(pieces: Sequence[str]) -> str:
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
