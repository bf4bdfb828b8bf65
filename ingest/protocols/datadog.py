"""Datadog's log intake: /api/v2/logs, the older /v1/input, and the validation of keys.

A body is a JSON array of logs, one log, or several one after the other; text/plain is one log a line, unless its lines
are logs in JSON. The query parameters `ddtags`, `ddsource`, `service` and `hostname` hold for logs that do not say it.
What is no log is stored as it came, with the attribute `_ingest_error`: the agent would send all of its batch for ever.
(Datadog API, "Send logs".)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

from ingest import documents
from ingest.decoding import Columns, Role
from ingest.exact_json import members_text, read_exactly
from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.json_objects import Unread, objects, on_one_line
from ingest.json_text import to_json
from ingest.placing import place
from ingest.protocol import Answer, Probe, Protocol, Refusal, Take
from ingest.request import Decoded, Head, Request
from ingest.rows import Rows, Source
from logstore.native import holds

NAME: Final = "datadog"
_PLACE: Final = ("ddtags", "ddsource", "service", "hostname", "stream", "kubernetes")
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
    defaults = {name: value for name in _PLACE if (value := request.head.params.get(name))}
    if request.head.media_type in ("text/plain", "application/logplex-1") and not _is_json(request.body):
        return _decode_lines(request, defaults)
    if not defaults and not any(holds(request.body, text) for text in _UNUSUAL):
        columns = documents.decode_at_once(request.body, request, _SHAPE)
        if columns is not None:
            return Decoded(place(columns, request))
    return _decode_one_by_one(request, defaults)


def _is_json(body: bytes) -> bool:
    """Whether all lines are objects, as browsers send them, which call that text too."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    return all(line.startswith(b"{") for line in lines) and not any(
        isinstance(found, Unread) for found, _ in objects(body)
    )


def _decode_lines(request: Request, defaults: Mapping[str, str]) -> Decoded:
    rows = Rows(request)
    group = rows.group(_source(defaults, request.identity))
    for line in request.body.split(b"\n"):
        if line.strip():
            rows.add(group, None, line.removesuffix(b"\r"))
    return rows.decoded()


def _decode_one_by_one(request: Request, defaults: Mapping[str, str]) -> Decoded:
    """The same of a body in which something is no log, or unusual, or said by the request."""
    rejects = Rows(request)
    lines = documents.Lines(request.limits)
    is_any_log = False
    for number, (found, text) in enumerate(objects(request.body), 1):
        if isinstance(found, Unread):
            rejects.reject(number, found.error)
            lines.append(on_one_line(text))
        elif found:
            is_any_log = True
            lines.append(_line(found, text, defaults))
    return documents.decode(lines.body, request, shape=_SHAPE) if is_any_log else rejects.decoded()


def _line(log: Mapping[str, Any], text: bytes, defaults: Mapping[str, str]) -> bytes:
    """A log on one line, with the defaults for what it does not say."""
    message = log.get("message")
    if isinstance(message, dict) and isinstance(message.get("message"), str):
        text = to_json({**message, **log, "message": message["message"]}).encode("utf-8", "surrogateescape")
    unsaid = {name: value for name, value in defaults.items() if log.get(name) is None}
    line = on_one_line(text)
    return line.rstrip()[:-1] + b"," + to_json(unsaid)[1:].encode() if unsaid else line


def _with_tags(columns: Columns, table: Table) -> Columns:
    """Tags as identity and labels, done once for all logs that have the same."""
    codes, texts = columns.metadata.indices, columns.metadata.dictionary.to_pylist()
    told = [(_remembered if len(text) <= _REMEMBERED_MAX_CHARACTERS else _of_metadata)(text, table) for text in texts]
    metadata = pa.DictionaryArray.from_arrays(codes, pa.array([text for text, _ in told], pa.string()))
    labels = pa.DictionaryArray.from_arrays(codes, pa.array([text for _, text in told], pa.string()))
    at = columns.batch.schema.get_field_index("labels")
    own = columns.batch.column(at)
    if own.null_count < len(own):
        labels = _joined(own.to_pylist(), labels.to_pylist())
    batch = columns.batch.set_column(at, columns.batch.schema.field(at), labels)
    return replace(columns, batch=batch, metadata=metadata)


def _joined(own: Sequence[str | None], told: Sequence[str | None]) -> pa.DictionaryArray:
    """Labels of logs that bring some, before those of their tags."""
    texts = [
        to_json({**json.loads(others or "{}"), **json.loads(labels)}, is_sorted=True) if labels else others
        for labels, others in zip(own, told, strict=True)
    ]
    return pa.array(texts, pa.string()).dictionary_encode()


def _of_metadata(text: str, table: Table) -> tuple[str, str]:
    """What a log says of its source, as identity and as labels, both JSON."""
    told = read_exactly(text)
    tags = _tags(told.pop("ddtags", ""))
    others = resolve(tags, table).rest
    if hostname := told.pop("hostname", None) or _take_text(told, "host"):
        told["host.name"] = hostname
    own = {name: _text(told.pop(name)) for name in ("service", "ddsource") if told.get(name)}
    told |= {name: value for name, value in tags.items() if name not in others}
    return f"{{{members_text(told) or ''}}}", to_json({**others, **own}, is_sorted=True)


_remembered: Final = lru_cache(_REMEMBERED)(_of_metadata)


_SHAPE: Final = documents.Shape(
    (
        ("status", Role.SEVERITY),
        ("timestamp", Role.TIME),
        ("date", Role.TIME),
        ("dd", Role.WALK),
        ("dd.trace_id", Role.TRACE_ID),
        ("dd.span_id", Role.SPAN_ID),
        *((name, Role.METADATA) for name in ("ddtags", "ddsource", "service", "hostname", "host")),
    ),
    finish=_with_tags,
)


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


def _source(told: Mapping[str, str], table: Table) -> Source:
    """What a request says of the source of its lines."""
    tags = _tags(told.get("ddtags", ""))
    named = {"hostname": "host.name", "stream": "stream", "kubernetes": "kubernetes"}
    place = {path: told[name] for name, path in named.items() if name in told}
    resolved = resolve({**tags, **place}, table)
    own = {name: told[name] for name in ("service", "ddsource") if name in told}
    rest = {name: _text(value) for name, value in resolved.rest.items()}
    return replace(resolved.source, labels={**rest, **own, **resolved.source.labels})


def _tags(text: Any) -> dict[str, str]:
    """`a:1,b:2` or a list of such; of a tag that is repeated all values, with commas between them."""
    tags: dict[str, dict[str, None]] = {}
    for tag in text if isinstance(text, list) else _text(text).split(","):
        name, _, value = _text(tag).strip().partition(":")
        if name:
            tags.setdefault(_TAG_TO_PATH.get(name, name), {})[value] = None
    return {name: ",".join(filter(None, values)) for name, values in tags.items()}


def _take_text(log: dict[str, Any], name: str) -> str:
    value = log.get(name)
    return str(log.pop(name)) if isinstance(value, str) else ""


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
