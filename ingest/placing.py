"""Records get the identity that their metadata tells: asked once for all that have the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.decoding import WORD_COLUMNS, Columns
from ingest.exact_json import members_text
from ingest.places import tell
from ingest.request import Request
from ingest.rows import SEVERITY_CODES, words_by
from logstore.attributes import prepend
from logstore.record import SCHEMA
from logstore.word_column import codes_or

Codes = np.ndarray[Any, np.dtype[np.integer[Any]]]


@dataclass(frozen=True, slots=True)
class Groups:
    """Attributes that the records of a request have in groups; `codes` says of each record which are its own."""

    codes: Codes
    attributes: Sequence[Mapping[str, Any]]


def place(columns: Columns, request: Request, groups: Groups | None = None) -> pa.RecordBatch:
    """The records with what their metadata says: identity, labels, severity, trace; the rest of it, and what `groups`
    say, joins the attributes. What the request's head says counts most, the defaults least."""
    batch = columns.batch
    if not batch.num_rows:
        return batch
    parts = [columns.metadata, batch.column("labels"), *(batch.column(name) for name in WORD_COLUMNS)]
    told = tell(request.identity, parts, (request.default_cluster, request.default_namespace))

    arrays = dict(zip(SCHEMA.names, batch.columns, strict=True))
    arrays |= words_by(request, batch.num_rows, lambda name, _default: told[name])
    arrays["labels"] = told["labels"] if len(told["labels"]) else pa.nulls(batch.num_rows, SCHEMA.field("labels").type)
    if len(told["severity"]):
        arrays["severity"] = _severities(batch.column("severity"), told["severity"])
    for name in ("trace_id", "span_id"):
        if len(ids := told[name]):
            arrays[name] = pc.coalesce(arrays[name], ids.dictionary_decode())
    for members in (told["members"], *([_of_groups(groups)] if groups else [])):
        if len(members):
            arrays["attributes"] = _joined(members, arrays["attributes"], request)
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _of_groups(groups: Groups) -> pa.DictionaryArray:
    texts = pa.array([members_text(attributes) for attributes in groups.attributes], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(groups.codes, pa.int32()), texts)


def _joined(members: pa.DictionaryArray, attributes: pa.StringArray, request: Request) -> pa.StringArray:
    """The attributes after these members. Raises TooLarge."""
    codes, texts = members.indices, members.dictionary.to_pylist()
    if codes.null_count:
        codes, texts = codes.fill_null(len(texts)), [*texts, None]
    sizes = [len(text or "") for text in texts]
    if max(sizes) * len(codes) > request.limits.max_text_bytes:
        request.limits.check_text(int(np.array(sizes, np.int64)[codes.to_numpy()].sum()))
    return prepend(pa.array(texts, pa.string()), codes, attributes)


def indices(column: pa.DictionaryArray) -> "np.ndarray[Any, np.dtype[np.int32]]":
    """Places in the dictionary; of null the one after its end."""
    return codes_or(column, len(column.dictionary))


def _severities(column: pa.DictionaryArray, told: pa.DictionaryArray) -> pa.DictionaryArray:
    """The records' own, else what their metadata tells."""
    own, of_word = column.indices.to_numpy(), [*told.dictionary.to_pylist(), ""]
    codes = np.array([SEVERITY_CODES[word] for word in of_word], np.int32)[indices(told)]
    return pa.DictionaryArray.from_arrays(pa.array(np.where(own == 0, codes, own), pa.int32()), column.dictionary)
