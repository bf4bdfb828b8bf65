"""Where documents come from, asked once for all whose fields say the same."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ingest.identity import Resolved, resolve
from ingest.identity_table import Table
from ingest.rows import Rows, Source
from logstore.record import NODE_NAMESPACE

_STREAMS: Final = {3: "stderr", 6: "stdout"}
"""What Docker's driver tells by its two levels."""


Told = Mapping[str, str | int | float]
"""Fields that say where a document comes from."""


class Origin(NamedTuple):
    """A group of `Rows`, and what the fields say that tells nothing of it."""

    group: int
    rest: dict[str, Any]


class Origins:
    """Those of one request."""

    def __init__(self, table: Table, rows: Rows) -> None:
        self._table = table
        self._rows = rows
        self._known: dict[tuple[object, ...], Origin] = {}

    def of(self, told: Told, host: str, level: int) -> Origin:
        stream = stream_of(told, level)
        key = (host, stream, *told.items())
        found = self._known.get(key)
        if found is None:
            resolved = resolve_origin(told, host, stream, self._table)
            found = self._known[key] = Origin(self._rows.group(resolved.source), resolved.rest)
        return found


def stream_of(told: Told, level: int) -> str:
    """What the level of a document of Docker's driver tells."""
    return _STREAMS.get(level, "") if "container_id" in told else ""


def resolve_origin(told: Told, host: str, stream: str, table: Table) -> Resolved:
    """`host` is the pod where the fields name neither pod nor container, else the label `node`."""
    resolved = resolve(told, table)
    return Resolved(_source(resolved.source, host, stream), resolved.rest)


def _source(source: Source, host: str, stream: str) -> Source:
    if not (source.namespace or source.pod or source.container):
        return Source(source.cluster, pod=host, stream=source.stream, labels=source.labels)
    labels = {"node": host, **source.labels} if host else source.labels
    pod = source.pod or (host if source.namespace == NODE_NAMESPACE else "")
    return Source(source.cluster, source.namespace, pod, source.container, source.stream or stream, labels)
