"""What a Loki stream's labels and an entry's structured metadata say, however they were written.

Metadata that is identity wins over the labels; severity, trace and span ids are lifted out; the rest are attributes.
Labels that cannot be read stay whole, as the label `_labels`.
"""

from functools import cache, lru_cache
from typing import Final

from ingest.entries import lifted_names
from ingest.groups import of_labels, over
from ingest.identity import Resolved
from ingest.identity_table import default_table
from ingest.json_body import read_json
from ingest.protocols.loki.labels import parse_labels
from ingest.rows import INGEST_ERROR, Source
from logstore.errors import InvalidInput

TRACE_IDS: Final = frozenset({"traceid", "trace_id"})
SPAN_IDS: Final = frozenset({"spanid", "span_id"})
"""Names of metadata that have ids, in lower case."""
_CACHED: Final = 1024
_CACHED_MAX_CHARACTERS: Final = 4096


@cache
def lifted() -> bytes:
    """Names of metadata that say where an entry comes from, or how severe it is."""
    table = default_table()
    return lifted_names(
        path
        for path, (target, _) in table.targets.items()
        if path not in table.ambiguous and not target.endswith("_id")
    )


def resolve_group(labels: str, metadata: str) -> Resolved:
    """Of labels as `{name="value"}` and of what was lifted out of metadata, as JSON."""
    return over((_of_text if len(labels) <= _CACHED_MAX_CHARACTERS else _of_text.__wrapped__)(labels), metadata)


def resolve_json_group(labels: str, metadata: str) -> Resolved:
    """Likewise, of labels as a JSON object."""
    return over((_of_json if len(labels) <= _CACHED_MAX_CHARACTERS else _of_json.__wrapped__)(labels), metadata)


@lru_cache(_CACHED)
def _of_json(text: str) -> Resolved:
    return of_labels(read_json(text.encode()))


@lru_cache(_CACHED)
def _of_text(text: str) -> Resolved:
    try:
        return of_labels(parse_labels(text)) if text else Resolved(Source(), {}, "", None, None)
    except InvalidInput as error:
        return Resolved(Source(labels={INGEST_ERROR: str(error), "_labels": text}), {}, "", None, None)
