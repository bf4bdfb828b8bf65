"""Structured metadata that is an agent's `kubernetes` object taken apart, as Fluent Bit sends it when it is told
`structured_metadata_map_keys $kubernetes`. `pod_name`, `namespace_name` and the like are known by their names alone,
but `host`, `docker_id` and `labels` (JSON text) may be anything: beside a pod's name and a `docker_id`, which no one
else writes, they are the pod's.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.json_body import read_json
from ingest.json_text import to_json
from ingest.lines_kernels import rows_holding
from ingest.placing import indices
from ingest.rows import dictionary
from logstore.errors import InvalidInput

_SIGN: Final = ('"docker_id":"',)
_MEMBERS: Final = ("host", "docker_id", "labels")


def put_together(batch: pa.RecordBatch, table: Table) -> pa.RecordBatch:
    """The records, with labels for what such metadata says of their pods."""
    pods = np.array([bool(word) for word in batch.column("pod").dictionary.to_pylist()] or [False])
    is_taken = rows_holding(batch.column("attributes"), _SIGN) & pods[batch.column("pod").indices.to_numpy()]
    if not is_taken.any():
        return batch
    attributes = batch.column("attributes").dictionary_encode()
    told = [_told(text, table) if any(sign in text for sign in _SIGN) else ({}, text) for text in _texts(attributes)]
    of_text = np.where(is_taken, attributes.indices.fill_null(0).to_numpy(), len(told)).astype(np.int64)
    rest = pa.array([text for _, text in told] + [None], pa.string()).take(pa.array(of_text))
    columns = {
        "labels": _labelled(batch.column("labels"), of_text, [*(labels for labels, _ in told), {}]),
        "attributes": pc.if_else(pa.array(is_taken), rest, batch.column("attributes")),
    }
    arrays = [columns.get(name, batch.column(name)) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _texts(attributes: pa.DictionaryArray) -> list[str]:
    texts: list[str] = attributes.dictionary.to_pylist()
    return texts


def _told(text: str, table: Table) -> tuple[dict[str, str], str | None]:
    """What the metadata says of the pod, and the rest of it."""
    metadata: dict[str, Any] = read_json(text.encode())
    kubernetes = {name: metadata[name] for name in _MEMBERS if isinstance(metadata.get(name), str)}
    if "docker_id" not in kubernetes:
        return {}, text
    if "labels" in kubernetes:
        kubernetes["labels"] = _object(kubernetes["labels"])
    found = resolve({"kubernetes": kubernetes}, table)
    rest = {name: value for name, value in metadata.items() if name not in kubernetes or not kubernetes[name]}
    return dict(found.source.labels), to_json(rest) if rest else None


def _object(text: str) -> dict[str, Any]:
    try:
        found = read_json(text.encode())
    except InvalidInput:
        return {}
    return found if isinstance(found, dict) else {}


def _labelled(labels: pa.DictionaryArray, of_text: Any, told: list[dict[str, str]]) -> pa.DictionaryArray:
    """The labels and, under them, those that are told."""
    own = [*labels.dictionary.to_pylist(), None]
    codes = indices(labels).astype(np.int64) * len(told) + of_text
    distinct, which = np.unique(codes, return_inverse=True)
    pairs = [divmod(int(code), len(told)) for code in distinct]
    return dictionary([_merged(own[mine], told[its]) for mine, its in pairs], which)


def _merged(own: str | None, told: dict[str, str]) -> str | None:
    if not told:
        return own
    labels = {**told, **(read_json(own.encode()) if own else {})}
    return to_json(dict(sorted(labels.items())))
