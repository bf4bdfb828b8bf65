"""The index of one segment: what its row groups hold, so that a query need not read those that cannot match.

A file of its own beside the segments' directory, built from the segment alone and so replaceable:

    magic `LSIDX` · version u8 · 2 zero bytes · CRC32C of all that follows u32 · length of the header u32
    header   JSON: the facts' names, types and lengths, in order; their size before and after compression
    facts    those arrays one after the other, little-endian, zstd; cells are Arrow IPC streams
    filters  the token filters of logstore/tokens.py, one a row group, used where they lie in the file

A reader knows every version up to its own. Version 1 has no cells, and no numbers of first records; what filters hold
came later, in version 3 as `has_numbers` for the versions 0 and 1 of logstore/tokens.py; fuller texts, in version 5.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logstore import cells, templates, tokens
from logstore.cells import By
from logstore.errors import Damaged
from logstore.native.arrays import int64s
from logstore.order import Ints

VERSION: Final = 5
TEMPLATES_MAX: Final = 4_096
"""Templates that a segment tells apart, the most frequent ones."""
TEMPLATES_SHARE: Final = 8
"""They take at most this part of what the messages do, and their fuller texts as much again: looking through them has
to be much less work."""
TEMPLATES_ALWAYS_BYTES: Final = 32 << 10
"""What they may take of a segment of few records too."""
TEMPLATE_ROWS: Final = 16
"""Where those are not all, row groups have records without one, and have to be read for them: a template that fewer
records have spares next to nothing then."""
OBJECTS_BYTES: Final = 3_000
"""About what the objects take that hold an index, be it as small as can be."""
_HEAD: Final = struct.Struct("<5sB2xII")
_MAGIC: Final = b"LSIDX"
_SEQ_MAX: Final = np.iinfo(np.int64).max
_NO_INTS: Final = np.zeros(0, np.int64)
_ZSTD: Final = pa.Codec("zstd", compression_level=3)


@dataclass(frozen=True, slots=True)
class Index:
    """What is known of a segment's row groups; arrays have one entry a group unless said otherwise."""

    ends: Ints
    """The row after a group's last."""
    min_times_ns: Ints
    max_times_ns: Ints
    templates: Ints
    """Ids of the segment's templates."""
    texts: pa.StringArray
    """Their texts."""
    letters: Ints
    """The letters of the words that are wildcards in them."""
    fuller: pa.StringArray
    """The texts with the words in them that all of the segment's messages have in the place of a wildcard; '' where
    there are none."""
    presence_offsets: Ints
    """Where a group's entries of `presence` begin; one more than there are groups."""
    presence: npt.NDArray[np.int32]
    """The templates in a group, as positions in `templates`; -1 for records without one."""
    presence_rows: npt.NDArray[np.int32]
    """How many records of the group have that template."""
    first_seqs: Ints
    """Of these records the least `_seq`; empty where that is not known."""
    filter_offsets: Ints
    """Where a group's token filter begins in `filters`; one more than there are groups."""
    filter_versions: npt.NDArray[np.uint8]
    """What a group's filter holds (`tokens.VERSION`)."""
    filters: npt.NDArray[np.uint8]
    cells: Mapping[By, pa.RecordBatch]
    """The segment's cells, where they are few."""

    @property
    def has_seqs(self) -> bool:
        return len(self.first_seqs) == len(self.presence)

    @property
    def groups(self) -> int:
        return len(self.ends)

    @property
    def bytes(self) -> int:
        """Memory that it takes with the numbers of its templates, without the filters, which are the file system's to
        keep."""
        facts = sum(getattr(self, name).nbytes for name in _FACTS)
        counts = sum(one.nbytes for one in self.cells.values())
        texts = self.texts.nbytes + self.fuller.nbytes
        return int(facts + counts + texts + self.presence.nbytes + len(self.templates) * 4 + OBJECTS_BYTES)


_FACTS: Final = tuple(name for name in Index.__slots__ if name not in ("texts", "fuller", "filters", "cells"))
_TEXTS: Final = {"text": "texts", "fuller": "fuller"}
"""What a file calls the texts of templates, each with its `…_offsets`."""


def build(table: pa.Table, ends: Ints, secret: bytes, written: Ints | None = None) -> tuple[Ints, bytes]:
    """The template of each record of a sorted segment, and the index file's content.

    The table is in the stored schema and has one chunk; `ends` are the rows after each row group's last; `written` are
    the templates that the segment has already.
    """
    message = one_chunk(table["message"])
    words = (one_chunk(table["trace_id"]), one_chunk(table["span_id"]))
    filters, entries = tokens.build(message, one_chunk(table["attributes"]), words, ends, secret)
    if written is None:
        found = templates.most_frequent(message, entries, _room(message))
    else:
        found = templates.told_by(message, entries, written, _room(message))
    starts = np.concatenate(([0], ends[:-1]))
    times = int64s(table["time"])
    offsets, presence, counts, first_seqs = _presence(found, ends, table["_seq"].to_numpy())
    index = Index(
        ends,
        np.minimum.reduceat(times, starts),
        np.maximum.reduceat(times, starts),
        found.distinct,
        found.texts,
        found.letters,
        found.fuller,
        offsets,
        presence,
        counts,
        first_seqs,
        filters.offsets,
        np.full(len(ends), tokens.VERSION, np.uint8),
        np.frombuffer(filters.content, np.uint8),
        cells.count(table),
    )
    return found.ids, encode(index)


def _room(messages: pa.StringArray) -> templates.Room:
    size = max(TEMPLATES_ALWAYS_BYTES, messages.nbytes // TEMPLATES_SHARE)
    return templates.Room(TEMPLATES_MAX, size, TEMPLATE_ROWS)


def concatenate(each: Sequence[Index]) -> Index:
    """The index of the segments' row groups, one segment's after the other's."""
    ids = np.concatenate([one.templates for one in each])
    distinct, first, places = np.unique(ids, return_index=True, return_inverse=True)
    letters = np.zeros(len(distinct), np.int64)
    np.bitwise_or.at(letters, places, np.concatenate([one.letters for one in each]))
    in_each = np.split(places.astype(np.int32), np.cumsum([len(one.templates) for one in each])[:-1])
    rows = _shifts([int(one.ends[-1]) for one in each])
    entries = _shifts([len(one.presence) for one in each])
    sizes = _shifts([int(one.filter_offsets[-1]) for one in each])
    return Index(
        np.concatenate([one.ends + shift for one, shift in zip(each, rows, strict=True)]),
        np.concatenate([one.min_times_ns for one in each]),
        np.concatenate([one.max_times_ns for one in each]),
        distinct,
        pa.concat_arrays([one.texts for one in each]).take(pa.array(first)),
        letters,
        _common([one.fuller for one in each], first, places),
        _offsets([one.presence_offsets for one in each], entries),
        np.concatenate(
            [np.append(numbers, np.int32(-1))[one.presence] for one, numbers in zip(each, in_each, strict=True)]
        ),
        np.concatenate([one.presence_rows for one in each]),
        np.concatenate([one.first_seqs for one in each]) if all(one.has_seqs for one in each) else _NO_INTS,
        _offsets([one.filter_offsets for one in each], sizes),
        np.concatenate([one.filter_versions for one in each]),
        np.concatenate([one.filters[: int(one.filter_offsets[-1])] for one in each]),
        cells.merge([one.cells for one in each]),
    )


def _common(fuller: Sequence[pa.StringArray], first: Ints, places: Ints) -> pa.StringArray:
    """Of each template the fuller text, if it is the same wherever the template is. Of those one after the other,
    `first` tells where each comes first, and `places` which each is."""
    every = pa.concat_arrays(fuller)
    found = every.take(pa.array(first))
    differs = np.zeros(len(first), np.bool_)
    differs[places[pc.not_equal(every, found.take(pa.array(places))).to_numpy(zero_copy_only=False)]] = True
    return pc.if_else(pa.array(differs), "", found)


def _shifts(lengths: Sequence[int]) -> list[int]:
    """How much comes before each."""
    return [0, *np.cumsum(lengths).tolist()[:-1]]


def _offsets(each: Sequence[Ints], shifts: Sequence[int]) -> Ints:
    """Where each part begins, and the end of the last, of parts that follow each other."""
    ends = each[-1][-1:] + shifts[-1]
    return np.concatenate([*(one[:-1] + shift for one, shift in zip(each, shifts, strict=True)), ends])


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _presence(
    found: templates.Found, ends: Ints, seqs: Ints
) -> tuple[Ints, npt.NDArray[np.int32], npt.NDArray[np.int32], Ints]:
    count = len(found.distinct)
    parts: list[tuple[Ints, Ints, Ints]] = []
    for start, end in zip(np.concatenate(([0], ends[:-1])), ends, strict=True):
        places = found.places[start:end]
        rows = np.bincount(places, minlength=count + 1)
        present = np.flatnonzero(rows)
        first_seqs = np.full(count + 1, _SEQ_MAX)
        np.minimum.at(first_seqs, places, seqs[start:end])
        parts.append((present, rows[present], first_seqs[present]))
    offsets = np.concatenate(([0], np.cumsum([len(present) for present, _, _ in parts]))).astype(np.int64)
    together, counts, first_seqs = (np.concatenate(each) for each in zip(*parts, strict=True))
    presence = np.where(together == count, -1, together).astype(np.int32)
    return offsets, presence, counts.astype(np.int32), first_seqs


def encode(index: Index) -> bytes:
    """The content of an index file."""
    arrays = {name: getattr(index, name) for name in _FACTS}
    for name, of_index in _TEXTS.items():
        arrays[f"{name}_offsets"], arrays[name] = _text_arrays(getattr(index, of_index))
    arrays |= {by.value: _written(counted) for by, counted in index.cells.items()}
    plain = b"".join(array.tobytes() for array in arrays.values())
    facts = _ZSTD.compress(plain, asbytes=True)
    header = json.dumps(
        {
            "facts": [[name, array.dtype.str, len(array)] for name, array in arrays.items()],
            "plain_bytes": len(plain),
            "bytes": len(facts),
        }
    ).encode()
    body = b"".join((header, facts, index.filters.tobytes()))
    return _HEAD.pack(_MAGIC, VERSION, google_crc32c.value(body), len(header)) + body


def _written(batch: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return np.frombuffer(sink.getvalue(), np.uint8)


def _read(stream: npt.NDArray[np.uint8]) -> pa.RecordBatch:
    """Copied, to lie where Arrow wants numbers to lie."""
    return pa.ipc.open_stream(stream.tobytes()).read_next_batch()


def _text_arrays(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    whole = pa.concat_arrays([texts])
    _, offsets, text = whole.buffers()
    found = np.frombuffer(offsets, np.int32)[whole.offset : whole.offset + len(whole) + 1]
    content = np.frombuffer(text, np.uint8) if text is not None else np.zeros(0, np.uint8)
    return found - found[0] if len(found) else np.zeros(1, np.int32), content[found[0] : found[-1]] if len(
        found
    ) else content


def load(path: Path) -> Index:
    """An index as a file has it; its filters are read when they are asked.

    Raises:
        OSError: there is no such file.
        Damaged: it is none, or of a newer version, or its checksum is wrong.
    """
    if path.stat().st_size < _HEAD.size:
        raise Damaged(f"{path} is cut off")
    # Arrow's map lets go of the file; one of Python's holds a file descriptor for as long as it is there.
    with pa.memory_map(str(path)) as file:
        content = memoryview(file.read_buffer())
    magic, version, checksum, header_bytes = _HEAD.unpack_from(content)
    if magic != _MAGIC or version > VERSION:
        raise Damaged(f"{path} is no index of version {VERSION} or before")
    if google_crc32c.value(bytes(content[_HEAD.size :])) != checksum:
        raise Damaged(f"{path} does not fit its checksum")
    start = _HEAD.size + header_bytes
    header = json.loads(bytes(content[_HEAD.size : start]))
    facts = _ZSTD.decompress(content[start : start + header["bytes"]], header["plain_bytes"])
    return _index(header["facts"], facts, np.frombuffer(content, np.uint8)[start + header["bytes"] :])


def _index(described: list[list[Any]], facts: pa.Buffer, filters: npt.NDArray[np.uint8]) -> Index:
    arrays: dict[str, Any] = {}
    at = 0
    for name, dtype, count in described:
        arrays[name] = np.frombuffer(facts, np.dtype(dtype), count, at)
        at += arrays[name].nbytes
    no_texts = np.zeros(len(arrays["templates"]) + 1, np.int32), np.zeros(0, np.uint8)
    texts = {
        of_index: _texts(arrays.pop(f"{name}_offsets", no_texts[0]), arrays.pop(name, no_texts[1]))
        for name, of_index in _TEXTS.items()
    }
    counts = {by: _read(arrays.pop(by.value)) for by in By if by.value in arrays}
    arrays.setdefault("first_seqs", _NO_INTS)
    arrays.setdefault("filter_versions", arrays.pop("has_numbers", np.zeros(len(arrays["ends"]))).astype(np.uint8))
    return Index(**arrays, **texts, filters=filters, cells=counts)


def _texts(offsets: npt.NDArray[np.int32], text: npt.NDArray[np.uint8]) -> pa.StringArray:
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))
