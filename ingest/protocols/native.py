"""POST /api/v1/logs: NDJSON, a JSON array, or plain text with one record a line.

A body whose content type is `text/plain` is text: each line, blank ones too, is a record whose message is the
line without its "\\n" (a "\\r" before it stays: the message is exact). Any other body is JSON: an array if its
first byte that is not space is `[`, else one object a line; there blank lines are skipped, and counted.

Keys of an object:

- `time`, `_time`, `ts`, `timestamp`, `@timestamp`: the first present in this order, RFC 3339 with any offset or
  an epoch number (its unit told by its magnitude), as number or string. A time outside 1678-2261 or more than a
  day ahead is replaced by the receiver's and stands in the attribute `_time`. An unreadable one is rejected.
- `message`, `msg`, `log`, `_msg`: the first present. One that is no string counts as its JSON text; without any,
  the record's own JSON text is the message. One trailing newline is cut.
- `cluster`, `namespace`, `pod`, `container` (at most 253 bytes each), `stream`, `trace_id`, `span_id`: strings;
  numbers and booleans count as their JSON text.
- `severity`, `level`: the first present; common words in any case and the numbers of syslog (0-7) and of pino
  (10-60) become one of the six. One that is not understood leaves '' and stays as an attribute.
- `labels`, `attributes`: objects that merge into those.
- Everything else, and whatever has not the shape named above, becomes an attribute with its type. Null says the
  same as no key, for all but a message and attributes. Of a repeated key the last value counts.

Bytes that are not UTF-8: a message that has any is stored escaped, each such byte as `\\xNN` and each backslash
doubled, with the attribute `_escape` = "backslash". Elsewhere they, and lone surrogates, become U+FFFD.
"""

import json
from collections.abc import Hashable, Sequence
from typing import Any, Final

from ingest.decoding import WORD_COLUMNS, Form, RawReject, decode_columns
from ingest.protocol import Answer, Join, Probe, Protocol, Refusal, Take
from ingest.request import Decoded, Head, Reject, Request, all_told
from logstore.errors import InvalidInput
from logstore.record import IDENTITY, IDENTITY_MAX_BYTES

NAME: Final = "native"
NOT_JSON: Final = "not JSON at byte"
TEXT_HINT: Final = "; lines of plain text need Content-Type: text/plain"
_DETAIL_MAX_BYTES: Final = 80
_REASONS: Final = ("no_json", "no_object", "no_json", "too_long", "too_deep", "time", "identity", "no_json")

USAGE: Final = {
    "usage": "POST records here: NDJSON, a JSON array of objects, or with Content-Type: text/plain one record a line",
    "example": "curl http://127.0.0.1:7117/api/v1/logs?pod=web-0 -H 'Content-Type: application/x-ndjson'"
    ' --data-binary \'{"time": "2026-03-01T12:00:00Z", "message": "hello", "level": "info"}\'',
    "content_encoding": ["gzip", "zstd", "deflate"],
    "parameters": {
        **{name: f"{name} of records that name none" for name in WORD_COLUMNS},
        "unwrap": "off, cri, docker or auto: what container runtimes wrap messages in",
        "multiline": "off, auto, or some of java,python,go,dotnet,node,ruby: stack traces as one record",
    },
    "headers": {"Idempotency-Key": "a repeat with the same body is answered as before and stored once, for 24 hours"},
    "answer": {"accepted": 1, "rejected": [{"line": 2, "error": "why this line was not taken"}]},
    "more": "/docs",
}


def decode(request: Request) -> Decoded:
    """The records of one body.

    Raises:
        InvalidInput: a query parameter that is no identity.
        TooLarge: more records than `limits.max_records`.
    """
    columns = decode_columns(
        request.body,
        form=Form.TEXT if request.head.media_type == "text/plain" else Form.JSON,
        now_ns=request.now_ns,
        limits=request.limits,
        defaults=_defaults(request),
    )
    rejects = [_explain(request, reject) for reject in columns.rejects]
    return Decoded(columns.batch, all_told(rejects, columns.rejected - len(rejects), "lines "))


def _kind(head: Head) -> Hashable:
    if head.media_type == "text/plain":
        return None
    return tuple(head.override(name) for name in (*WORD_COLUMNS, "unwrap", "multiline"))


def _joined(bodies: Sequence[bytes]) -> tuple[bytes, list[int]] | None:
    """NDJSON: each line that is not rejected or skipped is a record."""
    if not all(body.startswith(b"{") for body in bodies):
        return None
    whole = [body if body.endswith(b"\n") else body + b"\n" for body in bodies]
    return b"".join(whole), [body.count(b"\n") for body in whole]


def answer(_request: Request, decoded: Decoded) -> Answer:
    """How many records were taken, and which lines were not, and why; 400 if there were lines, but none was taken."""
    rejected = [{"line": reject.line, "error": reject.error} for reject in decoded.rejects]
    told: dict[str, Any] = {"accepted": decoded.batch.num_rows, "rejected": rejected}
    if rejected and not decoded.batch.num_rows:
        first = decoded.rejects[0]
        told["error"] = f"no line could be taken; line {first.line}: {first.error}{_how_to_mend(first)}"
        return _json(400, told)
    return _json(200, told)


def _how_to_mend(first: Reject) -> str:
    return TEXT_HINT if first.error.startswith(NOT_JSON) else ""


def refuse(_head: Head, refusal: Refusal) -> Answer:
    return _json(refusal.status, {"error": refusal.message})


def _json(status: int, told: dict[str, Any]) -> Answer:
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return Answer(status, text.encode("utf-8", "backslashreplace"), "application/json")


def _defaults(request: Request) -> tuple[str, ...]:
    named = {name: request.head.override(name) for name in WORD_COLUMNS}
    for name in IDENTITY:
        if len(named[name].encode()) > IDENTITY_MAX_BYTES:
            raise InvalidInput(f"the query parameter {name} is longer than {IDENTITY_MAX_BYTES} bytes")
    named["cluster"] = named["cluster"] or request.default_cluster
    named["namespace"] = named["namespace"] or request.default_namespace
    return tuple(named[name] for name in WORD_COLUMNS)


def _explain(request: Request, reject: RawReject) -> Reject:
    """The kernel's causes in words; their order is that of `enum reject_cause`."""
    detail = reject.detail
    size = detail.stop - detail.start
    place = size + 1
    shown = request.body[detail][:_DETAIL_MAX_BYTES].decode(errors="replace")
    if size > _DETAIL_MAX_BYTES:
        shown += "…"
    sentences = (
        f"{NOT_JSON} {place}",
        f"a record is a JSON object, this is {shown}",
        f"text after the record: {shown}",
        f"{size:,} bytes, over the limit of {request.limits.max_line_bytes:,} (max_line)",
        f"nested deeper than 128 levels at byte {place}",
        f"the time {shown} is neither RFC 3339 with an offset nor an epoch number",
        f"{WORD_COLUMNS[reject.column]} is longer than {IDENTITY_MAX_BYTES} bytes: {shown}",
        f"the array breaks off at byte {place} of the body; nothing after it was read",
    )
    return Reject(reject.line, sentences[reject.cause], _REASONS[reject.cause])


TAKE: Final = Take(("POST",), ("/api/v1/logs",), decode, answer, keeps_answer=True, join=Join(_kind, _joined))
USAGE_PROBE: Final = Probe(("GET",), ("/api/v1/logs",), lambda _head, _body: _json(200, USAGE))
PROTOCOL: Final = Protocol(NAME, (TAKE,), refuse, (USAGE_PROBE,))
