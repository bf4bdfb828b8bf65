"""What lines say of themselves, one example of each rule."""

import json

import pytest

from logstore.enrich import enrich, whole
from tests.native.test_enrich_reference import enriched, stored


def test_a_json_line_gives_typed_attributes_under_the_pushed_ones() -> None:
    line = ' {"user": "ann", "ms": 1.50, "ok": true, "at": {"x": [1, null]}, "level": "WARN"}\n'
    [(attributes, severity)] = enriched([(line, '{"user":"bob"}', "")])
    assert json.dumps(attributes) == (
        '{"user": "bob", "ms": "1.50", "ok": true, "at": {"x": ["1", null]}, "level": "WARN"}'
    )
    assert severity == "warn"


def test_numbers_of_a_json_line_keep_their_text() -> None:
    line = '{"big":123456789012345678901234567890,"exact":0.10,"huge":1e400,"minus":-0}'
    [text] = whole(enrich(stored([(line, None, "")]))).column("attributes").to_pylist()
    assert text == line


def test_repeated_keys_and_lone_surrogates_never_reach_the_attributes() -> None:
    line = r'{"a":1,"b":{"c":1,"c":2},"\u0061":3,"s":"\ud800x","t":"\ud83d\ude00"}'
    [text] = whole(enrich(stored([(line, None, "")]))).column("attributes").to_pylist()
    assert text == '{"a":3,"b":{"c":2},"s":"\ufffdx","t":"\\ud83d\\ude00"}'


@pytest.mark.parametrize(
    "line",
    ['{"a":1} x', '{"a":1}{"b":2}', "[1]", '"a"', "{a:1}", "{'a':1}", '{"a":NaN}', '{"a":01}', '{"a":1', "{}", ""],
)
def test_what_is_not_exactly_one_object_says_nothing(line: str) -> None:
    assert enriched([(line, None, "")]) == [(None, "")]


def test_a_wholly_logfmt_line_gives_strings() -> None:
    line = r'time="2024-01-02T03:04:05Z" level=error msg="disk \"sda\" full" n=3 path=/a/b empty='
    assert enriched([(line, None, "")]) == [
        (
            {
                "time": "2024-01-02T03:04:05Z",
                "level": "error",
                "msg": 'disk "sda" full',
                "n": "3",
                "path": "/a/b",
                "empty": "",
            },
            "error",
        )
    ]


@pytest.mark.parametrize(
    "line",
    ["a=1", "a=1 b", "a=1 b=2 true", "connected a=1 b=2", "a=1,b=2", "a=1 b=x=y", 'a=1 b="x', 'a=1 b="x"y', "=1 b=2"],
)
def test_nothing_looser_is_logfmt(line: str) -> None:
    assert enriched([(line, None, "")]) == [(None, "")]


def test_a_klog_header_gives_severity_thread_and_source_line() -> None:
    line = 'E0102 15:04:05.123456    1234 reflector.go:138] Failed to watch *v1.Node: "x" INFO'
    [text] = whole(enrich(stored([(line, None, "")]))).column("attributes").to_pylist()
    assert text == '{"thread":1234,"source":"reflector.go","line":138}'
    letters = [(f"{letter}{line[1:]}", None, "") for letter in "IWEF"]
    assert [severity for _, severity in enriched(letters)] == ["info", "warn", "error", "fatal"]


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("[http] [log] [success] in running text", ""),
        ("[Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6", "error"),
        ("[Sun Dec 04 04:47:44 2005] [core:warn] [pid 7] x", "warn"),
        ("081109 203615 148 INFO dfs.DataNode$PacketResponder: terminating", "info"),
        ("2015-07-29 19:04:29,071 - WARN  [SendWorker:1] - Send worker leaving thread", "warn"),
        ("2024-01-02 03:04:05 UTC [71] FATAL:  the database system is starting up", "fatal"),
        ("panic: runtime error: index out of range", "fatal"),
        ("10:00AM INF listening", "info"),
        ('10.0.0.1 - - [02/Jan/2024:03:04:05 +0000] "GET /ERROR HTTP/1.1" 500 12', ""),
        ("an error occurred, no information", ""),
        ("MY_ERROR is set", ""),
        ("x" * 96 + " ERROR", ""),
    ],
)
def test_severity_is_taken_from_a_line_that_marks_it(line: str, severity: str) -> None:
    assert enriched([(line, None, "")]) == [(None, severity)]


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ('{"message": "Monolog\'s", "level": 300, "level_name": "WARNING"}', "warn"),
        ('{"LogLevel": "Critical", "Message": ".NET\'s"}', "fatal"),
        ('{"Level": "Error", "Message": "NLog\'s"}', "error"),
        ('{"@level": "warn", "@message": "HashiCorp\'s"}', "warn"),
        ('{"@t": "2026-03-01T12:00:00Z", "@mt": "Serilog\'s", "@l": "Debug"}', "debug"),
        ('{"severityText": "ERROR"}', "error"),
        ('{"level": "SUCCESS", "message": "loguru\'s"}', "info"),
        ('{"level": "http", "message": "winston\'s"}', "debug"),
        ('{"level": "log", "message": "Nest\'s"}', "info"),
        ('{"level": "DEBUG-4", "msg": "Go\'s slog"}', "debug"),
        ('{"level": "ERROR+2", "msg": "Go\'s slog"}', "error"),
        ('{"log": {"level": "WARN", "logger": "a"}, "message": "Spring Boot\'s"}', "warn"),
        ('{"level": {"level": 20000, "levelStr": "INFO"}, "data": ["log4js\'s"]}', "info"),
        ('{"text": "Loguru\'s", "record": {"level": {"name": "CRITICAL", "no": 50}}}', "fatal"),
        ('{"t": {"$date": "2026-03-01T12:00:00.123Z"}, "s": "W", "msg": "MongoDB\'s"}', "warn"),
        ('{"t": {"$date": "2026-03-01T12:00:00.123Z"}, "s": "D2", "msg": "MongoDB\'s"}', "debug"),
        ('{"t": 5, "s": "W", "msg": "somebody else\'s"}', ""),
        ('{"@t": "2026-03-01T12:00:00Z", "@mt": "Serilog\'s, of its usual level"}', "info"),
        ('{"@t": "2026-03-01T12:00:00Z", "@mt": "Serilog\'s, of a level of somebody\'s own", "@l": "Loud"}', ""),
        ('{"level": 50, "level_name": "TRACE", "message": "log4js\'s"}', "trace"),
        ('{"@fields": {"levelname": "WARNING"}, "@message": "python-logstash\'s"}', "warn"),
        ('{"error_severity": "DEBUG5", "message": "PostgreSQL\'s"}', "debug"),
        ('{"t": "1772366400.1", "sev": "E", "message": "CockroachDB\'s"}', "error"),
        ('{"ts": 1772366400123.4, "caller": "a/server.go:3", "msg": "the kubelet\'s", "v": 0}', "info"),
        ('{"ts": 1772366400123.4, "caller": "a/server.go:3", "msg": "the kubelet\'s", "err": "x"}', "error"),
        ('{"caller": "a/server.py:3", "v": 0}', ""),
    ],
)
def test_a_json_line_names_its_severity_as_its_library_does(line: str, severity: str) -> None:
    assert [told for _, told in enriched([(line, None, "")])] == [severity]


def test_severity_that_was_pushed_stays() -> None:
    assert enriched([("ERROR x", None, "info"), ('{"level":"error"}', None, "debug")]) == [
        (None, "info"),
        ({"level": "error"}, "debug"),
    ]


def test_a_json_line_without_a_level_has_no_severity_even_if_it_shouts() -> None:
    assert enriched([('{"msg": " ERROR x"}', None, "")]) == [({"msg": " ERROR x"}, "")]


def test_levels_of_pino_and_syslog_are_understood() -> None:
    lines = ['{"level":30}', '{"level":"50"}', '{"severity":3}', '{"level":7}', '{"level":99}', '{"level":{}}']
    assert [severity for _, severity in enriched([(line, None, "") for line in lines])] == [
        *("info", "error", "error", "debug", "", "")
    ]


def test_a_line_nested_too_deep_is_left_with_a_note() -> None:
    deep = '{"a":' * 129 + "1" + "}" * 129
    note = {"_ingest_error": "JSON nested deeper than 128 levels"}
    assert enriched([(deep, None, ""), (deep, '{"b":"1"}', "")]) == [(note, ""), ({"b": "1"} | note, "")]
    fine = '{"a":' * 128 + "1" + "}" * 128
    [(attributes, _)] = enriched([(fine, None, "")])
    assert attributes is not None
    assert "a" in attributes


def test_attributes_that_are_no_object_are_replaced_by_a_note() -> None:
    batch = enrich(stored([('{"a":1}', "not json", ""), ("plain", "[1]", "")]))
    note = '{"_ingest_error":"the pushed attributes are no JSON object"}'
    assert batch.column("attributes").to_pylist() == [note, note]


def test_pushed_attributes_that_are_an_empty_text_are_none() -> None:
    rows = [
        ("plain", "", "info"),
        ("", "", "info"),
        ("plain", "", ""),
        ('{"a":1}', "", "info"),
        ("x", '{"b":"1"}', "info"),
    ]
    assert [attributes for attributes, _ in enriched(rows)] == [None, None, None, {"a": "1"}, {"b": "1"}]


def test_an_empty_batch_stays_empty() -> None:
    assert enrich(stored([])).num_rows == 0


def test_a_json_line_is_kept_once() -> None:
    kept = {
        (None, '{"a":1,"b": 2}'): "",
        ('{"x":"y"}', '{"a":1,"b": 2}'): '{"x":"y",',
        (' {"x":"y" } ', '{"a":1}'): '{"x":"y" ,',
        ('{"a":7}', '{"a":1,"b": 2}'): '{"a":7,"b":2}',
        ("{}", '{"a": 1}'): '{"a":1}',
        ('{"x":"y"}', ' {"a":1}'): '{"x":"y","a":1}',
    }
    rows = enrich(stored([(line, pushed, "") for pushed, line in kept]))
    assert rows.column("attributes").to_pylist() == list(kept.values())
    whole_texts = ['{"a":1,"b": 2}', '{"x":"y","a":1,"b": 2}', '{"x":"y" ,"a":1}', *list(kept.values())[3:]]
    assert whole(rows).column("attributes").to_pylist() == whole_texts
    assert whole(rows.slice(1, 3)).column("attributes").to_pylist() == whole_texts[1:4]
