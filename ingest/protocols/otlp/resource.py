"""Where OTLP's records come from: their resource, and the attributes of a record that say it of themselves.

Attributes of a resource that are identity become it, all others are labels. Of a record's attributes only those are
looked at that collectors write: `log.iostream`, `log.file.path`, `k8s.*`, and Fluent Bit's `kubernetes`; an application
may use any other name for something else.
"""

from functools import lru_cache
from typing import Final

from ingest.entries import lifted_names
from ingest.groups import of_labels, over
from ingest.identity import Resolved
from ingest.identity_table import Table
from ingest.json_body import read_json

_OF_COLLECTORS: Final = ("k8s_", "kubernetes_")
_OF_FILES: Final = ("log.iostream", "log.file.path")
_OF_AGENTS: Final = ("kubernetes",)
_CACHED: Final = 1024
_TABLES: Final = 4
_CACHED_MAX_CHARACTERS: Final = 8192


@lru_cache(_TABLES)
def lifted(table: Table) -> bytes:
    """Names of a record's attributes that say where it comes from."""
    return lifted_names([*_OF_FILES, *_OF_AGENTS, *(path for path in table.targets if path.startswith(_OF_COLLECTORS))])


def resolve_group(resource: str, attributes: str, table: Table) -> Resolved:
    """Of a resource's attributes and of what was lifted out of a record's, both JSON objects; the second may be ''."""
    base = (_of_resource if len(resource) <= _CACHED_MAX_CHARACTERS else _of_resource.__wrapped__)(resource, table)
    return over(base, attributes, table)


@lru_cache(_CACHED)
def _of_resource(text: str, table: Table) -> Resolved:
    return of_labels(read_json(text.encode()), table)
