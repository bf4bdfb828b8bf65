"""Datadog's log intake: /api/v2/logs, the older /v1/input, and the validation of keys.

A body is a JSON array of logs, one log, or several one after the other; text/plain is one log a line. The query
parameters `ddtags`, `ddsource`, `service` and `hostname` hold for logs that do not say it. What is no log is stored as
it came, with the attribute `_ingest_error`: the agent would send all of its batch for ever. (Datadog API, "Send logs".)
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from ingest import documents
from ingest.decoding import Columns, Role
from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.json_body import as_sent
from ingest.json_objects import Unread, objects
from ingest.json_text import to_json
from ingest.placing import Number, members_text, place
from ingest.protocol import Answer, Probe, Protocol, Refusal, Take
from ingest.request import Decoded, Head, Request
from ingest.rows import INGEST_ERROR, Rows
from ingest.severity import severity_of
from ingest.times import time_ns

NAME: Final = "datadog"
_PLACE: Final = ("ddtags", "ddsource", "service", "hostname", "stream", "kubernetes")
_TIMES: Final = ("timestamp", "date", "@timestamp")
_SEVERITIES: Final = ("status", "level", "severity")
_SHAPE: Final = documents.Shape(
    (
        ("status", Role.SEVERITY),
        ("timestamp", Role.TIME),
        ("date", Role.TIME),
        ("dd", Role.WALK),
        ("dd.trace_id", Role.TRACE_ID),
        ("dd.span_id", Role.SPAN_ID),
        *((name, Role.METADATA) for name in ("ddtags", "ddsource", "service", "hostname")),
    )
)
_UNUSUAL: Final = (b"{}", b'"lambda"')
"""Empty logs, which are none, and those of Lambda."""
_REMEMBERED: Final = 2048
_REMEMBERED_MAX_CHARACTERS: Final = 4096
_TAG_TO_PATH: Final = {"host": "hostname", "container_image": "image", "docker_image": "image"}
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    408: "Request Timeout",
    413: "Payload Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


def decode(request: Request) -> Decoded:
    """The logs of one body.

    Raises:
        TooLarge: more logs than `limits.max_records`.
    """
    logs = _Logs(request)
    if request.head.media_type in ("text/plain", "application/logplex-1"):
        for line in request.body.split(b"\n"):
            if line.strip():
                logs.add_text(line.removesuffix(b"\r"))
        return logs.rows.decoded()
    if not logs.defaults and not any(text in request.body for text in _UNUSUAL):
        columns = documents.decode_at_once(request.body, request, _SHAPE)
        if columns is not None and columns.batch.column("labels").null_count == columns.batch.num_rows:
            return Decoded(place(_with_tags(columns, request.identity), request))
    return _decode_one_by_one(request, logs)


def _decode_one_by_one(request: Request, logs: "_Logs") -> Decoded:
    """The same of a body in which something is no log, or unusual."""
    poison: list[tuple[int, Unread, bytes]] = []
    for number, (found, text) in enumerate(objects(request.body), 1):
        if isinstance(found, Unread):
            poison.append((number, found, text))
        elif found:
            logs.add(found)
    for number, unread, text in poison:
        if len(logs.rows):
            logs.add_text(text, unread.error)
        else:
            logs.rows.reject(number, unread.error)
    return logs.rows.decoded()


def _with_tags(columns: Columns, table: Table) -> Columns:
    """Tags as identity and labels, done once for all logs that have the same."""
    codes, texts = columns.metadata.indices, columns.metadata.dictionary.to_pylist()
    told = [(_remembered if len(text) <= _REMEMBERED_MAX_CHARACTERS else _of_metadata)(text, table) for text in texts]
    metadata = pa.DictionaryArray.from_arrays(codes, pa.array([text for text, _ in told], pa.string()))
    labels = pa.DictionaryArray.from_arrays(codes, pa.array([text for _, text in told], pa.string()))
    at = columns.batch.schema.get_field_index("labels")
    batch = columns.batch.set_column(at, columns.batch.schema.field(at), labels)
    return replace(columns, batch=batch, metadata=metadata)


def _of_metadata(text: str, table: Table) -> tuple[str, str]:
    """What a log says of its source, as identity and as labels, both JSON."""
    told = json.loads(text, parse_int=Number, parse_float=Number)
    tags = _tags(told.pop("ddtags", ""))
    others = resolve(tags, table).rest
    if hostname := told.pop("hostname", None):
        told["host.name"] = hostname
    own = {name: _text(told.pop(name)) for name in ("service", "ddsource") if told.get(name)}
    told |= {name: value for name, value in tags.items() if name not in others}
    return f"{{{members_text(told) or ''}}}", to_json({**others, **own}, is_sorted=True)


_remembered: Final = lru_cache(_REMEMBERED)(_of_metadata)


def answer(_request: Request, decoded: Decoded) -> Answer:
    """Accepted, or why there was no log in the body. An empty one, by which agents find out who is there, is fine."""
    if decoded.rejects and not decoded.batch.num_rows:
        first = decoded.rejects[0]
        return _errors(400, f"nothing could be read; log {first.line}: {first.error}")
    return _json(202, {})


def refuse(head: Head, refusal: Refusal) -> Answer:
    """A key that is not known is forbidden, one that is missing unauthorised."""
    status = 403 if refusal.status == 401 and credential(head) else refusal.status
    return _errors(status, refusal.message)


def credential(head: Head) -> str:
    """The API key."""
    key = head.headers.get("dd-api-key") or head.params.get("dd-api-key") or head.params.get("api_key")
    return key or head.segments.get("key", "")


class _Logs:
    """The logs of one request, put into its rows; where they come from is found out once for all that say the same."""

    def __init__(self, request: Request) -> None:
        self.rows = Rows(request)
        self._table = request.identity
        self.defaults = {name: value for name in _PLACE if (value := request.head.params.get(name))}
        self._groups: dict[tuple[str, ...], tuple[int, Mapping[str, Any]]] = {}

    def add(self, log: dict[str, Any]) -> None:
        group, left = self._group(
            {**self.defaults, **{name: log.pop(name) for name in _PLACE if log.get(name) is not None}}
        )
        when_ns = _take_time(log)
        severity = _take_severity(log)
        message = as_sent(_take_message(log))
        trace_id, span_id = _take_id(log, "trace_id"), _take_id(log, "span_id")
        self.rows.add(
            group, when_ns, message, severity=severity, attributes={**left, **log}, trace_id=trace_id, span_id=span_id
        )

    def add_text(self, text: bytes, error: str = "") -> None:
        group, _ = self._group(self.defaults)
        self.rows.add(group, None, text, attributes={INGEST_ERROR: error} if error else None)

    def _group(self, told: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """Where logs come from that say so, and the attributes that are left of it."""
        key = tuple(_text(told.get(name, "")) for name in _PLACE)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._new_group(told)
        return group

    def _new_group(self, told: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        tags = _tags(told.get("ddtags", ""))
        named = {"hostname": "host.name", "stream": "stream", "kubernetes": "kubernetes"}
        place = {path: told[name] for name, path in named.items() if name in told}
        resolved = resolve({**tags, **place}, self._table)
        own = {name: _text(told[name]) for name in ("service", "ddsource") if name in told}
        left = {name: value for name, value in resolved.rest.items() if name in place}
        rest = {name: _text(value) for name, value in resolved.rest.items() if name not in left}
        return self.rows.group(replace(resolved.source, labels={**rest, **own, **resolved.source.labels})), left


def _tags(text: Any) -> dict[str, str]:
    """`a:1,b:2` or a list of such; of a tag that is repeated all values, with commas between them."""
    tags: dict[str, str] = {}
    for tag in text if isinstance(text, list) else _text(text).split(","):
        name, _, value = _text(tag).strip().partition(":")
        name = _TAG_TO_PATH.get(name, name)
        if name and value not in tags.get(name, "").split(","):
            tags[name] = f"{tags[name]},{value}" if tags.get(name) else value
        elif name:
            tags.setdefault(name, value)
    return tags


def _take_time(log: dict[str, Any]) -> int | None:
    """The first of the names that is there; one that cannot be read stays in `_time`."""
    name = next((name for name in _TIMES if log.get(name) is not None), None)
    if name is None:
        return None
    sent = log.pop(name)
    when_ns = time_ns(sent)
    if when_ns is None:
        log["_time"] = sent
    return when_ns


def _take_severity(log: dict[str, Any]) -> str:
    for name in _SEVERITIES:
        word = log.get(name)
        if isinstance(word, str | int) and (severity := severity_of(str(word))):
            del log[name]
            return severity
    return ""


def _take_message(log: dict[str, Any]) -> str:
    """The message; the members of one that is an object with a message of its own become the log's (as of Lambda's)."""
    message = log.pop("message", None)
    if isinstance(message, dict) and isinstance(message.get("message"), str):
        inner = {**message}
        text: str = inner.pop("message")
        log.update({name: value for name, value in inner.items() if name not in log})
        return text
    if message is not None:
        return _text(message)
    return to_json(log)


def _take_id(log: dict[str, Any], name: str) -> str | None:
    """An id as sent: `dd.trace_id`, or `trace_id` in `dd`, or by itself."""
    for key in (f"dd.{name}", name):
        if isinstance(value := log.get(key), str | int) and not isinstance(value, bool):
            del log[key]
            return str(value)
    inner = log.get("dd")
    if isinstance(inner, dict) and isinstance(value := inner.get(name), str | int):
        log["dd"] = {key: member for key, member in inner.items() if key != name}
        if not log["dd"]:
            del log["dd"]
        return str(value)
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json({"": value})[4:-1]


def _errors(status: int, detail: str) -> Answer:
    error = {"status": str(status), "title": _TITLES.get(status, "Error"), "detail": detail}
    return _json(status, {"errors": [error]})


def _json(status: int, told: Mapping[str, Any]) -> Answer:
    return Answer(status, to_json(told).encode(), "application/json")


_LOGS: Final = Take(("POST",), ("/api/v2/logs",), decode, answer)
_OLDER: Final = Take(
    ("POST",),
    ("/v1/input", "/v1/input/{key}"),
    decode,
    lambda request, decoded: _older(answer(request, decoded)),
)
_VALIDATE: Final = Probe(("GET",), ("/api/v1/validate",), lambda _head, _body: _json(200, {"valid": True}))


def _older(answered: Answer) -> Answer:
    return replace(answered, status=200) if answered.status == 202 else answered


PROTOCOL: Final = Protocol(NAME, (_LOGS, _OLDER), refuse, (_VALIDATE,), credential=credential)
