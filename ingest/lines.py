"""One stage for all protocols, between decoding and rules: messages become the lines that apps wrote.

**Unwrapping.** Agents that read files of container runtimes without parsing them send what stands there:

- CRI (containerd, CRI-O, Podman's k8s-file): `<RFC 3339 time> <stdout|stderr> <P or F, then tags> <line>`;
- Docker's json-file: `{"log": "line\\n", "stream": "stdout", "time": "…"}`, perhaps with `attrs`, and nothing else.

A message that wholly is one of these becomes the line; time and stream are the runtime's, `attrs` an attribute. Any
other message stays as it is, to the byte. Runtimes cut lines after 8 or 16 KiB: CRI marks the pieces with P and the
last one with F, Docker's lack the newline. Pieces are joined where they belong together: the same identity, labels and
stream, and the same `file`, `path`, `tag` … attribute. The line has the first piece's time and attributes. A
character that was cut in two is whole again.

Agents that unwrap but do not join tell it in attributes: `logtag` (P or F) of Fluent Bit's and Fluentd's CRI parsers,
`partial_message` and `CONTAINER_PARTIAL_MESSAGE` of Docker's fluentd and journald drivers. These pieces are joined too,
and the attributes that told it are dropped where the line is whole.

What agents say twice, the time (`ingest.said_again`), is said once.

**Pieces of one line in two requests** are not joined: each 2xx promises that what was sent is durable and visible, so a
piece that waited for its rest would break that promise (or need a second log of its own, in which a crash would have
to find it), and a record that was acknowledged is never taken back. So a line whose rest is not in the request is a
record with the attribute `_partial` = true: *this line goes on in the next record of its container and stream*. Nothing
is lost or doubled, the pieces stand in order, and whoever prints them without a newline after such a record has the
exact line. A sender that can read its file again waits for the rest itself: `logq push --unwrap` ends no batch between
two pieces.

**Stack traces** (on request): lines of one source that are a trace in one of the languages become one record, joined by
newlines, at the place and with the time and attributes of the first. Joined within a request, up to `TRACE_MAX_BYTES`.
What the grammars know is in logstore/native/trace_lines.c; docs/lines.md has an example of each.
"""

from typing import Final

import numpy as np
import pyarrow as pa

from ingest import lines_kernels as kernels
from ingest.lines_asked import AGENTS, Asked, LinesSettings, formats_of, languages_of
from ingest.lines_kernels import STREAMS, Codes
from ingest.protocols import native
from ingest.request import Head
from ingest.said_again import said_once
from logstore.record import SCHEMA

TRACE_MAX_BYTES: Final = 1 << 20
TOLD: Final = ('"logtag":"P"', '"partial_message":"true"', '"CONTAINER_PARTIAL_MESSAGE":"true"')
"""What attributes of a piece hold: see `read_told` in logstore/native/wrapping.h."""


def asked(head: Head, protocol: str, settings: LinesSettings) -> Asked:
    """What the query parameters `unwrap` and `multiline`, the headers `Logstore-Unwrap` and `Logstore-Multiline`, or
    else the settings ask for.

    Raises:
        InvalidInput: a word that means nothing.
    """
    unwrap = head.override("unwrap") or settings.unwrap
    if unwrap == AGENTS:
        unwrap = "off" if protocol == native.NAME else "auto"
    return Asked(formats_of(unwrap), languages_of(head.override("multiline") or settings.multiline))


def lines(batch: pa.RecordBatch, asked: Asked, *, now_ns: int, max_line_bytes: int) -> pa.RecordBatch:
    """The batch with lines for messages; the same batch where nothing is wrapped and no trace is found."""
    if asked.formats:
        batch = _unwrapped(said_once(batch), asked.formats, now_ns, max_line_bytes)
    if asked.languages and batch.num_rows > 1:
        batch = _joined(batch, asked.languages)
    return batch


def _unwrapped(batch: pa.RecordBatch, formats: int, now_ns: int, max_line_bytes: int) -> pa.RecordBatch:
    is_told = bool(kernels.rows_holding(batch.column("attributes"), TOLD).any())
    if not is_told and not kernels.wrapped_count(batch.column("message"), formats):
        return batch
    found = kernels.unwrap(batch, formats, now_ns, max_line_bytes, is_told=is_told)
    streams = _streams(_first_rows(batch.column("stream"), found.firsts), found.streams)
    columns = {"time": found.times, "message": found.messages, "attributes": found.attributes, "stream": streams}
    return _replaced(batch, found.firsts, columns)


def _joined(batch: pa.RecordBatch, languages: int) -> pa.RecordBatch:
    found = kernels.join_traces(batch, languages, TRACE_MAX_BYTES)
    return batch if found is None else _replaced(batch, found.firsts, {"message": found.messages})


def _replaced(batch: pa.RecordBatch, rows: pa.Int64Array, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """These rows, with some columns anew."""
    arrays = [columns[name] if name in columns else _first_rows(batch.column(name), rows) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _first_rows(column: pa.Array, rows: pa.Int64Array) -> pa.Array:
    return column if len(rows) == len(column) else column.take(rows)


def _streams(before: pa.DictionaryArray, streams: Codes) -> pa.DictionaryArray:
    words: list[str] = before.dictionary.to_pylist()
    words += [word for word in STREAMS if word not in words]
    codes = np.where(streams < 0, before.indices.to_numpy(), np.array([words.index(word) for word in STREAMS])[streams])
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, pa.string()))
