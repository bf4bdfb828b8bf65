"""What rules do to the records they match."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest.json_text import to_json
from ingest.lines_kernels import Mask
from ingest.rules_mask import AnyMasker, changed_rows, masked_attributes, masked_messages
from ingest.rules_texts import lasting_hashes, parse_access
from ingest.rules_view import View
from logstore.record import SCHEMA

_TOP: Final = float(1 << 64)


@dataclass(frozen=True, slots=True)
class State:
    """A batch between two rules. Records that are dropped leave it at the end, all at once."""

    view: View
    is_dropped: Mask
    is_kept: Mask
    """Records that no later rule drops."""
    changed: int = field(default=0)
    """Records that the last action changed."""


Action = Callable[[State, Mask], State]
"""What becomes of a batch; the mask says which of its records are meant, none of them dropped yet."""


def drop(state: State, matched: Mask) -> State:
    return replace(state, is_dropped=state.is_dropped | (matched & ~state.is_kept), changed=0)


def keep(state: State, matched: Mask) -> State:
    return replace(state, is_kept=state.is_kept | matched, changed=0)


def sample(share: float, by: str) -> Action:
    """Keeps this share of the records. The choice follows from the record alone, so that one that is sent again is
    chosen again: from its time, pod and message, or with `by` "trace_id" from its trace, if it has one, so that traces
    are whole."""

    def act(state: State, matched: Mask) -> State:
        is_chosen = _hashes(state.view.batch, by) < share * _TOP
        return drop(state, matched & ~is_chosen)

    return act


def mask(maskers: tuple[AnyMasker, ...]) -> Action:
    def act(state: State, matched: Mask) -> State:
        batch = state.view.batch
        rows = pa.array(np.flatnonzero(matched))
        messages, attributes = (batch.column(name).take(rows) for name in ("message", "attributes"))
        new_messages, new_attributes = masked_messages(messages, maskers), masked_attributes(attributes, maskers)
        is_changed = changed_rows(messages, new_messages) | changed_rows(attributes, new_attributes)
        if not is_changed.any():
            return replace(state, changed=0)
        columns = {
            "message": _put(batch.column("message"), matched, new_messages),
            "attributes": _put(batch.column("attributes"), matched, new_attributes),
        }
        return replace(state, view=View(_with(batch, columns)), changed=int(is_changed.sum()))

    return act


def set_labels(labels: dict[str, str]) -> Action:
    def with_labels(text: str | None) -> str:
        return to_json({**(orjson.loads(text) if text else {}), **labels}, is_sorted=True)

    return lambda state, matched: _with_word(state, "labels", matched, with_labels)


def route(namespace: str) -> Action:
    return lambda state, matched: _with_word(state, "namespace", matched, lambda _: namespace)


def parse_as_access(state: State, matched: Mask) -> State:
    batch = state.view.batch
    attributes, parsed = parse_access(batch.column("message"), batch.column("attributes"), matched)
    if not parsed.any():
        return replace(state, changed=0)
    return replace(state, view=View(_with(batch, {"attributes": attributes})), changed=int(parsed.sum()))


def _hashes(batch: pa.RecordBatch, by: str) -> np.ndarray[Any, np.dtype[np.uint64]]:
    starts = batch.column("time").view(pa.int64()).to_numpy().view(np.uint64)
    pods = pc.cast(batch.column("pod"), pa.string())
    whole = lasting_hashes(batch.column("message"), lasting_hashes(pods, starts))
    if by != "trace_id":
        return whole
    traces = batch.column("trace_id")
    has_trace = pc.is_valid(traces).to_numpy(zero_copy_only=False)
    return np.where(has_trace, lasting_hashes(traces, np.zeros(len(traces), np.uint64)), whole)


def _with_word(state: State, name: str, matched: Mask, change: Callable[[str | None], str]) -> State:
    """A dictionary column with other words in the matched rows; each word is changed once."""
    column = state.view.batch.column(name)
    words: list[str] = column.dictionary.to_pylist()
    before = column.indices.fill_null(-1).to_numpy()
    place = {word: at for at, word in reversed(list(enumerate(words)))}
    code_of = np.full(len(words) + 1, -1, np.int32)  # the last one stands for null, whose code is -1
    for code in np.unique(before[matched]).tolist():
        new = change(None if code < 0 else words[code])
        if new not in place:
            place[new] = len(words)
            words.append(new)
        code_of[code] = place[new]
    codes = np.where(matched, code_of[before], before)
    indices = pa.array(codes, pa.int32(), mask=codes < 0)
    array = pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))
    return replace(state, view=View(_with(state.view.batch, {name: array})), changed=int(matched.sum()))


def _put(column: pa.Array, rows: Mask, values: pa.Array) -> pa.Array:
    return pc.replace_with_mask(column, pa.array(rows), values)


def _with(batch: pa.RecordBatch, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    arrays = [columns[name] if name in columns else batch.column(name) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
