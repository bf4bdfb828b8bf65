"""Where OTLP's records come from: their resource, and the attributes of a record that say it of themselves.

Attributes of a resource that are identity become it, all others are labels. Of a record's attributes only those are
looked at that collectors write: `log.iostream`, `log.file.path`, `k8s.*`, Fluent Bit's `kubernetes`, and a `stream`
that is `stdout` or `stderr`; an application may use any other name for something else.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from ingest.entries import lifted_names
from ingest.groups import of_labels, over
from ingest.identity import Resolved
from ingest.identity_table import Table, normal
from ingest.json_body import read_json

STREAMS: Final = ("stdout", "stderr")
_OF_COLLECTORS: Final = ("k8s_", "kubernetes_")
_OF_FILES: Final = ("log.iostream", "log.file.path")
_OF_AGENTS: Final = ("kubernetes",)
_CACHED: Final = 1024
_TABLES: Final = 4
_CACHED_MAX_CHARACTERS: Final = 8192


@lru_cache(_TABLES)
def lifted(table: Table) -> bytes:
    """Names of a record's attributes that say where it comes from."""
    of_collectors = (path for path in table.targets if path.startswith(_OF_COLLECTORS))
    return lifted_names([*_OF_FILES, *_OF_AGENTS, *of_collectors], _of_streams(table))


def is_lifted(name: str, value: object, table: Table) -> bool:
    """The same of one attribute."""
    if not isinstance(value, str | dict):
        return False
    always, of_streams = _lifted(table)
    return normal(name) in always or (value in STREAMS and normal(name) in of_streams)


@lru_cache(_TABLES)
def _lifted(table: Table) -> tuple[frozenset[str], frozenset[str]]:
    always, _, of_streams = lifted(table).decode().partition("\n\n")
    return frozenset(always.splitlines()), frozenset(of_streams.splitlines())


def _of_streams(table: Table) -> Iterator[str]:
    return (path for path, (target, _) in table.targets.items() if target == "stream")


def resolve_group(resource: str, attributes: str, table: Table) -> Resolved:
    """Of a resource's attributes and of what was lifted out of a record's, both JSON objects; the second may be ''."""
    is_short = len(resource) + len(attributes) <= _CACHED_MAX_CHARACTERS
    return (_of_both if is_short else _of_both.__wrapped__)(resource, attributes, table)


@lru_cache(_CACHED)
def _of_both(resource: str, attributes: str, table: Table) -> Resolved:
    base = (_of_resource if len(resource) <= _CACHED_MAX_CHARACTERS else _of_resource.__wrapped__)(resource, table)
    return over(base, attributes, table)


@lru_cache(_CACHED)
def _of_resource(text: str, table: Table) -> Resolved:
    return of_labels(read_json(text.encode()), table)
