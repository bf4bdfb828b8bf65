"""Messages in which an agent wrote its whole record as JSON, as Fluent Bit's, Fluentd's and Vector's outputs for Loki
do unless they are told otherwise: `{"log": "…", "stream": "stderr", "kubernetes": {"pod_name": "web-0", …}, …}`.

Such a line becomes what the same record is where records are sent as documents (`ingest.documents`): its identity,
message, stream, severity and attributes. What the entry itself says (time, labels, structured metadata) counts more. A
line is an agent's record if

- it has an object `kubernetes` that tells a pod or a container, and nothing else told the pod;
- or its sender is one that writes records (`are_records`), and it has such an object, or its members are a text (`log`,
  or `message` beside `logtag`, which is left out where a line is empty) and nothing but what the parsers of container
  files add.

Any other line stays as it is, to the byte.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest import documents
from ingest.decoding import WORD_COLUMNS, Envelope, Part
from ingest.lines_kernels import Mask, rows_holding
from ingest.order import in_order
from ingest.placing import indices
from ingest.request import Request
from ingest.rows import INGEST_ERROR, dictionary
from logstore.attributes import prepend
from logstore.record import SCHEMA

_KUBERNETES: Final = ('"kubernetes":{', '"kubernetes": {')
_LOG: Final = ('"log":"', '"log": "', '"logtag":"', '"logtag": "')
_BEGINNINGS: Final = ('"kubernetes"', '"log')
"""What the former begin with, and the latter; most batches hold none of it, and are looked through less often."""
_CHANGED: Final = (f'"{INGEST_ERROR}":', '"_escape":')
"""What attributes tell of a message that is not as its sender wrote it."""
_OF_FILES: Final = frozenset({"stream", "time", "_p", "logtag", "attrs"})
_SHAPE: Final = documents.Shape((), Envelope.of({"event": Part.RECORD, "time": Part.TIME}))
_AROUND_MAX_BYTES: Final = 64

_Choose = Callable[[str | None, str | None], str | None]


def opened(batch: pa.RecordBatch, request: Request, *, are_records: bool) -> pa.RecordBatch:
    """The records, with what agents wrote into their lines; the same batch where no line is an agent's record."""
    if not rows_holding(batch.column("message"), _BEGINNINGS if are_records else _BEGINNINGS[:1]).any():
        return batch
    rows = np.flatnonzero(_perhaps(batch, (*_KUBERNETES, *_LOG) if are_records else _KUBERNETES))
    if not len(rows):
        return batch
    own = batch.take(pa.array(rows))
    told = _read(own, request)
    if told is None:
        return batch
    chosen = np.flatnonzero(_is_agents(own, told, are_records=are_records))
    if not len(chosen):
        return batch
    merged = _merged(own.take(pa.array(chosen)), told.take(pa.array(chosen)), request)
    places = rows[chosen]
    others = np.setdiff1d(np.arange(batch.num_rows), places)
    return in_order([batch.take(pa.array(others)), merged], [*others.tolist(), *places.tolist()])


def _perhaps(batch: pa.RecordBatch, literals: tuple[str, ...]) -> Mask:
    """Which lines are worth reading."""
    messages = batch.column("message")
    looks = rows_holding(messages, literals)
    if not looks.any():
        return looks
    is_whole = pc.and_(pc.starts_with(messages, "{"), pc.ends_with(messages, "}")).to_numpy(zero_copy_only=False)
    is_one_line = ~rows_holding(messages, ("\n",))
    found: Mask = looks & is_whole & is_one_line & ~rows_holding(batch.column("attributes"), _CHANGED)
    return found


def _read(own: pa.RecordBatch, request: Request) -> pa.RecordBatch | None:
    """The lines as documents, each with its entry's time; None if they are too large."""
    times, messages = own.column("time").view(pa.int64()).to_pylist(), own.column("message").to_pylist()
    pairs = zip(times, messages, strict=True)
    lines = b"\n".join(b'{"time":"%d","event":%b}' % (time_ns, text.encode()) for time_ns, text in pairs)
    columns = documents.decode(lines, _wide(request), shape=_SHAPE)
    return columns.batch if columns.batch.num_rows == own.num_rows else None


def _wide(request: Request) -> Request:
    limits = request.limits
    return replace(request, limits=replace(limits, max_line_bytes=limits.max_line_bytes + _AROUND_MAX_BYTES))


def _is_agents(own: pa.RecordBatch, told: pa.RecordBatch, *, are_records: bool) -> Mask:
    """Which of the documents are records of agents."""
    is_read = ~rows_holding(told.column("attributes"), _CHANGED[:1])
    has_place = _has(told.column("pod")) | _has(told.column("container"))
    if not are_records:
        return is_read & has_place & ~_has(own.column("pod"))
    is_kubernetes = rows_holding(own.column("message"), _KUBERNETES)
    of_file = np.zeros(own.num_rows, np.bool_)
    others = np.flatnonzero(~is_kubernetes)
    of_file[others] = [_is_of_file(text) for text in own.column("message").take(pa.array(others)).to_pylist()]
    found: Mask = is_read & ((is_kubernetes & has_place) | of_file)
    return found


def _has(words: pa.DictionaryArray) -> Mask:
    told = np.array([bool(word) for word in words.dictionary.to_pylist()] or [False])
    found: Mask = told[words.indices.to_numpy()]
    return found


def _is_of_file(text: str) -> bool:
    try:
        members = orjson.loads(text)
    except ValueError:
        return False
    if "logtag" in members and members.keys() <= _OF_FILES:
        return True
    name = "message" if "logtag" in members and "message" in members else "log"
    return isinstance(members.get(name), str) and members.keys() <= {name, *_OF_FILES}


def _merged(own: pa.RecordBatch, told: pa.RecordBatch, request: Request) -> pa.RecordBatch:
    """What the lines tell, under what their entries say."""
    defaults = {"cluster": request.default_cluster, "namespace": request.default_namespace}
    columns = {name: told.column(name) for name in SCHEMA.names}
    for name in WORD_COLUMNS:
        columns[name] = _chosen(own, told, name, _unless(("", defaults.get(name))))
    columns["severity"] = _chosen(own, told, "severity", _unless(("",)))
    columns["labels"] = _chosen(own, told, "labels", _labels)
    for name in ("trace_id", "span_id"):
        columns[name] = pc.coalesce(own.column(name), told.column(name))
    columns["attributes"] = _attributes(own.column("attributes"), told.column("attributes"))
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _unless(untold: tuple[str | None, ...]) -> _Choose:
    """The entry's own word, or else the line's."""
    return lambda mine, its: its if mine in untold else mine


def _chosen(own: pa.RecordBatch, told: pa.RecordBatch, name: str, choose: _Choose) -> pa.DictionaryArray:
    """One of two words for each row; asked once for all that have the same."""
    mine, its = own.column(name), told.column(name)
    of_mine, of_its = [*mine.dictionary.to_pylist(), None], [*its.dictionary.to_pylist(), None]
    codes = indices(mine).astype(np.int64) * len(of_its) + indices(its)
    distinct, which = np.unique(codes, return_inverse=True)
    pairs = [divmod(int(code), len(of_its)) for code in distinct]
    return dictionary([choose(of_mine[first], of_its[second]) for first, second in pairs], which)


def _labels(mine: str | None, its: str | None) -> str | None:
    if not mine or not its:
        return mine or its
    return json.dumps(
        {**json.loads(its), **json.loads(mine)}, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )


def _attributes(own: pa.StringArray, told: pa.StringArray) -> pa.StringArray:
    if own.null_count == len(own):
        return told
    members = own.dictionary_encode()
    texts = [*(text[1:-1] for text in members.dictionary.to_pylist()), None]
    return prepend(pa.array(texts, pa.string()), members.indices.fill_null(len(texts) - 1), told)
