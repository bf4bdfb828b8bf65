"""Where documents come from, asked once for all whose fields say the same."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.rows import Rows, Source
from logstore.record import NODE_NAMESPACE

_STREAMS: Final = {3: "stderr", 6: "stdout"}
"""What Docker's driver tells by its two levels."""


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

    def of(self, told: Mapping[str, str | int | float], host: str, level: int) -> Origin:
        """`host` is the pod where the fields name neither pod nor container, else the label `node`."""
        stream = _STREAMS.get(level, "") if "container_id" in told else ""
        key = (host, stream, *told.items())
        found = self._known.get(key)
        if found is None:
            resolved = resolve(told, self._table)
            source = _source(resolved.source, host, stream)
            found = self._known[key] = Origin(self._rows.group(source), resolved.rest)
        return found


def _source(source: Source, host: str, stream: str) -> Source:
    if not (source.namespace or source.pod or source.container):
        return Source(source.cluster, pod=host, stream=source.stream, labels=source.labels)
    labels = {"node": host, **source.labels} if host else source.labels
    pod = source.pod or (host if source.namespace == NODE_NAMESPACE else "")
    return Source(source.cluster, source.namespace, pod, source.container, source.stream or stream, labels)
