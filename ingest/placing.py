"""Records get the identity that their metadata tells: asked once for all that have the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.decoding import WORD_COLUMNS, Columns
from ingest.exact_json import members_text
from ingest.places import Words, known
from ingest.request import Request
from ingest.rows import SEVERITY_CODES, dictionary, words_by
from logstore.attributes import prepend
from logstore.record import SCHEMA

Codes = np.ndarray[Any, np.dtype[np.integer[Any]]]

_COMBINED_MAX: Final = 1 << 62


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
    combined = _combined([*map(_codes, parts), *([groups.codes] if groups and len(groups.attributes) > 1 else [])])
    _, first, which = np.unique(combined, return_index=True, return_inverse=True)
    which = which.astype(np.int32) if len(combined) == batch.num_rows else np.zeros(batch.num_rows, np.int32)
    places, numbers = known(request.identity, list(zip(*(_values(part, first) for part in parts), strict=True)))
    members = places.words("members", numbers)
    if groups:
        members = _joined(members, groups, first)

    arrays = dict(zip(SCHEMA.names, batch.columns, strict=True))
    arrays |= words_by(
        request, batch.num_rows, lambda name, default: _column(places.words(name, numbers), which, default)
    )
    arrays["labels"] = _column(places.words("labels", numbers), which)
    arrays["severity"] = _severities(batch.column("severity"), places.words("severity", numbers), which)
    for name in ("trace_id", "span_id"):
        ids = places.words(name, numbers)
        if any(ids.words):
            arrays[name] = pc.coalesce(arrays[name], pa.array(ids.words).take(ids.codes[which]))
    if any(members.words):
        codes = members.codes[which]
        sizes = np.array([len(member or "") for member in members.words], np.int64)
        request.limits.check_text(int(sizes[codes].sum()))
        arrays["attributes"] = prepend(pa.array(members.words, pa.string()), pa.array(codes), arrays["attributes"])
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _column(words: Words, which: Codes, default: str = "") -> pa.DictionaryArray:
    texts = [word or default for word in words.words] if default else words.words
    return dictionary(texts, words.codes[which])


def _joined(members: Words, groups: Groups, first: Codes) -> Words:
    """The members of the records' groups before those of their places."""
    texts = [members_text(attributes) for attributes in groups.attributes]
    both = groups.codes[first] * len(members.words) + members.codes
    pairs, codes = np.unique(both, return_inverse=True)
    words = [
        _and(texts[pair // len(members.words)], members.words[pair % len(members.words)]) for pair in pairs.tolist()
    ]
    return Words(words, codes.astype(np.int32))


def _and(first: str | None, second: str | None) -> str | None:
    return f"{first},{second}" if first and second else first or second


def _codes(column: pa.DictionaryArray) -> Codes:
    """A number for each row, equal for equal values; empty where there is nothing to tell apart."""
    return indices(column).astype(np.int64) if _is_told_apart(column) else np.empty(0, np.int64)


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


def _combined(columns: Sequence[Codes]) -> Codes:
    """One number for each row, equal where all the columns' are."""
    columns = [codes for codes in columns if len(codes)]
    if not columns:
        return np.zeros(1, np.int64)
    combined, size = columns[0], int(columns[0].max()) + 1
    for codes in columns[1:]:
        width = int(codes.max()) + 1
        if size * width > _COMBINED_MAX:
            distinct, combined = np.unique(combined, return_inverse=True)
            size = len(distinct)
        combined = combined * width + codes
        size *= width
    return combined


def _severities(column: pa.DictionaryArray, told: Words, which: Codes) -> pa.DictionaryArray:
    """The records' own, else what their metadata tells."""
    if not any(told.words):
        return column
    own = column.indices.to_numpy()
    codes = np.where(
        own == 0, np.array([SEVERITY_CODES[word or ""] for word in told.words], np.int32)[told.codes][which], own
    )
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), column.dictionary)
