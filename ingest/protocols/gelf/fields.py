"""The fields of a document, told apart by their names: a document's own, those that say where it comes from, others."""

from enum import Enum
from typing import Any, Final, NamedTuple

from ingest.identity_table import Table, normal
from ingest.protocols.gelf.document import Document

_OWN: Final = frozenset(("version", "host", "short_message", "full_message", "message", "timestamp", "level"))


class _Role(Enum):
    OWN = 0
    ATTRIBUTE = 1
    ORIGIN = 2
    """Says where the document comes from, if it is a text or a number."""
    TRACE = 3
    SPAN = 4
    BARE = 5
    """An attribute without the underscore that it should have."""


_ATTRIBUTE: Final = _Role.ATTRIBUTE
_OWN_MEMBER: Final = _Role.OWN


class Sorted(NamedTuple):
    """Names are without their underscores."""

    attributes: dict[str, Any]
    told: dict[str, str | int | float]
    """What says where the document comes from."""
    trace_id: str | None
    span_id: str | None


class Fields:
    """Sorts the fields of the documents of one request; each name is looked at once."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._roles: dict[str, tuple[_Role, str]] = {}

    def sort(self, document: Document) -> Sorted:
        attributes: dict[str, Any] = {}
        told: dict[str, str | int | float] = {}
        bare: dict[str, Any] = {}
        trace_id = span_id = None
        roles = self._roles
        for key, value in document.items():
            role, name = roles.get(key) or self._learn(key)
            if role is _ATTRIBUTE:
                attributes[name] = value
            elif role is _OWN_MEMBER:
                continue
            elif role is _Role.ORIGIN and isinstance(value, str | int | float):
                told[name] = value
            elif role is _Role.TRACE and isinstance(value, str) and value:
                trace_id = value
            elif role is _Role.SPAN and isinstance(value, str) and value:
                span_id = value
            elif role is _Role.BARE:
                bare[name] = value
            else:
                attributes[name] = value
        for name, value in bare.items():
            attributes[f"gelf.{name}" if name in attributes or name in told else name] = value
        return Sorted(attributes, told, trace_id, span_id)

    def _learn(self, key: str) -> tuple[_Role, str]:
        is_bare = key[:1] != "_" or key == "_"
        found = (_Role.OWN, key) if key in _OWN else self._role(key if is_bare else key[1:])
        if is_bare and found[0] is _Role.ATTRIBUTE:
            found = (_Role.BARE, key)
        self._roles[key] = found
        return found

    def _role(self, name: str) -> tuple[_Role, str]:
        path = normal(name)
        target = self._table.targets.get(path, ("",))[0]
        if path in self._table.ambiguous or target == "severity":
            return _Role.ATTRIBUTE, name
        if target == "trace_id":
            return _Role.TRACE, name
        if target == "span_id":
            return _Role.SPAN, name
        if target or path in self._table.patterns or path.startswith(self._table.pod_labels):
            return _Role.ORIGIN, name
        return _Role.ATTRIBUTE, name
