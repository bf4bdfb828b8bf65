"""Splunk's HTTP Event Collector: /services/collector, its raw form, acknowledgements and health.

An event body is JSON objects one after the other, however they are separated, whatever the content type says. Of an
object count `event` (a text, or an object), `time` (an epoch number, also as text), `host`, `source`, `sourcetype`,
`index` and `fields`. A raw body is lines. (Splunk, "Format events for HTTP Event Collector".)

What is no event is stored as it came, with the attribute `_ingest_error`: a client would drop the good ones beside it
or send all for ever. Only a body in which nothing is an event is refused.

Whoever names a channel is given an `ackId`. Records are durable before the answer, so that every id that was given out
is acknowledged, whenever it is asked about, and none has to be remembered.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ingest.grouping import Groups
from ingest.json_body import as_sent
from ingest.json_objects import Unread, objects
from ingest.json_text import to_json
from ingest.protocol import Answer, Probe, Protocol, Refusal, Take
from ingest.request import Decoded, Head, Request
from ingest.rows import INGEST_ERROR, Rows
from ingest.times import epoch_ns, time_ns
from logstore.errors import Busy, InvalidInput, TooLarge

NAME: Final = "splunk"
ACK_ID_BITS: Final = 53
"""Ids are numbers that every JSON reader keeps exactly."""
_META: Final = ("host", "source", "sourcetype", "index")
_STREAMS: Final = ("stdout", "stderr")
_MESSAGE: Final = ("message", "msg", "log", "line", "body")
_TIME: Final = re.compile(rb'"time"\s*:\s*(-?[0-9.eE+-]+)')
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
}
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
    rows = Rows(request)
    groups = Groups(rows, request.identity)
    defaults = {name: value for name in _META if (value := request.head.params.get(name))}
    poison: list[tuple[int, int, str, bytes]] = []
    number = -1
    for number, (found, text) in enumerate(objects(request.body)):
        problem = _problem(found)
        if problem is None and isinstance(found, dict):
            _add(rows, groups, found, text, defaults)
        elif problem is not None:
            poison.append((number, *problem, text))
    if number < 0:
        return rows.decoded(items=Outcome(5))
    if poison and not len(rows):
        first, code, error, _ = poison[0]
        rows.reject(first + 1, error)
        return rows.decoded(items=Outcome(code, first))
    for _, _, error, text in poison:
        place = groups.place(defaults)
        rows.add(place.group, None, text, attributes={**place.attributes, INGEST_ERROR: error})
    return rows.decoded(items=Outcome())


def decode_raw(request: Request) -> Decoded:
    """The lines of a raw body; blank ones are none. Query parameters say the rest."""
    params = request.head.params
    rows = Rows(request)
    place = Groups(rows, request.identity).place({name: value for name in _META if (value := params.get(name))})
    when_ns = epoch_ns(params.get("time", ""))
    for line in request.body.split(b"\n"):
        if line.strip():
            rows.add(place.group, when_ns, line.removesuffix(b"\r"), attributes=place.attributes)
    return rows.decoded(items=Outcome(0 if len(rows) else 5))


def answer(request: Request, decoded: Decoded) -> Answer:
    """Success, or why nothing in the body was an event."""
    outcome: Outcome = decoded.items
    told: dict[str, Any] = {}
    if outcome.event is not None:
        told["invalid-event-number"] = outcome.event
    if outcome.code == 0 and _channel(request.head):
        told["ackId"] = request.now_ns % (1 << ACK_ID_BITS)
    return _tell(400 if outcome.code else 200, outcome.code, told)


def refuse(head: Head, refusal: Refusal) -> Answer:
    """Full and unavailable are 503 with code 9, after which every client tries again."""
    if isinstance(refusal.error, Busy):
        return _tell(503, 9)
    if isinstance(refusal.error, TooLarge):
        return _json(413, {"text": refusal.message, "code": 27})
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
        asked = orjson.loads(body)
    except ValueError:
        return _tell(400, 6)
    ids = asked.get("acks") if isinstance(asked, dict) else None
    if not isinstance(ids, list) or not all(isinstance(number, int) for number in ids):
        return _tell(400, 6)
    return _json(200, {"acks": {str(number): True for number in ids}})


def _credential(head: Head) -> str:
    return head.params.get("token", "")


def _problem(found: dict[str, Any] | Unread) -> tuple[int, str] | None:
    """Splunk's code and the reason, if this is no event."""
    if isinstance(found, Unread):
        return 6, found.error
    event = found.get("event")
    if event is None:
        return 12, "the key event is missing"
    return (13, "the key event is blank") if event == "" else None


def _add(rows: Rows, groups: Groups, envelope: dict[str, Any], text: bytes, defaults: Mapping[str, str]) -> None:
    event = envelope["event"]
    told = {**defaults, **{name: envelope[name] for name in _META if envelope.get(name)}}
    fields = envelope.get("fields")
    if isinstance(fields, dict):
        told |= fields
    elif fields is not None:
        told["fields"] = fields
    if level := told.pop("otel.log.severity.text", None):
        told.setdefault("severity", level)
    message, own = _message_of(event)
    if own.get("source") in _STREAMS and "line" in event:
        told |= _of_docker(own)
    place = groups.place(told, own)
    when_ns, attributes = _time_of(envelope.get("time"), text), place.attributes
    if when_ns is None and "time" in envelope:
        attributes["_time"] = envelope["time"]
    rows.add(
        place.group,
        when_ns,
        as_sent(message),
        severity=place.severity,
        attributes=attributes,
        trace_id=place.trace_id,
        span_id=place.span_id,
    )


def _message_of(event: Any) -> tuple[str, dict[str, Any]]:
    """The text of an event and, of an object, its other members. Without a text, it is the object's JSON."""
    if not isinstance(event, dict):
        return _text(event), {}
    for name in _MESSAGE:
        if event.get(name) is not None:
            own = {**event}
            return _text(own.pop(name)), own
    return to_json(event), {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json({"": value})[4:-1]


def _of_docker(own: dict[str, Any]) -> dict[str, Any]:
    """What Docker's logging driver says of the container, taken out of its event (`splunk-format` inline or json)."""
    told = {"stream": own.pop("source"), "tag": own.pop("tag", "")}
    attrs = own.pop("attrs", None)
    return {**attrs, **told} if isinstance(attrs, dict) else told


def _time_of(value: Any, text: bytes) -> int | None:
    """A number with a fraction is read as it was sent: as a floating-point number it has no nanoseconds."""
    if isinstance(value, float):
        found = [match.group(1) for match in _TIME.finditer(text)]
        exact = {number for number in found if _float(number) == value}
        if len(exact) == 1:
            return epoch_ns(exact.pop().decode())
    return time_ns(value)


def _float(number: bytes) -> float | None:
    try:
        return float(number)
    except ValueError:
        return None


def _channel(head: Head) -> str:
    return head.headers.get("x-splunk-request-channel", "") or head.params.get("channel", "")


def _tell(status: int, code: int, told: Mapping[str, Any] | None = None) -> Answer:
    return _json(status, {"text": _TEXTS[code], "code": code, **(told or {})})


def _json(status: int, told: Mapping[str, Any]) -> Answer:
    return Answer(status, to_json(told).encode(), "application/json")


_EVENTS: Final = Take(
    ("POST", "PUT"),
    ("/services/collector", "/services/collector/event", "/services/collector/event/1.0"),
    decode_events,
    answer,
)
_RAW: Final = Take(("POST", "PUT"), ("/services/collector/raw", "/services/collector/raw/1.0"), decode_raw, answer)
_PATHS: Final = (*_EVENTS.patterns, *_RAW.patterns)
_ACKS: Final = Probe(("POST",), ("/services/collector/ack", "/services/collector/ack/1.0"), acknowledge)
_HEALTH: Final = Probe(
    ("GET",),
    ("/services/collector/health", "/services/collector/health/1.0"),
    lambda _head, _body: _tell(200, 17),
    is_open=True,
)
_OPTIONS: Final = Probe(("OPTIONS",), _PATHS, lambda _head, _body: Answer(200), is_open=True)
"""Docker asks so, without a token, before it starts a container."""

PROTOCOL: Final = Protocol(NAME, (_EVENTS, _RAW), refuse, (_ACKS, _HEALTH, _OPTIONS), credential=_credential)
