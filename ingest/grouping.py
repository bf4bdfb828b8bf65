"""Which of a record's members tell where it comes from, and which are its own; the former are resolved once for all
records of a request that say the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from ingest.identity import resolve
from ingest.identity_table import RECORD, Table, normal
from ingest.rows import Rows
from ingest.severity import severity_of

_REMEMBERED_MAX: Final = 10_000
_SOURCE: Final = "source"
_OWN: Final = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record belongs, and what else was said of it."""

    group: int
    attributes: dict[str, Any]
    severity: str = ""
    trace_id: str | None = None
    span_id: str | None = None


class Groups:
    """The groups of one request's rows."""

    def __init__(self, rows: Rows, table: Table) -> None:
        self._rows = rows
        self._table = table
        self._known: dict[bytes, tuple[int, dict[str, Any]]] = {}

    def place(self, told: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Place:
        """Of what an agent says of a record, and of the record's own members, in which words that an application uses
        as well (`host`, `source`, …) are its own. Of equal names the record's own counts."""
        source: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        record: dict[str, tuple[int, str, Any]] = {}
        for members, kind_of in ((told, _kind_told), (own, _kind_own)):
            for name, value in members.items() if members else ():
                kind, rank = kind_of(self._table, name, isinstance(value, dict))
                if kind == _SOURCE:
                    source[name] = value
                elif kind and _says(kind, value) and rank < record.get(kind, (rank + 1,))[0]:
                    _let_go(record.get(kind), attributes)
                    record[kind] = (rank, name, value)
                else:
                    attributes[name] = value
        group, rest = self._group(source)
        words = {kind: str(value) for kind, (_, _, value) in record.items()}
        return Place(
            group,
            {**rest, **attributes} if rest else attributes,
            severity_of(words.get("severity", "")),
            words.get("trace_id"),
            words.get("span_id"),
        )

    def _group(self, source: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key = _key(source)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED_MAX:
                self._known.clear()
            resolved = resolve(source, self._table)
            known = self._known[key] = (self._rows.group(resolved.source), resolved.rest)
        return known


def _key(source: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(source)
    except TypeError:
        return repr(source).encode("utf-8", "surrogatepass")


def _says(kind: str, value: Any) -> bool:
    """Whether the value can be what its name promises."""
    if kind == "severity":
        return isinstance(value, str | int) and not isinstance(value, bool) and severity_of(str(value)) != ""
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _let_go(former: tuple[int, str, Any] | None, attributes: dict[str, Any]) -> None:
    if former is not None:
        attributes[former[1]] = former[2]


@lru_cache(1 << 16)
def _kind_told(table: Table, name: str, is_object: bool) -> tuple[str, int]:
    """What a member of this name tells, and the place of the name among those that tell the same."""
    path = normal(name)
    if any(f"{path}_".startswith(f"{prefix}_") for prefix in table.pod_labels):
        return _SOURCE, 0
    if is_object:
        is_within = any(known.startswith(f"{path}_") for known in (*table.targets, *table.pod_labels))
        return (_SOURCE if is_within and name not in table.varying else _OWN), 0
    target, rank = table.targets.get(path, ("", 0))
    if target in RECORD:
        return target, rank
    return (_SOURCE if target or path in table.patterns else _OWN), rank


@lru_cache(1 << 16)
def _kind_own(table: Table, name: str, is_object: bool) -> tuple[str, int]:
    return (_OWN, 0) if normal(name) in table.ambiguous else _kind_told(table, name, is_object)
