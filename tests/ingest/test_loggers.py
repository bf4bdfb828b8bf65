"""One line of each structured logger, sent as a document: its time, its message, its ids, and what is left of it."""

import json
from typing import Any

import pytest

from tests.ingest.test_documents import NOW_NS, one

NOON_NS = 1_772_366_400_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"

LINES = {
    "zap": ({"level": "info", "ts": 1772366400.1234567, "msg": "hi"}, 123_456_700, {}),
    "log4j2's JsonLayout": (
        {"instant": {"epochSecond": 1772366400, "nanoOfSecond": 123456789}, "level": "ERROR", "message": "hi"},
        *(123_456_789, {}),
    ),
    "log4j2's JsonLayout of old": ({"timeMillis": 1772366400123, "level": "WARN", "message": "hi"}, 123_000_000, {}),
    "logback's JsonEncoder": (
        {"timestamp": 1772366400123, "nanoseconds": 123456789, "level": "INFO", "message": "hi"},
        *(123_456_789, {}),
    ),
    "another's nanoseconds": (
        {"timestamp": 1772366400123, "nanoseconds": 555, "message": "hi"},
        *(123_000_000, {"nanoseconds": 555}),
    ),
    "Google's agents": (
        {"message": "hi", "timestampSeconds": "1772366400", "timestampNanos": "123456789"},
        *(123_456_789, {}),
    ),
    "Google's objects": ({"message": "hi", "timestamp": {"seconds": 1772366400, "nanos": 5}}, 5, {}),
    "Serilog": ({"@t": "2026-03-01T12:00:00.1234567Z", "@mt": "{Word}", "@m": "hi"}, 123_456_700, {"@mt": "{Word}"}),
    "Serilog's JsonFormatter": (
        {"Timestamp": "2026-03-01T13:00:00.1234567+01:00", "MessageTemplate": "{Word}", "RenderedMessage": "hi"},
        *(123_456_700, {"MessageTemplate": "{Word}"}),
    ),
    "python-json-logger": (
        {"asctime": "2026-03-01 12:00:00,123", "levelname": "INFO", "message": "hi"},
        *(123_000_000, {"levelname": "INFO"}),
    ),
    "structlog": ({"event": "hi", "level": "info", "timestamp": "2026-03-01T12:00:00.123456Z"}, 123_456_000, {}),
    "MongoDB": (
        {"t": {"$date": "2026-03-01T12:00:00.123+00:00"}, "s": "I", "msg": "hi"},
        *(123_000_000, {"t": {"$date": "2026-03-01T12:00:00.123+00:00"}, "s": "I"}),
    ),
    "PostgreSQL": (
        {"timestamp": "2026-03-01 12:00:00.123 UTC", "error_severity": "LOG", "message": "hi"},
        *(123_000_000, {"error_severity": "LOG"}),
    ),
    "Fluentd's time": ({"time": "2026-03-01 13:00:00.123456789 +0100", "message": "hi"}, 123_456_789, {}),
    "an offset of hours": ({"time": "2026-03-01 13:00:00.5+01", "message": "hi"}, 500_000_000, {}),
    "nginx": ({"time_local": "01/Mar/2026:13:00:00 +0100", "message": "hi"}, 0, {}),
    "Apache": ({"time": "[01/Mar/2026:12:00:00 +0000]", "message": "hi"}, 0, {}),
    "Envoy": ({"start_time": "2026-03-01T12:00:00.123Z", "message": "hi"}, 123_000_000, {}),
    "syslog-ng": ({"ISODATE": "2026-03-01T13:00:00+01:00", "MESSAGE": "hi"}, 0, {}),
    "rsyslog's jsonmesg": ({"timereported": "2026-03-01T12:00:00.123456+00:00", "msg": "hi"}, 123_456_000, {}),
    "journalctl": ({"__REALTIME_TIMESTAMP": "1772366400123456", "MESSAGE": "hi"}, 123_456_000, {}),
    "journalctl, coloured": ({"__REALTIME_TIMESTAMP": "1772366400123456", "MESSAGE": [104, 105]}, 123_456_000, {}),
    "OpenTelemetry in Elasticsearch": ({"@timestamp": "2026-03-01T12:00:00Z", "Body": "hi"}, 0, {}),
    "the API server's audit": ({"stageTimestamp": "2026-03-01T12:00:00.5Z", "message": "hi"}, 500_000_000, {}),
}


@pytest.mark.parametrize("logger", LINES)
def test_a_line_of_a_logger(logger: str) -> None:
    line, after_noon_ns, rest = LINES[logger]
    row = one(line)
    assert (row["time"] - NOON_NS, row["message"], row.get("attributes", {})) == (after_noon_ns, "hi", rest)


def test_a_line_of_loguru_stays_among_the_attributes() -> None:
    record = {"level": {"name": "INFO"}, "message": "hi", "time": {"timestamp": 1772366400.5}}
    row = one({"text": "12:00 | hi\n", "record": record})
    assert (row["time"] - NOON_NS, row["message"]) == (500_000_000, "hi")
    assert row["attributes"].keys() == {"text", "record"}


@pytest.mark.parametrize(
    "own",
    [
        {"start_time": 12.5},
        {"eventTime": "after lunch"},
        {"instant": {"epochSecond": "soon"}},
        {"instant": {"epochSecond": 1772366400, "nanoOfSecond": -1}},
        {"asctime": "1970-01-01 00:00:07"},
        {"lastTimestamp": None, "t": 1772366400},
        {"event": "signup"},
        {"MESSAGE": "m", "body": ["a"]},
        {"time_local": "31/Feb/2026:12:00:00 +0000"},
    ],
)
def test_what_only_looks_like_a_loggers_name_stays_an_applications_own(own: dict[str, Any]) -> None:
    row = one({"message": "m"} | own)
    kept = {name: value for name, value in own.items() if value is not None}
    assert (row["time"], row["message"]) == (NOW_NS, "m")
    assert {name: row["attributes"].get(name) for name in kept} == kept


@pytest.mark.parametrize("array", [[104, 256], [104, "i"], [104, 1.5], [-1], [[104]]])
def test_a_message_that_is_an_array_but_not_of_bytes_is_its_json(array: list[Any]) -> None:
    assert one({"MESSAGE": array})["message"] == json.dumps(array)


def test_bytes_of_the_journal_that_are_not_utf8_can_be_told_again() -> None:
    row = one({"MESSAGE": [27, 91, 51, 49, 109, 255, 92], "PRIORITY": "6"})
    assert row["message"] == "\x1b[31m\\xff\\\\"
    assert row["attributes"]["_escape"] == "backslash"


def test_a_levels_name_counts_more_than_its_number() -> None:
    row = one({"message": "m", "level": 50, "level_name": "TRACE"})
    assert ("severity" in row, row["attributes"]) == (False, {"level": 50, "level_name": "TRACE"})


def test_a_message_that_is_null_is_none() -> None:
    """As `journalctl -o json` writes one over 4 KiB, unless it is told `--all`."""
    assert one({"MESSAGE": None, "n": 7})["message"] == '{"n":7}'


def test_an_event_without_a_level_is_no_message() -> None:
    assert one({"event": "signup", "user": 7})["message"] == '{"event":"signup","user":7}'


@pytest.mark.parametrize(
    "ids",
    [
        {"traceId": TRACE, "spanId": "b7ad6b7169203331"},
        {"TraceId": TRACE, "SpanId": "b7ad6b7169203331"},
        {"@tr": TRACE, "@sp": "b7ad6b7169203331"},
        {
            "logging.googleapis.com/trace": f"projects/shop/traces/{TRACE}",
            "logging.googleapis.com/spanId": "b7ad6b7169203331",
        },
    ],
)
def test_traces_in_every_loggers_words(ids: dict[str, str]) -> None:
    row = one({"message": "m", **ids})
    assert (row["trace_id"], row["span_id"]) == (TRACE, "b7ad6b7169203331")
    assert "attributes" not in row
