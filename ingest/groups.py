"""Where the entries of a stream or a resource come from: what its labels say, and over them what an entry itself does.

Labels that are identity become it, all others stay labels, so that the stream can be told again on reading.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ingest.identity import Resolved, resolve
from ingest.identity_table import Table
from ingest.json_body import read_json
from ingest.json_text import to_json
from ingest.rows import Source

_CACHED: Final = 1024
_CACHED_MAX_CHARACTERS: Final = 4096


def of_labels(labels: Mapping[str, Any], table: Table) -> Resolved:
    """What labels or a resource's attributes say; nothing is left over."""
    found = resolve(labels, table)
    rest = {name: _text(value) for name, value in found.rest.items()}
    source = _over(found.source, Source(labels=rest))
    return Resolved(source, {}, found.severity, found.trace_id, found.span_id)


def over(base: Resolved, lifted: str, table: Table) -> Resolved:
    """What an entry says of itself, a JSON object or nothing, wins over what its stream does; what tells nothing about
    where it comes from is left over."""
    if not lifted:
        return base
    found = (_of_json if len(lifted) <= _CACHED_MAX_CHARACTERS else _of_json.__wrapped__)(lifted, table)
    return Resolved(
        _over(found.source, base.source),
        found.rest,
        found.severity or base.severity,
        found.trace_id or base.trace_id,
        found.span_id or base.span_id,
    )


@lru_cache(_CACHED)
def _of_json(text: str, table: Table) -> Resolved:
    return resolve(read_json(text.encode("utf-8", "replace")), table)


def _over(first: Source, second: Source) -> Source:
    return Source(
        first.cluster or second.cluster,
        first.namespace or second.namespace,
        first.pod or second.pod,
        first.container or second.container,
        first.stream or second.stream,
        {**second.labels, **first.labels} if first.labels else second.labels,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json({"": value})[4:-1]
