"""OTLP's logs in JSON, as SDKs for JavaScript send them: what logstore/native/otlp.c says of Protocol Buffers.

What SDKs usually write is read by logstore/native/otlp_json.c, all else here.

Keys in camel or snake case, unknown ones ignored; trace and span ids are hexadecimal in any case. A record that is no
object, or nested too deeply, is rejected; a time that is no number is stored as the attribute `_time`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingest.entries import Unsure, decode_entries, entries_kernel
from ingest.identity import Resolved
from ingest.json_body import as_sent, read_json
from ingest.json_text import to_json
from ingest.protocols.otlp.any_value import DEPTH_MAX, TooDeep, read_any, read_integer, read_pairs
from ingest.protocols.otlp.resource import is_lifted, lifted, resolve_group
from ingest.request import Decoded, Request
from ingest.rows import Rows
from ingest.severity import says_more, severity_of, severity_of_number
from logstore.errors import InvalidInput

_KERNEL: Final = entries_kernel("kernel_otlp_json")
_NUMBER_PREFIX: Final = "SEVERITY_NUMBER_"
_NUMBERS_A_SEVERITY: Final = 4
_NUMBER_WORDS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_TRACE_FLAGS: Final = 0xFF
_TRACE_ID_DIGITS, _SPAN_ID_DIGITS = 32, 16


def decode(request: Request) -> Decoded:
    """All log records of the body: in a kernel, or exactly where that is unsure.

    Raises:
        InvalidInput: not JSON, or no export of logs.
        TooLarge: more than `max_records`.
    """
    try:
        return decode_entries(_KERNEL, request, lifted(request.identity), resolve_group)
    except Unsure:
        return decode_exactly(request)


def decode_exactly(request: Request) -> Decoded:
    """The same, of any body, record by record.

    Raises:
        InvalidInput: not JSON, or no export of logs.
        TooLarge: more than `max_records`.
    """
    export = read_json(request.body)
    if not isinstance(export, dict):
        raise InvalidInput('the body is no ExportLogsServiceRequest in JSON: {"resourceLogs": […]}')
    records = _Records(request)
    for logs in _list(export, "resourceLogs", "resource_logs"):
        resource = dict(read_pairs(_object(logs, "resource").get("attributes")))
        for scope_logs in _list(logs, "scopeLogs", "scope_logs"):
            records.begin(resource, _scope(_object(scope_logs, "scope")))
            for record in _list(scope_logs, "logRecords", "log_records"):
                records.add(record)
    return records.rows.decoded()


@dataclass(slots=True)
class _Place:
    """What the records of one scope have in common."""

    resource: str
    scope: Mapping[str, Any]
    groups: dict[str, tuple[int, Resolved]]


class _Records:
    """Collects log records, scope by scope."""

    def __init__(self, request: Request) -> None:
        self.rows = Rows(request)
        self._table = request.identity
        self._read = 0
        self._place = _Place("{}", {}, {})

    def begin(self, resource: Mapping[str, Any], scope: Mapping[str, Any]) -> None:
        """What is added from now on comes from here."""
        self._place = _Place(to_json(resource), scope, {})

    def add(self, record: Any) -> None:
        self._read += 1
        if not isinstance(record, dict):
            self.rows.reject(self._read, "a log record is a JSON object")
            return
        try:
            self._add(record)
        except TooDeep:
            self.rows.reject(self._read, f"a value is nested deeper than {DEPTH_MAX} levels")

    def _add(self, record: Mapping[str, Any]) -> None:
        attributes = dict(self._place.scope)
        told: dict[str, Any] = {}
        for name, value in read_pairs(record.get("attributes")):
            if is_lifted(name, value, self._table):
                told[name] = value
            else:
                attributes[name] = value
        severity = _severity(record, attributes)
        event = _get(record, "eventName", "event_name")
        attributes.update(_extras(record, event))
        group, found = self._group(to_json(told) if told else "")
        self.rows.add(
            group,
            _time(record, attributes),
            _message(read_any(record.get("body"), 0), event),
            severity=severity or found.severity,
            attributes={**found.rest, **attributes},
            trace_id=_id(_get(record, "traceId", "trace_id"), _TRACE_ID_DIGITS) or found.trace_id,
            span_id=_id(_get(record, "spanId", "span_id"), _SPAN_ID_DIGITS) or found.span_id,
        )

    def _group(self, told: str) -> tuple[int, Resolved]:
        place = self._place
        if (known := place.groups.get(told)) is None:
            found = resolve_group(place.resource, told, self._table)
            known = place.groups[told] = self.rows.group(found.source), found
        return known


def _scope(scope: Mapping[str, Any]) -> dict[str, Any]:
    named = {f"otel.scope.{name}": scope[name] for name in ("name", "version") if scope.get(name)}
    return {**named, **dict(read_pairs(scope.get("attributes")))}


def _severity(record: Mapping[str, Any], attributes: dict[str, Any]) -> str:
    """The severity of the number, else of the text; what it does not tell of both becomes an attribute."""
    number = _number(_get(record, "severityNumber", "severity_number"))
    text = _get(record, "severityText", "severity_text")
    of_text = severity_of(text) if isinstance(text, str) else ""
    severity = severity_of_number(number) if isinstance(number, int) else ""
    is_known = bool(severity)
    severity = severity or of_text
    if text and (of_text != severity or not isinstance(text, str) or says_more(text)):
        attributes["severity_text"] = text
    if number and (not is_known or (number - 1) % _NUMBERS_A_SEVERITY):
        attributes["severity_number"] = number
    return severity


def _number(number: Any) -> Any:
    """Of an enum's name or number."""
    if isinstance(number, str) and number.startswith(_NUMBER_PREFIX):
        word = number.removeprefix(_NUMBER_PREFIX)
        letters, digit = word.rstrip("234"), word[-1:] if word[-1:] in "234" else "1"
        if letters in _NUMBER_WORDS:
            return _NUMBER_WORDS.index(letters) * _NUMBERS_A_SEVERITY + int(digit)
        return 0 if letters == "UNSPECIFIED" else number
    return read_integer(number)


def _time(record: Mapping[str, Any], attributes: dict[str, Any]) -> int | None:
    for names in (("timeUnixNano", "time_unix_nano"), ("observedTimeUnixNano", "observed_time_unix_nano")):
        time = read_integer(_get(record, *names))
        if not time:
            continue
        if type(time) is int:
            return time
        attributes["_time"] = time
    return None


def _message(body: Any, event: Any) -> str | bytes:
    """The text, or the JSON of another value; of an event without a body its name."""
    if body is None:
        return event if isinstance(event, str) else ""
    if isinstance(body, str):
        return as_sent(body)
    return body if isinstance(body, bytes) else to_json({"": body})[4:-1]


def _extras(record: Mapping[str, Any], event: Any) -> dict[str, Any]:
    extras = {
        "event_name": event,
        "trace_flags": _flags(record),
        "dropped_attributes_count": read_integer(_get(record, "droppedAttributesCount", "dropped_attributes_count")),
    }
    return {name: value for name, value in extras.items() if value}


def _flags(record: Mapping[str, Any]) -> int:
    flags = read_integer(record.get("flags"))
    return flags & _TRACE_FLAGS if type(flags) is int else 0


def _id(digits: Any, length: int) -> str | None:
    """In lower case; an id of another length, or all zero, is none."""
    if not isinstance(digits, str) or len(digits) != length or not digits.strip("0"):
        return None
    lower = digits.lower()
    return None if lower.strip("0123456789abcdef") else lower


def _get(members: Mapping[str, Any], camel: str, snake: str) -> Any:
    return members[camel] if camel in members else members.get(snake)


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members.get(name)
    return value if isinstance(value, dict) else {}


def _list(members: Mapping[str, Any], camel: str, snake: str) -> Iterator[Any]:
    """The elements; of lists of messages, those that are objects."""
    values = _get(members, camel, snake)
    is_records = camel == "logRecords"
    return (value for value in (values if isinstance(values, list) else ()) if is_records or isinstance(value, dict))
