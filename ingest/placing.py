"""Records get the identity that their metadata tells: asked once for all that have the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.decoding import WORD_COLUMNS, Columns
from ingest.exact_json import members_text
from ingest.places import Words, known
from ingest.placing_kernels import rows_alike
from ingest.request import Request
from ingest.rows import SEVERITY_CODES, words_by
from logstore.attributes import prepend
from logstore.record import SCHEMA

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
    first, which = rows_alike([part.indices for part in parts if _is_told_apart(part)], batch.num_rows)
    places, numbers = known(request.identity, list(zip(*(_values(part, first) for part in parts), strict=True)))
    told = places.tell(numbers, which)
    members = told.words("members")
    if groups:
        members = _joined(groups, members)

    arrays = dict(zip(SCHEMA.names, batch.columns, strict=True))
    arrays |= words_by(request, batch.num_rows, told.column)
    arrays["labels"] = told.column("labels")
    arrays["severity"] = _severities(batch.column("severity"), told.words("severity"))
    for name in ("trace_id", "span_id"):
        ids = told.words(name)
        if any(ids.words):
            arrays[name] = pc.coalesce(arrays[name], pa.array(ids.words).take(ids.codes))
    if any(members.words):
        sizes = np.array([len(member or "") for member in members.words], np.int64)
        request.limits.check_text(int(sizes[members.codes.to_numpy()].sum()))
        arrays["attributes"] = prepend(pa.array(members.words, pa.string()), members.codes, arrays["attributes"])
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _joined(groups: Groups, members: Words) -> Words:
    """The members of the records' groups before their own."""
    texts = [members_text(attributes) for attributes in groups.attributes]
    of_groups = pa.array(groups.codes, pa.int32())
    if len(members.words) == 1:
        return Words([_and(text, members.words[0]) for text in texts], of_groups)
    first, which = rows_alike([of_groups, members.codes], len(of_groups))
    pairs = zip(groups.codes[first].tolist(), members.codes.to_numpy()[first].tolist(), strict=True)
    return Words([_and(texts[group], members.words[own]) for group, own in pairs], pa.array(which))


def _and(first: str | None, second: str | None) -> str | None:
    return f"{first},{second}" if first and second else first or second


def _is_told_apart(column: pa.DictionaryArray) -> bool:
    return bool(len(column.dictionary) + (column.null_count > 0) > 1)


def indices(column: pa.DictionaryArray) -> "np.ndarray[Any, np.dtype[np.int32]]":
    """Places in the dictionary; of null the one after its end."""
    indices = column.indices.fill_null(len(column.dictionary)) if column.null_count else column.indices
    found: np.ndarray[Any, np.dtype[np.int32]] = indices.to_numpy()
    return found


def _values(column: pa.DictionaryArray, rows: Codes) -> list[str | None]:
    if not _is_told_apart(column):
        return [column[0].as_py()] * len(rows)
    words = np.full(len(column.dictionary) + 1, None)
    words[:-1] = column.dictionary.to_numpy(zero_copy_only=False)
    found: list[str | None] = words[indices(column)[rows]].tolist()
    return found


def _severities(column: pa.DictionaryArray, told: Words) -> pa.DictionaryArray:
    """The records' own, else what their metadata tells."""
    if not any(told.words):
        return column
    own = column.indices.to_numpy()
    of_word = np.array([SEVERITY_CODES[word or ""] for word in told.words], np.int32)
    codes = np.where(own == 0, of_word[told.codes.to_numpy()], own)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), column.dictionary)
