"""JSON documents of agents, one a line, as Fluent Bit, Fluentd, Beats, Logstash, Vector and logging libraries write
them: keys as in POST /api/v1/logs, and besides

- what says where a record comes from (`kubernetes`, `container`, `host`, `docker`, `k8s.pod.name`, `log.file.path`…:
  ingest/identity.yaml) becomes its identity and labels; what is left of it stays among the attributes;
- `@timestamp` comes first of the names of a time; a `time` that is the same but finer refines it;
- `log.level`, `trace.id`, `span.id` and their like become severity and ids;
- a document without a message has for one what it says besides its metadata, as JSON.

No document fails its neighbours: one with a time that cannot be read, or an identity that is too long, has the
receiver's time, or none, and the value stands in the attribute `_time`, or `_namespace`…; a line that is no document is
kept as it is, with the attribute `_ingest_error`. Only what is over `max_line` is rejected.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from ingest.decoding import NO_ENVELOPE, WORD_COLUMNS, Columns, Envelope, Form, RawReject, Role, decode_columns
from ingest.document_names import names_of
from ingest.exact_json import members_text
from ingest.identity_table import Table
from ingest.order import in_order
from ingest.placing import Groups, place
from ingest.request import Decoded, Limits, Reject, Request
from ingest.rows import INGEST_ERROR
from logstore.attributes import prepend
from logstore.errors import TooLarge
from logstore.native import canonical_json

_NO_WORDS: Final = ("",) * len(WORD_COLUMNS)
_SPACE: Final = b" \t\r"
_ROUNDS_MAX: Final = 10
"""How often a document is read again, each time without the value that was wrong."""
_TOO_LONG, _TIME, _IDENTITY = 3, 5, 6
_ERRORS: Final = {
    0: "not JSON",
    1: "not a JSON object",
    2: "text after the document",
    4: "nested deeper than 128 levels",
    _TIME: "too many unreadable times",
    _IDENTITY: "too many words that are too long",
    8: "the event is missing",
    9: "the event is blank",
}
"""By the kernel's `enum reject_cause`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one kind of documents has of its own: names, and the envelope that each comes in."""

    names: tuple[tuple[str, Role], ...] = ()
    envelope: Envelope = NO_ENVELOPE
    finish: Callable[[Columns, Table], Columns] = lambda columns, _table: columns
    """What is read of columns besides, before identity is."""


_PLAIN: Final = Shape()


def decode_at_once(body: bytes, request: Request, shape: Shape) -> Columns | None:
    """The documents of a body, in an array or one after the other; None if anything in it is not as it should be."""
    columns = _read(body, request, shape, Form.ROW)
    return None if columns.rejects else columns


def decode(lines: bytes | pa.Buffer, request: Request, groups: Groups | None = None, shape: Shape = _PLAIN) -> Decoded:
    """The documents as records, in their order; blank lines are none. The codes of `groups` are one for each line.

    Raises:
        TooLarge: more than `max_records` documents, or `max_singles` lines that are none.
    """
    columns = _read(lines, request, shape)
    if not columns.rejects:
        return Decoded(place(columns, request, _of_lines(groups, lines, columns)))
    text = bytes(lines)
    return _Mending(request, groups, shape, text.split(b"\n")).decode(text, columns)


def _read(lines: bytes | pa.Buffer, request: Request, shape: Shape, form: Form = Form.LINES) -> Columns:
    columns = decode_columns(
        lines,
        form=form,
        now_ns=request.now_ns,
        limits=request.limits,
        defaults=_NO_WORDS,
        names=names_of(request.identity, shape.names),
        envelope=shape.envelope,
    )
    if columns.rejected > len(columns.rejects):
        limit = request.limits.max_read_singly
        raise TooLarge(f"the body has more than {limit:,} lines that are no documents; send smaller batches")
    return shape.finish(columns, request.identity)


def _of_lines(groups: Groups | None, lines: bytes | pa.Buffer, columns: Columns) -> Groups | None:
    """The groups of the lines that are not blank."""
    if groups is None or len(groups.codes) == columns.batch.num_rows:
        return groups
    kept = [place for place, line in enumerate(bytes(lines).split(b"\n")) if line.strip(_SPACE)]
    return Groups(groups.codes[kept], groups.attributes)


@dataclass(slots=True)
class Lines:
    """Documents put on lines one by one, with what the request says of all of them."""

    limits: Limits
    texts: list[bytes] = field(default_factory=list)
    _size_bytes: int = 0

    def append(self, line: bytes) -> None:
        """Raises TooLarge: they are more than a body may have, and as much again."""
        self._size_bytes += len(line) + 1
        if self._size_bytes > 2 * self.limits.max_body_bytes:
            raise TooLarge("with what the request says of all its records they are too large (max_body); send fewer")
        self.texts.append(line)

    @property
    def body(self) -> bytes:
        return b"\n".join(self.texts)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line to be read: `place` is its number in the body, from 0; `notes` are members of its attributes, as JSON."""

    place: int
    text: bytes
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Mending:
    """Reads a body of which some lines are wrong, until each is a record or rejected."""

    request: Request
    groups: Groups | None
    shape: Shape
    texts: Sequence[bytes]
    batches: list[pa.RecordBatch] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    poison: dict[str, list[int]] = field(default_factory=dict)

    def decode(self, body: bytes, columns: Columns) -> Decoded:
        waiting = [_Line(place, text) for place, text in enumerate(self.texts)]
        for _ in range(_ROUNDS_MAX):
            waiting = self._take(waiting, body, columns)
            if not waiting:
                break
            body = b"\n".join(line.text for line in waiting)
            columns = _read(body, self.request, self.shape)
        for line in waiting:
            self._give_up(line.place, _TIME)
        for error, places in self.poison.items():
            self._keep_raw(error, places)
        return Decoded(
            in_order(self.batches, self.places),
            tuple(sorted(self.rejects, key=lambda reject: reject.line)),
            unread=sum(map(len, self.poison.values())),
        )

    def _take(self, lines: Sequence[_Line], body: bytes, columns: Columns) -> list[_Line]:
        """Keeps the records of a reading; returns the lines that are to be read again."""
        wrong = {reject.line - 1: reject for reject in columns.rejects}
        kept = [line for at, line in enumerate(lines) if at not in wrong and line.text.strip(_SPACE)]
        self._keep(columns, [line.place for line in kept], [",".join(line.notes) or None for line in kept])
        starts = np.cumsum([0, *(len(line.text) + 1 for line in lines)])
        again = []
        for at, reject in wrong.items():
            if reject.cause in (_TIME, _IDENTITY):
                again.append(_without_value(lines[at], reject, int(starts[at]), body))
            else:
                self._give_up(lines[at].place, reject.cause)
        return again

    def _give_up(self, place: int, cause: int) -> None:
        if cause == _TOO_LONG:
            size, limit = len(self.texts[place]), self.request.limits.max_line_bytes
            self.rejects.append(
                Reject(place + 1, f"{size:,} bytes, over the limit of {limit:,} (max_line)", "too_long")
            )
        else:
            self.poison.setdefault(_ERRORS[cause], []).append(place)

    def _keep_raw(self, error: str, places: list[int]) -> None:
        columns = decode_columns(
            b"".join(self.texts[place] + b"\n" for place in places),
            form=Form.TEXT,
            now_ns=self.request.now_ns,
            limits=self.request.limits,
            defaults=_NO_WORDS,
        )
        self._keep(columns, places, [members_text({INGEST_ERROR: error})] * len(places))

    def _keep(self, columns: Columns, places: list[int], notes: Sequence[str | None]) -> None:
        groups = Groups(self.groups.codes[places], self.groups.attributes) if self.groups else None
        batch = place(columns, self.request, groups)
        if any(notes):
            at = batch.schema.get_field_index("attributes")
            every = pa.array(range(len(notes)), pa.int32())
            attributes = prepend(pa.array(notes, pa.string()), every, batch.column(at))
            batch = batch.set_column(at, batch.schema.field(at), attributes)
        self.batches.append(batch)
        self.places += places


def _without_value(line: _Line, reject: RawReject, start: int, body: bytes) -> _Line:
    """The line with null for the value that is wrong, which becomes a note."""
    value = body[reject.detail]
    name = "_time" if reject.cause == _TIME else f"_{WORD_COLUMNS[reject.column]}"
    text = line.text[: reject.detail.start - start] + b"null" + line.text[reject.detail.stop - start :]
    note = f'"{name}":{(canonical_json(value) or b"null").decode()}'
    return _Line(line.place, text, (*line.notes, note))
