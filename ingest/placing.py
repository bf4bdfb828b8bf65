"""Records get the identity that their metadata tells: asked once for all that have the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.decoding import WORD_COLUMNS, Columns
from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.request import Request
from ingest.rows import Source, dictionary, within_limits, words_of
from logstore.attributes import prepend
from logstore.record import SCHEMA, SEVERITIES

Codes = np.ndarray[Any, np.dtype[np.integer[Any]]]

_MEMO_TEXT_MAX: Final = 8 << 10
_MEMO_ENTRIES: Final = 2048
_COMBINED_MAX: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Groups:
    """Attributes that the records of a request have in groups; `codes` says of each record which are its own."""

    codes: Codes
    attributes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Placed:
    """What records with the same metadata have in common; `members` is JSON text, without its braces."""

    source: Source
    labels: str | None
    severity: str
    trace_id: str | None
    span_id: str | None
    members: str | None


class Number(str):
    """A number of JSON as it was written."""

    __slots__ = ()


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
    rows = zip(*(_values(part, first) for part in parts), strict=True)
    placed = [_place(request.identity, row[0] or "", row[1] or "", row[2:]) for row in rows]
    members = [one.members for one in placed]
    if groups:
        texts = [members_text(attributes) for attributes in groups.attributes]
        members = [_joined(texts[code], own) for code, own in zip(groups.codes[first].tolist(), members, strict=True)]
    return _rebuilt(batch, placed, members, which, request)


def _rebuilt(
    batch: pa.RecordBatch, placed: Sequence[Placed], members: Sequence[str | None], which: Codes, request: Request
) -> pa.RecordBatch:
    """The records with what `which` says of each is its own."""
    arrays = dict(zip(SCHEMA.names, batch.columns, strict=True))
    arrays |= words_of([one.source for one in placed], which, request)
    arrays["labels"] = dictionary([one.labels for one in placed], which)
    arrays["severity"] = _severities(batch.column("severity"), [one.severity for one in placed], which)
    for name in ("trace_id", "span_id"):
        ids = list(map(attrgetter(name), placed))
        if any(ids):
            arrays[name] = pc.coalesce(arrays[name], pa.array(ids).take(which))
    if any(members):
        sizes = np.array([len(member or "") for member in members], np.int64)
        request.limits.check_text(int(sizes[which].sum()))
        arrays["attributes"] = prepend(pa.array(members, pa.string()), pa.array(which), arrays["attributes"])
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def members_text(attributes: Mapping[str, Any]) -> str | None:
    """The JSON text of an object, without its braces; None of an empty one. Numbers stay as they were written."""
    return _json(attributes)[1:-1] or None


def _codes(column: pa.DictionaryArray) -> Codes:
    """A number for each row, equal for equal values; empty where there is nothing to tell apart."""
    if len(column.dictionary) + (column.null_count > 0) <= 1:
        return np.empty(0, np.int64)
    return indices(column).astype(np.int64)


def indices(column: pa.DictionaryArray) -> "np.ndarray[Any, np.dtype[np.int32]]":
    """Places in the dictionary; of null the one after its end."""
    indices = column.indices.fill_null(len(column.dictionary)) if column.null_count else column.indices
    found: np.ndarray[Any, np.dtype[np.int32]] = indices.to_numpy()
    return found


def _values(column: pa.DictionaryArray, rows: Codes) -> list[str | None]:
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


def _place(table: Table, metadata: str, labels: str, words: tuple[str, ...]) -> Placed:
    is_short = len(metadata) + len(labels) + sum(map(len, filter(None, words))) <= _MEMO_TEXT_MAX
    return (_remembered if is_short else _placed)(table, metadata, labels, words)


def _joined(first: str | None, second: str | None) -> str | None:
    return f"{first},{second}" if first and second else first or second


def _placed(table: Table, metadata: str, labels: str, words: tuple[str, ...]) -> Placed:
    told = {name: word for name, word in zip(WORD_COLUMNS, words, strict=True) if word}
    found = {**(json.loads(metadata, parse_int=Number, parse_float=Number) if metadata else {}), **told}
    resolved = resolve(found, table)
    source = resolved.source
    pushed = json.loads(labels, parse_int=Number, parse_float=Number) if labels else {}
    all_labels = {**{name: str(text) for name, text in source.labels.items()}, **pushed}
    source = within_limits(replace(source, labels=all_labels))
    return Placed(
        source,
        _json(source.labels, is_sorted=True) if source.labels else None,
        resolved.severity,
        resolved.trace_id,
        resolved.span_id,
        members_text(resolved.rest),
    )


_remembered: Final = lru_cache(maxsize=_MEMO_ENTRIES)(_placed)


def _severities(column: pa.DictionaryArray, told: Sequence[str], which: Codes) -> pa.DictionaryArray:
    """The records' own, else what their metadata tells."""
    if not any(told):
        return column
    words = ("", *SEVERITIES)
    own = column.indices.to_numpy()
    codes = np.where(own == 0, np.array([words.index(word) for word in told], np.int32)[which], own)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), column.dictionary)


def _json(value: Any, *, is_sorted: bool = False) -> str:
    """JSON text in which numbers stand as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        members = sorted(value.items()) if is_sorted else value.items()
        return "{" + ",".join(f"{_text(key)}:{_json(member, is_sorted=is_sorted)}" for key, member in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(member, is_sorted=is_sorted) for member in value) + "]"
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
