"""Which SQL answers for a field's name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from logstore.record import COLUMNS
from query import limits
from query.sql.answer import Kind
from query.sql.fragment import Sql, bind, sql
from query.sql.value import Value, json

ALIASES: Final = {"level": "severity"}

_KINDS: Final = {"time": Kind.TIME, "_seq": Kind.INTEGER, "labels": Kind.JSON, "attributes": Kind.JSON}
_NULLABLE: Final = frozenset(("labels", "trace_id", "span_id", "attributes"))


class Source(StrEnum):
    """The column that a key is looked up in."""

    ATTRIBUTES = "attributes"
    LABELS = "labels"


SOURCES: Final = frozenset(source.value for source in Source)


@dataclass(frozen=True, slots=True)
class Scope:
    """The fields that a pipe sees: those that earlier pipes made and, while `is_open`, all of the record."""

    made: Mapping[str, Value] = field(default_factory=dict)
    is_open: bool = True

    def with_field(self, name: str, value: Value) -> "Scope":
        return replace(self, made={**self.made, name: replace(value, name=name)})


def resolve(scope: Scope, name: str) -> Value | None:
    """The field's value; None if these rows cannot have it, which is as good as null.

    A field made by a pipe; else the record's column; else its attribute; else its label.
    """
    found = _made(scope, name)
    if found is not None or not scope.is_open:
        return found
    return _of_record(name)


def stored_columns(name: str) -> frozenset[str]:
    """The columns of a stored record that this field's name reads."""
    name = ALIASES.get(name, name)
    if name in COLUMNS:
        return frozenset((name,))
    source, _, _ = name.partition(".")
    if source in SOURCES and name != source:
        return frozenset((source,))
    return frozenset(Source)


def _made(scope: Scope, name: str) -> Value | None:
    for candidate in (name, ALIASES.get(name, name)):
        if candidate in scope.made:
            return scope.made[candidate]
    head, dot, rest = name.rpartition(".")
    tail: tuple[str, ...] = (rest,)
    while dot:
        outer = scope.made.get(head)
        if outer is not None and outer.kind is Kind.JSON:
            return _inside(outer, ".".join(tail), name)
        head, dot, rest = head.rpartition(".")
        tail = (rest, *tail)
    return None


def _inside(outer: Value, key: str, name: str) -> Value:
    """A key of an object that is itself a value."""
    pieces = [(_extract_text(json(outer), path), _extract_json(json(outer), path)) for path in key_paths(key)]
    return _dynamic(pieces, name)


def _of_record(name: str) -> Value:
    column = ALIASES.get(name, name)
    if column in COLUMNS:
        return _column(column, name)
    source, dot, key = name.partition(".")
    if dot and source in SOURCES:
        return _dynamic(list(_keys(Source(source), key)), name)
    return _dynamic([*_keys(Source.ATTRIBUTES, name), *_keys(Source.LABELS, name)], name)


def _column(column: str, name: str) -> Value:
    kind = _KINDS.get(column, Kind.TEXT)
    return Value(
        Sql(column),
        kind,
        json=Sql(column) if kind is Kind.JSON else None,
        name=name,
        verbatim=kind in (Kind.TEXT, Kind.JSON),
        nullable=column in _NULLABLE,
    )


def _keys(source: Source, name: str) -> Iterator[tuple[Sql, Sql]]:
    for path in key_paths(name):
        yield key_text(source, path), key_json(source, path)


def _dynamic(pieces: list[tuple[Sql, Sql]], name: str) -> Value:
    """The first of these (text form, JSON) that is not null."""
    texts = [text for text, _ in pieces]
    jsons = [_not_null(as_json) for _, as_json in pieces]
    return Value(_first(texts), Kind.JSON, json=_first(jsons), name=name)


def _first(pieces: list[Sql]) -> Sql:
    if len(pieces) == 1:
        return pieces[0]
    return sql(f"coalesce({', '.join('{}' for _ in pieces)})", *pieces)


def _not_null(as_json: Sql) -> Sql:
    return sql("nullif({}, 'null')", as_json)


def key_text(source: Source, path: tuple[str, ...]) -> Sql:
    """The text form of a key of `attributes` or `labels`; null if it is missing or JSON null.

    This and `key_json` are the only places that read keys of records.
    """
    return _extract_text(Sql(source.value), path)


def key_json(source: Source, path: tuple[str, ...]) -> Sql:
    """The JSON text of a key of `attributes` or `labels`."""
    return _extract_json(Sql(source.value), path)


def _extract_text(of: Sql, path: tuple[str, ...]) -> Sql:
    return sql("json_extract_string({}, {})", of, bind(pointer(path)))


def _extract_json(of: Sql, path: tuple[str, ...]) -> Sql:
    return sql("CAST(json_extract({}, {}) AS VARCHAR)", of, bind(pointer(path)))


def pointer(path: tuple[str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def key_paths(name: str) -> list[tuple[str, ...]]:
    """The ways to read a name with dots, first the one that counts most.

    `a.b` is the key `a.b`, else `b` inside `a`; with many dots only the ways that split off single parts are tried.
    """
    parts = name.split(".")
    if len(parts) <= limits.NAME_PARTS_MAX:
        return list(_splits(parts))
    depths = range(min(len(parts), limits.NAME_DEPTH_MAX))
    return [(*parts[:depth], ".".join(parts[depth:])) for depth in depths]


def _splits(parts: list[str]) -> Iterator[tuple[str, ...]]:
    yield (".".join(parts),)
    for size in range(len(parts) - 1, 0, -1):
        for rest in _splits(parts[size:]):
            yield (".".join(parts[:size]), *rest)
