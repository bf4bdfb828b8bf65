"""POST /api/v1/logs by its contract, one example of each rule."""

from typing import Any

import pyarrow as pa
import pytest

from ingest.protocols.native import decode
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import InvalidInput, TooLarge
from logstore.record import SCHEMA

NOW_NS = 1_790_000_000_123_456_789
DAY_S = 86_400


def read(body: bytes | str, content_type: str = "", limits: Limits | None = None, **params: str) -> Decoded:
    text = body.encode() if isinstance(body, str) else body
    decoded = decode(
        Request(text, NOW_NS, Head(params=params, headers={"content-type": content_type}), limits or Limits())
    )
    decoded.batch.validate(full=True)
    assert decoded.batch.schema == SCHEMA
    return decoded


def one(body: bytes | str, **params: Any) -> dict[str, Any]:
    decoded = read(body, **params)
    assert not decoded.rejects
    [row] = decoded.batch.drop_columns(["time"]).to_pylist()
    [time_ns] = decoded.batch.column("time").cast(pa.int64()).to_pylist()
    return {name: value for name, value in (row | {"time": time_ns}).items() if value not in ("", None)}


def test_a_whole_record() -> None:
    record = one(
        r"""{"time":"2026-01-02T03:04:05.123456789+02:00","cluster":"c","namespace":"n","pod":"p-1","container":"app",
        "stream":"stderr","severity":"error","message":"disk \"sda\" full\n","labels":{"z":"1","app":"db"},
        "trace_id":"abc","span_id":"def","attributes":{"a":1},"user":"ann","n":1.50,"deep":{"x":[1,null,true]}}""".replace(
            "\n        ", ""
        )
    )
    assert record == {
        "time": 1_767_315_845_123_456_789,
        "cluster": "c",
        "namespace": "n",
        "pod": "p-1",
        "container": "app",
        "stream": "stderr",
        "severity": "error",
        "message": 'disk "sda" full',
        "labels": '{"app":"db","z":"1"}',
        "trace_id": "abc",
        "span_id": "def",
        "attributes": '{"a":1,"user":"ann","n":1.50,"deep":{"x":[1,null,true]}}',
    }


@pytest.mark.parametrize(
    "body",
    [
        '{"msg":"a"}\n{"msg":"b"}\n',
        '{"msg":"a"}\r\n\r\n{"msg":"b"}',
        ' \n [{"msg":"a"},\n{"msg":"b"}] \n',
        '\ufeff{"msg":"a"}\n{"msg":"b"}',
    ],
)
def test_ndjson_and_arrays_are_told_by_the_first_byte(body: str) -> None:
    assert read(body).batch.column("message").to_pylist() == ["a", "b"]


def test_text_is_one_record_a_line_exactly() -> None:
    decoded = read('plain\r\n\n  {"a":1}\n[x\nlast', "Text/Plain; charset=utf-8", pod="p")
    assert decoded.batch.column("message").to_pylist() == ["plain\r", "", '  {"a":1}', "[x", "last"]
    assert decoded.batch.column("pod").to_pylist() == ["p"] * 5
    assert decoded.batch.column("time").cast(pa.int64()).to_pylist() == [NOW_NS] * 5


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json"])
def test_an_empty_body_is_no_record(content_type: str) -> None:
    assert read("", content_type) == read("", content_type)
    assert read("", content_type).batch.num_rows == 0
    assert read("", content_type).rejects == ()


def test_of_several_names_the_first_in_order_counts_and_the_others_are_attributes() -> None:
    record = one('{"_msg":"4","log":"3","msg":"2","@timestamp":5,"ts":7,"_time":1000,"level":"warn","severity":"info"}')
    assert record["message"] == "2"
    assert record["time"] == 1000 * 10**9
    assert record["severity"] == "info"
    assert record["attributes"] == '{"_msg":"4","log":"3","@timestamp":5,"ts":7,"level":"warn"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"message":{"a": 1}}', '{"a": 1}'),
        ('{"message":12.50}', "12.50"),
        ('{"message":null}', "null"),
        ('{"message":"x\\n\\n"}', "x\n"),
        ('{"message":"a\\u0000b"}', "a\0b"),
        ('{"message":"\\ud83d\\ude00 \\ud800"}', "\U0001f600 \ufffd"),
        (' {"user" : "ann"} ', '{"user" : "ann"}'),
        ("{}", "{}"),
    ],
)
def test_messages(line: str, message: str) -> None:
    assert read(line).batch.column("message").to_pylist() == [message]


def test_defaults_come_from_the_query_then_from_the_settings() -> None:
    record = one('{"message":"x","pod":"mine"}', pod="theirs", namespace="shop", stream="stdout")
    assert record == {
        "time": NOW_NS,
        "cluster": "default",
        "namespace": "shop",
        "pod": "mine",
        "stream": "stdout",
        "message": "x",
    }
    assert one('{"message":"x","namespace":"","cluster":null}', namespace="shop")["namespace"] == "shop"


def test_what_has_not_the_shape_of_its_field_becomes_an_attribute() -> None:
    record = one('{"message":"x","container":{"id":"7"},"labels":[1],"attributes":"y","pod":7,"trace_id":true}')
    assert record["attributes"] == '{"container":{"id":"7"},"labels":[1],"attributes":"y"}'
    assert record["pod"] == "7"
    assert record["trace_id"] == "true"


def test_pushed_attributes_merge_and_the_last_of_a_repeated_key_counts() -> None:
    record = one(r'{"message":"x","a":1,"attributes":{"a":2,"b":3},"b":4,"\u0062":{"c":1,"c":2},"message":"y"}')
    assert record["message"] == "y"
    assert record["attributes"] == '{"a":2,"b":{"c":2}}'


def test_equal_label_sets_are_one_text_and_one_code() -> None:
    body = "\n".join(['{"labels":{"b":"1","a":"\\u0032"}}', '{"labels": {"a": "2", "b": "1"}}', '{"labels":{}}'])
    labels = read(body).batch.column("labels")
    assert labels.to_pylist() == ['{"a":"2","b":"1"}', '{"a":"2","b":"1"}', None]
    assert len(labels.dictionary) == 1


@pytest.mark.parametrize(
    ("sent", "severity"),
    [
        ('"WARNING"', "warn"), ('"Err"', "error"), ('"TRACE"', "trace"), ('"E"', "error"), ('"ftl"', "fatal"),
        ('"Informational"', "info"), ('"dbg"', "debug"),
    ],
)  # fmt: skip
def test_common_words_of_severity(sent: str, severity: str) -> None:
    record = one(f'{{"message":"x","level":{sent}}}')
    assert record["severity"] == severity
    assert "attributes" not in record


@pytest.mark.parametrize(
    ("sent", "severity"),
    [
        ('"critical"', "fatal"), ('"PANIC"', "fatal"), ('"notice"', "info"), ('"SEVERE"', "error"),
        ('"finest"', "trace"), ('"http"', "debug"), ("3", "error"), ("30", "info"), ('"7"', "debug"),
    ],
)  # fmt: skip
def test_a_word_that_says_more_than_the_severity_is_an_attribute_too(sent: str, severity: str) -> None:
    record = one(f'{{"message":"x","level":{sent}}}')
    assert (record["severity"], record["attributes"]) == (severity, f'{{"level":{sent}}}')


def test_a_severity_that_is_not_understood_stays_as_an_attribute() -> None:
    assert one('{"message":"x","level":"loud"}')["attributes"] == '{"level":"loud"}'
    assert one('{"message":"x","severity":35}')["attributes"] == '{"severity":35}'


@pytest.mark.parametrize("sent", ['"0001-01-01T00:00:00Z"', "99999999999", str(1_790_000_000 + DAY_S + 1), "1e300"])
def test_a_time_that_cannot_be_is_replaced_and_kept(sent: str) -> None:
    record = one(f'{{"message":"x","ts":{sent},"_time":null}}')
    assert record["time"] == NOW_NS
    assert record["attributes"] == f'{{"_time":{sent}}}'


def test_a_time_up_to_a_day_ahead_is_kept() -> None:
    sent = 1_790_000_000 + DAY_S
    assert one(f'{{"message":"x","ts":{sent}}}') == {
        "time": sent * 10**9,
        "cluster": "default",
        "namespace": "default",
        "message": "x",
    }


def test_bad_lines_are_rejected_by_number_and_the_others_kept() -> None:
    lines = [
        '{"msg":"good"}',
        "",
        "not json",
        "[1]",
        '{"msg":"x"} y',
        '{"time":"yesterday"}',
        f'{{"pod":"{"p" * 254}"}}',
        '{"msg":"good too"}',
        '{"a":' + "[" * 128 + "]" * 128 + "}",
    ]
    decoded = read("\n".join(lines))
    assert decoded.batch.column("message").to_pylist() == ["good", "good too"]
    assert [(reject.line, reject.error) for reject in decoded.rejects] == [
        (3, "not JSON at byte 1"),
        (4, "a record is a JSON object, this is [1]"),
        (5, "text after the record: y"),
        (6, 'the time "yesterday" is neither RFC 3339 with an offset nor an epoch number'),
        (7, f'pod is longer than 253 bytes: "{"p" * 79}…'),
        (9, "nested deeper than 128 levels at byte 133"),
    ]


def test_elements_of_an_array_are_numbered_and_what_comes_before_a_break_is_kept() -> None:
    decoded = read('[{"msg":"a"}, 7, {"msg":"b"}, {"msg":')
    assert decoded.batch.column("message").to_pylist() == ["a", "b"]
    assert [reject.line for reject in decoded.rejects] == [2, 4]


def test_a_line_over_the_limit_is_rejected_alone() -> None:
    limits = Limits(max_line_bytes=20)
    for content_type in ("", "text/plain"):
        decoded = read(f'{{"msg":"a"}}\n{{"msg":"{"b" * 20}"}}\n{{"msg":"c"}}', content_type, limits)
        assert decoded.batch.num_rows == 2
        [reject] = decoded.rejects
        assert reject.line == 2
        assert reject.error == "30 bytes, over the limit of 20 (max_line)"


def test_more_records_than_the_limit_are_too_large() -> None:
    limits = Limits(max_records=3)
    assert read("{}\n" * 3, "", limits).batch.num_rows == 3
    with pytest.raises(TooLarge, match="max_records"):
        read("{}\n" * 4, "", limits)


def test_a_query_parameter_that_is_no_identity_is_refused() -> None:
    with pytest.raises(InvalidInput, match="pod"):
        read("{}", pod="p" * 254)


def test_very_many_rejects_are_told_in_bounded_space() -> None:
    decoded = read("x\n" * 10_005)
    assert len(decoded.rejects) == 10_000
    assert decoded.rejects[-1].line == 10_000
    assert decoded.rejects[-1].error == "not JSON at byte 1; 5 lines after this one were rejected too"


def test_bytes_that_are_not_utf8_are_escaped_in_a_message_and_replaced_elsewhere() -> None:
    record = one(b'{"msg":"C:\\\\dir \xff\xe2\x82","k\xfe":"v\xfd","pod":"p\xfc"}')
    assert record["message"] == r"C:\\dir \xff\xe2\x82"
    assert record["pod"] == "p\ufffd"
    assert record["attributes"] == '{"k\ufffd":"v\ufffd","_escape":"backslash"}'
    untouched = one(b'{"msg":"C:\\\\dir","k":"\xff"}')
    assert untouched["message"] == r"C:\dir"
    assert untouched["attributes"] == '{"k":"\ufffd"}'
