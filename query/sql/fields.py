"""Which SQL answers for a field's name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Literal, TypeAlias, get_args

from logstore.attributes import Path
from logstore.record import COLUMNS
from query import limits
from query.sql.answer import Kind
from query.sql.fragment import Sql, bind, sql
from query.sql.value import Value, json, number

ALIASES: Final = {"level": "severity"}

_KINDS: Final = {"time": Kind.TIME, "_seq": Kind.INTEGER, "labels": Kind.JSON, "attributes": Kind.JSON}
_NULLABLE: Final = frozenset(("labels", "trace_id", "span_id", "attributes"))
_CORRELATION: Final = frozenset(("trace_id", "span_id"))
"""Columns that a sender may leave empty, whose attribute or label of the same name then counts."""


class Source(StrEnum):
    """The column that a key is looked up in."""

    ATTRIBUTES = "attributes"
    LABELS = "labels"


TEMPLATE: Final = "template"

SOURCES: Final = frozenset(source.value for source in Source)

Form: TypeAlias = Literal["text", "json", "number", "present"]


@dataclass(frozen=True, slots=True)
class Key:
    """A value of `attributes` or `labels`: its text form (null if it is missing or JSON null), its JSON text, and its
    number (null where it is none) and whether its text is not empty, unless these are to be made of the text."""

    text: Sql
    json: Sql
    number: Sql | None = None
    present: Sql | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of the records that a query reads.

    `columns`: the names of attributes that `records` has columns for, called as `column_name` says.
    `labels`: the keys that there may be in `labels`; None: any. `templates`: whether `records` has the ids of messages'
    templates, in the column `TEMPLATE`. `weights`: whether each row of `records` stands for as many of them as its
    column `weight` says. `groups`: whether the records' patterns are found already (query/sql/patterns.py).
    """

    columns: frozenset[str] = frozenset()
    labels: frozenset[str] | None = None
    templates: bool = False
    weights: bool = False
    groups: bool = False


ANYTHING: Final = Stored()


@dataclass(frozen=True, slots=True)
class Scope:
    """The fields that a pipe sees: those that earlier pipes made and, while `is_open`, all of the record."""

    made: Mapping[str, Value] = field(default_factory=dict)
    is_open: bool = True
    stored: Stored = ANYTHING

    def with_field(self, name: str, value: Value) -> "Scope":
        return replace(self, made={**self.made, name: replace(value, name=name)})


def resolve(scope: Scope, name: str) -> Value | None:
    """The field's value; None if these rows cannot have it, which is as good as null.

    A field made by a pipe; else the record's column; else its attribute; else its label.
    """
    found = _made(scope, name)
    if found is not None or not scope.is_open:
        return found
    return _of_record(name, scope.stored)


def stored_columns(name: str) -> frozenset[str]:
    """The columns of a stored record that this field's name reads."""
    name = ALIASES.get(name, name)
    if name in COLUMNS:
        return frozenset((name, *(Source if name in _CORRELATION else ())))
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
    return _dynamic([in_json(json(outer), key_paths(key))], name)


def _of_record(name: str, stored: Stored) -> Value:
    column = ALIASES.get(name, name)
    if column in COLUMNS:
        found = own_column(name)
        return _or_key(found, name, stored) if column in _CORRELATION else found
    source, dot, key = name.partition(".")
    if dot and source in SOURCES:
        return _dynamic(list(_keys(Source(source), key, stored)), name)
    return _dynamic(_bare_keys(name, stored), name)


def _bare_keys(name: str, stored: Stored) -> list[Key]:
    return [*_keys(Source.ATTRIBUTES, name, stored), *_keys(Source.LABELS, name, stored)]


def own_column(name: str) -> Value:
    """A column of the record itself."""
    column = ALIASES.get(name, name)
    kind = _KINDS.get(column, Kind.TEXT)
    return Value(
        Sql(column),
        kind,
        json=Sql(column) if kind is Kind.JSON else None,
        name=name,
        verbatim=kind in (Kind.TEXT, Kind.JSON),
        nullable=column in _NULLABLE,
    )


def _or_key(column: Value, name: str, stored: Stored) -> Value:
    """The column where the sender filled it, else the attribute or label of that name."""
    keys = _bare_keys(name, stored)
    return replace(column, sql=_first([column.sql, *(key.text for key in keys)]))


def _keys(source: Source, name: str, stored: Stored) -> Iterator[Key]:
    if source is Source.ATTRIBUTES and name in stored.columns:
        yield Key(*(column_name(name, form) for form in get_args(Form)))
        return
    is_any = source is Source.ATTRIBUTES or stored.labels is None
    paths = [path for path in key_paths(name) if is_any or path[0] in (stored.labels or ())]
    if paths:
        yield in_json(Sql(source.value), paths)


def attribute_of(name: str) -> str | None:
    """The name of the attribute that this field's name may read."""
    column = ALIASES.get(name, name)
    if column in COLUMNS and column not in _CORRELATION:
        return None
    source, dot, key = name.partition(".")
    if dot and source in SOURCES:
        return key if source == Source.ATTRIBUTES else None
    return name


def column_name(attribute: str, form: Form) -> Sql:
    """What `records` calls the column of an attribute. DuckDB's names do not tell cases apart, so these say it
    otherwise."""
    told = re.sub(r"[A-Z^]", lambda found: f"^{found[0].lower()}" if found[0] != "^" else "^^", attribute)
    name = f"{form}:{told}".replace('"', '""')
    return Sql(f'"{name}"')


def _dynamic(keys: list[Key], name: str) -> Value:
    """The first of these that is not null."""
    if not keys:
        return Value(Sql("CAST(NULL AS VARCHAR)"), Kind.JSON, json=Sql("CAST(NULL AS VARCHAR)"), name=name)
    jsons = [sql("nullif({}, 'null')", key.json) for key in keys]
    text, present = _first([key.text for key in keys]), keys[0].present if len(keys) == 1 else None
    return Value(text, Kind.JSON, json=_first(jsons), name=name, number=_number(keys), present=present)


def _number(keys: list[Key]) -> Sql | None:
    if not all(key.number for key in keys[:-1]) or not any(key.number for key in keys):
        return None
    last = keys[-1]
    found = last.number if last.number is not None else number(Value(last.text, Kind.JSON))
    for key in reversed(keys[:-1]):
        assert key.number is not None
        found = sql("CASE WHEN {} IS NOT NULL THEN {} ELSE {} END", key.text, key.number, found)
    return found


def _first(pieces: list[Sql]) -> Sql:
    if len(pieces) == 1:
        return pieces[0]
    return sql(f"coalesce({', '.join('{}' for _ in pieces)})", *pieces)


def in_json(of: Sql, paths: Sequence[Path]) -> Key:
    """A value inside of JSON text: the first of these that is there and not JSON null. The text is parsed once for all
    of them, which takes time, and memory for thousands of rows at a time."""
    if len(paths) == 1:
        pointed = bind(pointer(paths[0]))
        return Key(
            sql("json_extract_string({}, {})", of, pointed), sql("CAST(json_extract({}, {}) AS VARCHAR)", of, pointed)
        )
    pointers = sql(f"[{', '.join('{}' for _ in paths)}]", *(bind(pointer(path)) for path in paths))
    jsons = sql("CAST(json_extract({}, {}) AS VARCHAR[])", of, pointers)
    return Key(
        sql("list_any_value(json_extract_string({}, {}))", of, pointers),
        sql("list_any_value(list_filter({}, lambda one: one <> 'null'))", jsons),
    )


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
