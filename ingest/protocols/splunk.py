"""Splunk's HTTP Event Collector: /services/collector, its raw form, acknowledgements and health.

An event body is JSON objects one after the other, however they are separated, whatever the content type says. Of an
object count `event` (a text, or an object), `time` (an epoch number, also as text), `host`, `source`, `sourcetype`,
`index` and `fields`. A raw body is lines. (Splunk, "Format events for HTTP Event Collector".)

What is no event is stored as it came, with the attribute `_ingest_error`: a client would drop the good ones beside it
or send all for ever. Only a body in which nothing is an event is refused. An object of Fluent Bit's that has no `event`
is one: its `splunk_send_raw` leaves the envelope to the user.

Whoever names a channel is given an `ackId`. Records are durable before the answer, so that every id that was given out
is acknowledged, whenever it is asked about, and none has to be remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from ingest import documents
from ingest.body import inflate
from ingest.decoding import Envelope, Part, Role
from ingest.identity import resolve
from ingest.json_objects import Unread, objects, on_one_line
from ingest.json_text import to_json
from ingest.placing import place
from ingest.protocol import Answer, Probe, Protocol, Refusal, Take
from ingest.request import Decoded, Head, Request
from ingest.rows import Rows
from ingest.times import epoch_ns
from logstore.errors import Busy, InvalidInput, TooLarge

NAME: Final = "splunk"
ACK_ID_BITS: Final = 53
"""Ids are numbers that every JSON reader keeps exactly."""
_META: Final = ("host", "source", "sourcetype", "index")
_STREAMS: Final = ("stdout", "stderr")
_UNUSUAL: Final = {"line": Part.FOREIGN, "message": Part.FOREIGN_OBJECT}
"""Members of Docker's events, and of those of Splunk's libraries for Node, which put what was logged into `message`."""
_MESSAGES: Final = ("message", "msg", "log")
_PARTS: Final = {
    "event": Part.RECORD,
    "time": Part.TIME,
    **dict.fromkeys(_META, Part.MEMBER),
    "fields": Part.MEMBERS,
}
_RENAMED: Final = {"host": "host.name"}
_SHAPE: Final = documents.Shape(
    (
        ("line", Role.MESSAGE),
        ("body", Role.MESSAGE),
        ("otel.log.severity.text", Role.SEVERITY),
        ("docker.tag", Role.METADATA),
        ("sourcetype", Role.METADATA),
        ("index", Role.METADATA),
    ),
    Envelope.of(_PARTS, _RENAMED),
)
_USUAL: Final = replace(_SHAPE, envelope=Envelope.of(_PARTS | _UNUSUAL, _RENAMED))
_TOO_LARGE: Final = 27
_ACKS_MAX_BYTES: Final = 4 << 20
_TEXTS: Final = {
    0: "Success",
    2: "Token is required",
    4: "Invalid token",
    5: "No data",
    6: "Invalid data format",
    8: "Internal server error",
    9: "Server is busy",
    10: "Data channel is missing",
    12: "Event field is required",
    13: "Event field cannot be blank",
    17: "HEC is healthy",
    27: "Request entity too large",
}
_STATUSES: Final = {0: 200, _TOO_LARGE: 413}
_CODES: Final = {401: 2, 403: 4, 503: 9}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer needs to know: Splunk's code, and the event that it concerns, from 0."""

    code: int = 0
    event: int | None = None


def decode_events(request: Request) -> Decoded:
    """The records of an event body.

    Raises:
        TooLarge: more records than `limits.max_records`.
    """
    defaults = {name: value for name in _META if (value := request.head.params.get(name))}
    if not defaults:
        columns = documents.decode_at_once(request.body, request, _USUAL)
        if columns is not None:
            return Decoded(place(columns, request), items=Outcome(0 if columns.batch.num_rows else 5))
    return _decode_one_by_one(request, defaults)


def _decode_one_by_one(request: Request, defaults: Mapping[str, str]) -> Decoded:
    """The same of a body in which something is no event, or differs from what Splunk documents."""
    lines = documents.Lines(request.limits)
    problem: tuple[int, int] | None = None
    is_any_event = False
    for number, (found, text) in enumerate(objects(request.body)):
        if request.head.is_of_fluent_bit and isinstance(found, dict) and "event" not in found:
            found, text = {"event": found}, b'{"event":%b}' % text
        code = _code(found)
        is_any_event = is_any_event or code == 0
        problem = problem or ((code, number) if code else None)
        lines.append(_line(found, text, defaults))
    if not lines.texts:
        return Rows(request).decoded(items=Outcome(5))
    if problem and not is_any_event:
        code, number = problem
        rows = Rows(request)
        rows.reject(number + 1, _TEXTS[code])
        return rows.decoded(items=Outcome(code, number))
    decoded = documents.decode(lines.body, request, shape=_SHAPE)
    return replace(decoded, items=Outcome(0 if decoded.batch.num_rows else _TOO_LARGE))


def decode_raw(request: Request) -> Decoded:
    """The lines of a raw body; blank ones are none. Query parameters say the rest."""
    params = request.head.params
    rows = Rows(request)
    told = resolve({name: value for name in _META if (value := params.get(name))}, request.identity)
    group, when_ns = rows.group(told.source), epoch_ns(params.get("time", ""))
    for line in request.body.split(b"\n"):
        if line.strip():
            rows.add(group, when_ns, line.removesuffix(b"\r"), attributes=told.rest)
    return rows.decoded(items=Outcome(0 if len(rows) else 5))


def answer(request: Request, decoded: Decoded) -> Answer:
    """Success, or why nothing in the body was an event."""
    outcome: Outcome = decoded.items
    told: dict[str, Any] = {}
    if outcome.event is not None:
        told["invalid-event-number"] = outcome.event
    if outcome.code == 0 and _channel(request.head):
        told["ackId"] = request.now_ns % (1 << ACK_ID_BITS)
    return _tell(_STATUSES.get(outcome.code, 400), outcome.code, told)


def refuse(head: Head, refusal: Refusal) -> Answer:
    """Full and unavailable are 503 with code 9, after which every client tries again."""
    if isinstance(refusal.error, Busy):
        return _tell(503, 9)
    if isinstance(refusal.error, TooLarge):
        return _tell(413, _TOO_LARGE, {"reason": refusal.message})
    if isinstance(refusal.error, InvalidInput):
        return _tell(400, 6, {"reason": refusal.message})
    if refusal.status == 401 and (head.headers.get("authorization") or _credential(head)):
        return _tell(403, 4)
    return _tell(refusal.status, _CODES.get(refusal.status, 8))


def acknowledge(head: Head, body: bytes) -> Answer:
    """All ids that are asked about: one is only given out for records that are durable."""
    if not _channel(head):
        return _tell(400, 10)
    try:
        asked = orjson.loads(inflate(body, head.headers.get("content-encoding", ""), _ACKS_MAX_BYTES))
    except (ValueError, InvalidInput, TooLarge):
        return _tell(400, 6)
    ids = asked.get("acks") if isinstance(asked, dict) else None
    if not isinstance(ids, list) or not all(isinstance(number, int) for number in ids):
        return _tell(400, 6)
    return _json(200, {"acks": {str(number): True for number in ids}})


def _credential(head: Head) -> str:
    return head.params.get("token", "")


def _code(found: dict[str, Any] | Unread) -> int:
    """Splunk's for what is no event."""
    if isinstance(found, Unread):
        return 6
    event = found.get("event")
    return 12 if event is None else 13 if event == "" else 0


def _line(found: dict[str, Any] | Unread, text: bytes, defaults: Mapping[str, str]) -> bytes:
    """An event on one line, with the defaults that it may have overridden."""
    line = on_one_line(text)
    if isinstance(found, Unread):
        return line
    event = found.get("event")
    if isinstance(event, dict) and (told := _told_elsewhere(event)):
        line = to_json({**found, "event": told}).encode()
    return to_json(defaults)[:-1].encode() + b"," + line[1:] if defaults else line


def _told_elsewhere(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event as if it said itself what a member of it says; None if it does."""
    if "line" in event and event.get("source") in _STREAMS:
        return _of_docker(event)
    message = event.get("message")
    return _of_library(event, message) if isinstance(message, dict) else None


def _of_library(event: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was logged with a message of its own, and what the library says besides."""
    besides = {name: value for name, value in event.items() if name != "message"}
    has_text = any(isinstance(message.get(name), str) for name in _MESSAGES)
    return {**message, **besides} if has_text and message.keys().isdisjoint(besides) else None


def _of_docker(event: Mapping[str, Any]) -> dict[str, Any]:
    """What Docker's logging driver says of a line and its container (`splunk-format` inline or json)."""
    attrs = event.get("attrs")
    said = {name: value for name, value in event.items() if name not in ("line", "source", "tag", "attrs")}
    told = {"message": event["line"], "stream": event["source"]}
    tag = {"docker.tag": event["tag"]} if event.get("tag") else {}
    return {**said, **(attrs if isinstance(attrs, dict) else {}), **told, **tag}


def _channel(head: Head) -> str:
    return head.headers.get("x-splunk-request-channel", "") or head.params.get("channel", "")


def _tell(status: int, code: int, told: Mapping[str, Any] | None = None) -> Answer:
    return _json(status, {"text": _TEXTS[code], "code": code, **(told or {})})


def _json(status: int, told: Mapping[str, Any]) -> Answer:
    return Answer(status, to_json(told).encode(), "application/json")


_EVENTS: Final = Take(
    ("POST", "PUT"),
    ("/services/collector", "/services/collector/event", "/services/collector/event/{version}"),
    decode_events,
    answer,
)
_RAW: Final = Take(
    ("POST", "PUT"), ("/services/collector/raw", "/services/collector/raw/{version}"), decode_raw, answer
)
_PATHS: Final = (*_EVENTS.patterns, *_RAW.patterns)
_ACKS: Final = Probe(("POST",), ("/services/collector/ack", "/services/collector/ack/{version}"), acknowledge)
_HEALTH: Final = Probe(
    ("GET",),
    ("/services/collector/health", "/services/collector/health/{version}"),
    lambda _head, _body: _tell(200, 17),
    is_open=True,
)
_OPTIONS: Final = Probe(("OPTIONS",), _PATHS, lambda _head, _body: Answer(200), is_open=True)
"""Docker asks so, without a token, before it starts a container."""

PROTOCOL: Final = Protocol(NAME, (_EVENTS, _RAW), refuse, (_ACKS, _HEALTH, _OPTIONS), credential=_credential)
