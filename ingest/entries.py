"""The C kernels that turn logs of Loki and OTLP into columns, as typed functions. Mirrors logstore/native/entries.h.

What tells where entries come from is resolved here, once a group: a stream or resource, and what was lifted out of an
entry because its name says so.
"""

import ctypes
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.identity import Resolved
from ingest.identity_table import normal
from ingest.json_text import to_json
from ingest.known import LABELS, Group, Resolve, Told, known
from ingest.request import Decoded, Reject, Request, Sender, all_told
from ingest.rows import LABELS_MAX_BYTES, SEVERITY_WORDS, words_by
from logstore.attributes import prepend
from logstore.errors import InvalidInput, TooLarge
from logstore.native import (
    KERNEL_OUT_OF_MEMORY,
    KERNEL_TOO_MANY_RECORDS,
    ColumnBuffer,
    TextColumn,
    address_of,
    kernel,
)
from logstore.record import SCHEMA

_MALFORMED, _TOO_LARGE, _UNSURE = 16, 17, 18
_LEFT: Final = -1
_TIME: Final = SCHEMA.field("time").type

SenderOf = Callable[[str], Sender]
"""Of what was lifted."""


@dataclass(frozen=True, slots=True)
class Most:
    """Entries, without those at the places `left`, from 0."""

    decoded: Decoded
    left: list[int]


class Unsure(Exception):
    """The body has something that the kernel leaves to the exact reader."""


class _Request(ctypes.Structure):
    _fields_ = (
        ("body", ctypes.c_void_p),
        ("length", ctypes.c_int64),
        ("now_ns", ctypes.c_int64),
        ("max_line_bytes", ctypes.c_int64),
        ("max_records", ctypes.c_int64),
        ("max_text_bytes", ctypes.c_int64),
        ("lifted", ctypes.c_char_p),
        ("lifted_length", ctypes.c_int64),
    )


class _Result(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("bases", ctypes.c_int64),
        ("groups", ctypes.c_int64),
        ("broken", ctypes.c_int64),
        ("rejected", ctypes.c_int64),
        ("rejects", ColumnBuffer),
        ("time", ColumnBuffer),
        ("severity", ColumnBuffer),
        ("group", ColumnBuffer),
        ("base_texts", TextColumn),
        ("group_texts", TextColumn),
        ("message", TextColumn),
        ("trace_id", TextColumn),
        ("span_id", TextColumn),
        ("attributes", TextColumn),
    )


Kernel = Callable[..., int]


def entries_kernel(name: str) -> Kernel:
    return kernel(name, ctypes.POINTER(_Request), ctypes.POINTER(_Result))


def lifted_names(names: Iterable[str], of_streams: Iterable[str] = ()) -> bytes:
    """Names of members that say where an entry comes from, in the form that the kernels want; those of `of_streams` do
    if their value is `stdout` or `stderr`."""
    return "\n\n".join("\n".join(some) for some in (_sorted(names), _sorted(of_streams)) if some).encode()


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted({normal(name) for name in names})


def decode_entries(
    run: Kernel, request: Request, lifted: bytes, resolve: Resolve, sender: SenderOf | None = None
) -> Decoded:
    """The entries of a body, in one pass without the GIL; then the groups are resolved. What is left of what a group
    told joins the attributes of its entries.

    Raises:
        Unsure: the body has something that the kernel does not know.
        InvalidInput: the body is no message of this protocol.
        TooLarge: more than `max_records`, or too much text.
    """
    return decode_most(run, request, lifted, resolve, sender).decoded


def decode_most(run: Kernel, request: Request, lifted: bytes, resolve: Resolve, sender: SenderOf | None = None) -> Most:
    """Likewise, but for the entries that the kernel leaves to the exact reader."""
    result = _run(run, request, lifted)
    rows = result.rows
    columns = {
        "time": result.time.to_array(rows, _TIME),
        "severity": np.frombuffer(result.severity.take(), np.int32),
        "message": result.message.to_array(rows),
        "trace_id": result.trace_id.to_array(rows),
        "span_id": result.span_id.to_array(rows),
        "attributes": result.attributes.to_array(rows),
    }
    bases = result.base_texts.to_array(result.bases).to_pylist()
    groups = result.group_texts.to_array(result.groups).to_pylist()
    group_of_row = np.frombuffer(result.group.take(), np.int32)
    told = np.frombuffer(result.rejects.take_bytes(), np.int64).reshape(-1, 2)
    is_left = told[:, 1] == _LEFT
    if is_left.any() and len(told) < result.rejected:
        raise Unsure
    rejects = _rejects(told[~is_left], result.rejected - len(told), request.limits.max_line_bytes)
    told_of_groups = known(resolve, request.identity, request.default_cluster, request.default_namespace).tell(
        _with_bases(groups, bases)
    )
    batch = _batch(request, columns, told_of_groups, group_of_row)
    senders = _senders(groups, group_of_row, sender)
    left = [place - 1 for place in told[is_left, 0].tolist()]
    return Most(Decoded(batch, rejects, unread=result.broken, senders=senders), left)


def _run(run: Kernel, request: Request, lifted: bytes) -> Any:
    limits = request.limits
    asked = _Request(
        address_of(request.body),
        len(request.body),
        request.now_ns,
        limits.max_line_bytes,
        limits.max_records,
        limits.max_text_bytes,
        lifted,
        len(lifted),
    )
    result = _Result()
    status = run(ctypes.byref(asked), ctypes.byref(result))
    if status == _UNSURE:
        raise Unsure
    if status == _MALFORMED:
        raise InvalidInput("the body is no Protocol Buffers message of this protocol, or breaks off")
    if status == KERNEL_TOO_MANY_RECORDS:
        raise TooLarge(f"the body has more than {limits.max_records:,} records (max_records); send smaller batches")
    if status == _TOO_LARGE:
        raise TooLarge("the records of the body have too much text (max_body); send smaller batches")
    if status == KERNEL_OUT_OF_MEMORY:
        raise MemoryError("decode")
    return result


def _with_bases(groups: list[str], bases: list[str]) -> list[Group]:
    found: list[Group] = []
    size_bytes = 0
    for group in groups:
        number, _, lifted = group.partition("\n")
        base = bases[int(number)]
        size_bytes += len(base) + len(lifted)
        if size_bytes > LABELS_MAX_BYTES:
            raise TooLarge(f"the streams of the body have more than {LABELS_MAX_BYTES:,} bytes of labels")
        found.append((base, lifted))
    return found


def _batch(request: Request, columns: dict[str, Any], told: Told, group_of_row: Any) -> pa.RecordBatch:
    """What a group says is said of its entries that do not say it themselves."""
    rows = group_of_row.astype(np.int64)
    codes = columns["severity"]
    if told.severities.any():
        codes = np.where(codes == 0, told.severities[rows], codes)
    columns["severity"] = pa.DictionaryArray.from_arrays(pa.array(codes), SEVERITY_WORDS)
    if told.more is not None:
        _fill_in(columns, told.more, group_of_row)
    columns |= words_by(request, len(rows), lambda name, _default: told.words[name].take(rows))
    columns[LABELS] = told.words[LABELS].take(rows)
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _fill_in(columns: dict[str, Any], resolved: list[Resolved], groups: Any) -> None:
    for name in ("trace_id", "span_id"):
        ids = list(map(attrgetter(name), resolved))
        if any(ids):
            columns[name] = pc.coalesce(columns[name], pa.array(ids, pa.string()).take(pa.array(groups)))
    rest = [to_json(found.rest)[1:-1] if found.rest else None for found in resolved]
    if any(rest):
        columns["attributes"] = prepend(pa.array(rest, pa.string()), pa.array(groups), columns["attributes"])


def _senders(groups: list[str], group_of_row: Any, sender: SenderOf | None) -> Mapping[Sender, int]:
    """Who sent how many of the entries."""
    sent = Counter[Sender]()
    if sender is not None:
        for group, count in zip(groups, np.bincount(group_of_row, minlength=len(groups)).tolist(), strict=True):
            sent[sender(group.partition("\n")[2])] += count
    return sent


def _rejects(told: Any, untold: int, max_line_bytes: int) -> tuple[Reject, ...]:
    limit = f"over the limit of {max_line_bytes:,} (max_line)"
    rejects = [Reject(int(line), f"{size:,} bytes, {limit}", "too_long") for line, size in told]
    return all_told(rejects, untold)
