"""Loki's push API: POST /loki/api/v1/push, and /api/prom/push as it was before.

Source: Grafana Loki, HTTP API reference, "Ingest logs"; grafana/loki pkg/push/push.proto.

A body is JSON, with any content coding, or protobuf, which is always a block of snappy, whether its sender says so or
not. Loki answers 204 without a body, and errors as a line of text. Where some entries were not taken the others are
stored, and the answer is 400, which tells every client not to send them again.

Lines in which an agent wrote its whole record are opened (`ingest.agent_records`).
"""

from dataclasses import replace
from typing import Final

from ingest import body as bodies
from ingest import snappy
from ingest.agent_records import opened
from ingest.entries import decode_entries, entries_kernel
from ingest.protocol import Answer, Probe, Protocol, Refusal, Take
from ingest.protocols.loki import json_form
from ingest.protocols.loki.kubernetes import put_together
from ingest.protocols.loki.streams import lifted, resolve_group
from ingest.request import Decoded, Head, Request
from logstore.errors import InvalidInput

NAME: Final = "loki"
_KERNEL: Final = entries_kernel("kernel_loki")
_TEXT: Final = "text/plain; charset=utf-8"


def decode(request: Request) -> Decoded:
    """The entries of a push.

    Raises:
        InvalidInput: the body is no push, or has no entry.
        TooLarge: more than `max_records`.
    """
    is_json = _is_json(request.head, request.body)
    decoded = (
        json_form.decode(request)
        if is_json
        else decode_entries(_KERNEL, request, lifted(request.identity), resolve_group)
    )
    if not decoded.batch.num_rows and not decoded.rejects:
        raise InvalidInput("a push has at least one stream with an entry")
    batch = put_together(decoded.batch, request.identity)
    batch = opened(batch, request, are_records=request.head.is_of_fluent_bit)
    return replace(decoded, batch=batch)


def inflate(body: bytes, head: Head, max_bytes: int) -> bytes:
    """The push without its coding.

    Raises:
        InvalidInput: an unknown coding, or a damaged body.
        TooLarge: more than `max_bytes`.
    """
    coding = head.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", "snappy"):
        return bodies.inflate(body, coding, max_bytes)
    if coding == "snappy" or "protobuf" in head.media_type:
        return snappy.decompress(body, max_bytes)
    if "json" in head.media_type:
        return bodies.inflate(body, "", max_bytes)
    try:
        return snappy.decompress(body, max_bytes)
    except InvalidInput:
        return bodies.inflate(body, "", max_bytes)


def answer(_request: Request, decoded: Decoded) -> Answer:
    if not decoded.rejects:
        return Answer(204)
    told = "; ".join(f"entry {reject.line}: {reject.error}" for reject in decoded.rejects[:10])
    taken, untold = decoded.batch.num_rows, len(decoded.rejects) - 10
    more = f"; and {untold:,} others" if untold > 0 else ""
    return _line(400, f"{taken:,} entries are stored, {len(decoded.rejects):,} are not: {told}{more}")


def refuse(_head: Head, refusal: Refusal) -> Answer:
    return _line(refusal.status, refusal.message)


def _line(status: int, text: str) -> Answer:
    return Answer(status, text.encode("utf-8", "backslashreplace") + b"\n", _TEXT)


def _is_json(head: Head, body: bytes) -> bool:
    return "json" in head.media_type or ("protobuf" not in head.media_type and body.startswith(b"{"))


TAKE: Final = Take(("POST",), ("/loki/api/v1/push", "/api/prom/push"), decode, answer, inflate)
READY: Final = Probe(("GET", "HEAD"), ("/ready",), lambda _head, _body: _line(200, "ready"), is_open=True)
PROTOCOL: Final = Protocol(NAME, (TAKE,), refuse, (READY,), ("", "/loki"))
