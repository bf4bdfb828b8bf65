"""POST /api/v1/documents, /insert/jsonline as VictoriaLogs has it, and / where nobody is told a path (Logstash's `http`
input, and what writes to one; Fluent Bit's default): what agents post to any HTTP endpoint.

A body is JSON documents in an array, one a line, or one right after the other (Fluent Bit's `json`, `json_lines` and
`json_stream`, Vector's `json` with any framing), which `ingest.documents` reads: whatever an agent says of where a
record comes from is its identity. With the content type `application/msgpack` it is the entries of Fluent Bit's
`msgpack`, which have nanoseconds. The header `Fluent-Tag` says the tag of all. Of what the API server of Kubernetes
posts to its audit webhook, an EventList, each event is a document.

`_time_field` and `_msg_field` (parameters, or headers `VL-Time-Field` and `VL-Msg-Field`) name the members that hold
the time and the message; without the first, Fluent Bit's own `date` or `timestamp` does.

Source of formats: Fluent Bit, "HTTP" output; VictoriaLogs, "Data ingestion", JSON stream API.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from ingest import documents
from ingest.decoding import Role
from ingest.json_objects import Unread, objects, on_one_line
from ingest.placing import Groups, place
from ingest.protocol import Protocol, Take
from ingest.protocols import native
from ingest.protocols.forward.decode import text_max_bytes
from ingest.protocols.forward.documents import Documents, Tag
from ingest.request import Decoded, Head, Request

NAME: Final = "documents"
_MSGPACK: Final = frozenset({"application/msgpack", "application/x-msgpack"})
_OF_FLUENT_BIT: Final = ("date", "timestamp")
"""Its `json_date_key`, and that of its documentation's examples."""
_AUDIT: Final = b'{"kind":"EventList","apiVersion":"audit.k8s.io/'
_ITEMS: Final = b'"items":'
"""The last member of an EventList."""
_FIELDS_MAX: Final = 8
"""Names that one request may tell."""


def decode(request: Request) -> Decoded:
    """The documents of one body. What is none is kept as it is; only what is over `max_line` is rejected.

    Raises:
        TooLarge: more than `max_records`.
    """
    if request.head.media_type in _MSGPACK:
        return _decode_entries(request)
    shape = _shape(request.head)
    if request.body.startswith(_AUDIT):
        request = replace(request, body=_events(request.body))
    if tag := request.head.headers.get("fluent-tag", ""):
        return _decode_tagged(request, tag, shape)
    columns = documents.decode_at_once(request.body, request, shape)
    if columns is not None:
        return Decoded(place(columns, request))
    lines = [line for found, text in objects(request.body) for line in _lines(found, text)]
    return documents.decode(b"\n".join(lines), request, shape=shape)


def _events(body: bytes) -> bytes:
    """The events of a list, as an array."""
    _, items, rest = body.partition(_ITEMS)
    return rest.rstrip().removesuffix(b"}") if items else body


def _decode_tagged(request: Request, tag: str, shape: documents.Shape) -> Decoded:
    """The documents of a body that is of one tag, which may tell where they come from."""
    origin = Tag(0, tag, request.identity).origin
    lines = [line for found, text in objects(request.body) for line in _lines(found, text, origin)]
    groups = Groups(np.zeros(len(lines), np.int64), [{"tag": tag}])
    return documents.decode(b"\n".join(lines), request, groups, shape)


def _decode_entries(request: Request) -> Decoded:
    """Those of Fluent Bit's chunks: msgpack `[time, record]`, one after the other."""
    entries = Documents(request.limits.max_records, request.identity)
    tag = request.head.headers.get("fluent-tag", "")
    entries.add(request.body, tag, text_max_bytes(len(request.body), request.limits))
    decoded = documents.decode(entries.text(), request, entries.groups() if tag else None)
    return replace(decoded, unread=decoded.unread + entries.unread)


def _shape(head: Head) -> documents.Shape:
    """The names that a request tells."""
    own = _OF_FLUENT_BIT if head.is_of_fluent_bit else ()
    times = dict.fromkeys(_told(head, "time") or own, Role.TIME)
    messages = dict.fromkeys(_told(head, "msg"), Role.MESSAGE)
    return documents.Shape(tuple({**messages, **times}.items()))


def _told(head: Head, which: str) -> tuple[str, ...]:
    return _names(head.params.get(f"_{which}_field") or head.headers.get(f"vl-{which}-field", ""))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",")[:_FIELDS_MAX] if name)


def _lines(found: object, text: bytes, more: bytes = b"") -> list[bytes]:
    """A document on one line, with more members; what is none on the lines that it came on."""
    if isinstance(found, Unread):
        return text.rstrip(b"\n\x1e").split(b"\n")
    line = on_one_line(text).rstrip()
    return [line.removesuffix(b"}") + more + b"}" if found and more else line]


_DOCUMENTS: Final = Take(
    ("POST", "PUT"),
    ("/api/v1/documents", "/api/v1/documents/", "/insert/jsonline", "/insert/jsonline/"),
    decode,
    native.answer,
    keeps_answer=True,
)
_ROOT: Final = Take(("POST", "PUT"), ("/",), decode, native.answer, keeps_answer=True)
PROTOCOL: Final = Protocol(NAME, (_DOCUMENTS, _ROOT), native.refuse)
