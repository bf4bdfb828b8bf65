"""GELF documents as records, whole and in chunks, compressed and plain, good and bad."""

import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.entries import Unsure
from ingest.messages import Message, pack, unpack, whole
from ingest.protocols.gelf import PROTOCOL, TAKE, Datagrams, conversation, decode_messages
from ingest.protocols.gelf.chunks import Chunks
from ingest.protocols.gelf.decode import decode_any
from ingest.protocols.gelf.framing import Framer
from ingest.protocols.gelf.usual import decode_usual
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import InvalidInput, TooLarge
from tests.ingest.decoded import rows_of

NOW = 1_768_000_000 * 10**9
PEER = "10.9.8.7"


def records(*messages: bytes | Message, limits: Limits | None = None) -> list[dict[str, Any]]:
    body = pack((message if isinstance(message, Message) else whole(message) for message in messages), PEER)
    return rows_of(decode_messages(Request(body, NOW, limits=limits or Limits())))


def record(document: dict[str, Any] | str) -> dict[str, Any]:
    (found,) = records((document if isinstance(document, str) else json.dumps(document)).encode())
    return found


def test_a_document_in_full() -> None:
    found = record(
        '{"version": "1.1", "host": "web-7f", "short_message": "A short message", "full_message": "Backtrace here",'
        ' "timestamp": 1385053862.307212345, "level": 1, "_user_id": 9001, "_some_info": "foo", "_ratio": 0.5,'
        ' "_is_new": true, "_nested": {"a": [1, null]}, "_id": "x", "__two": 2, "facility": "orders", "line": 7}'
    )
    assert found["time"] == 1_385_053_862_307_212_345
    assert (found["cluster"], found["namespace"], found["pod"], found["container"]) == (
        "default",
        "default",
        "web-7f",
        "",
    )
    assert (found["message"], found["severity"]) == ("A short message", "fatal")
    assert found["attributes"] == {
        "user_id": 9001,
        "some_info": "foo",
        "ratio": 0.5,
        "is_new": True,
        "nested": {"a": [1, None]},
        "id": "x",
        "_two": 2,
        "facility": "orders",
        "line": 7,
        "full_message": "Backtrace here",
        "syslog_severity": "alert",
    }
    assert found["labels"] == {}


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1385053862", 1_385_053_862_000_000_000),
        ("1385053862.3072", 1_385_053_862_307_200_000),
        ("1385053862.000000001", 1_385_053_862_000_000_001),
        ("1385053862.1234567891", 1_385_053_862_123_456_789),
        ('"1385053862.307212345"', 1_385_053_862_307_212_345),
        ("1385053862307", 1_385_053_862_307_000_000),
        ("1385053862307.25", 1_385_053_862_307_250_000),
        ("1385053862307212", 1_385_053_862_307_212_000),
        ("1385053862307212345", 1_385_053_862_307_212_345),
        ("1.385053862e9", 1_385_053_862_000_000_000),
        ("0", 0),
        ("-1.5", -1_500_000_000),
    ],
)
def test_timestamps_never_go_through_a_float(timestamp: str, expected: int) -> None:
    for before in ('"_nested": {"timestamp": 5}, ', '"full_message": "\\"timestamp\\": 1385053862.1", ', ""):
        found = record(f'{{{before}"short_message": "x", "timestamp" : {timestamp}, "host": "h"}}')
        assert found["time"] == expected
        assert "_time" not in found["attributes"]


@pytest.mark.parametrize("timestamp", ['"yesterday"', "true", "{}", "NaN", "1e400", "[]", '""'])
def test_a_timestamp_that_is_none_is_kept_and_the_receivers_counts(timestamp: str) -> None:
    found = record(f'{{"short_message": "x", "host": "h", "timestamp": {timestamp}}}')
    assert found["time"] == NOW
    assert "_time" in found["attributes"]
    assert record({"short_message": "x", "host": "h"})["attributes"] == {}


def test_json_lines_of_other_libraries_say_when_they_happened() -> None:
    """As Logstash's codec, logstash-logback-encoder and python-logstash-async write them."""
    line = {"@timestamp": "2026-01-09T10:00:00.123Z", "@version": "1", "message": "hello", "level": "WARN", "host": "h"}
    found = record(line)
    assert (found["time"], found["severity"], found["message"], found["pod"]) == (
        1_767_952_800_123_000_000,
        "warn",
        "hello",
        "h",
    )
    assert found["attributes"] == {"@version": "1"}
    assert record(line | {"@timestamp": "noon"})["attributes"]["@timestamp"] == "noon"
    assert record(line | {"@timestamp": "noon"})["time"] == NOW
    assert record({"short_message": "x", "@timestamp": "2026-01-09T10:00:00Z"})["time"] == NOW
    for name in ("timestamp", "datetime"):  # winston-logstash, Monolog
        found = record({name: "2026-01-09T10:00:00.123Z", "message": "hello"})
        assert (found["time"], found["attributes"]) == (1_767_952_800_123_000_000, {})
    assert record({"short_message": "x", "timestamp": "2026-01-09T10:00:00Z"})["time"] == 1_767_952_800_000_000_000


def test_json_lines_of_logstashs_first_format() -> None:
    """As python-logstash writes them unless told otherwise."""
    line = {"@message": "hello", "@timestamp": "2026-01-09T10:00:00.123Z", "@source_host": "h", "@tags": []}
    found = record(line | {"@fields": {"levelname": "WARNING"}})
    assert (found["time"], found["message"], found["pod"]) == (1_767_952_800_123_000_000, "hello", "h")
    assert found["attributes"] == {"@source_host": "h", "@tags": [], "@fields": {"levelname": "WARNING"}}


def test_json_lines_of_pino_and_bunyan() -> None:
    """As pino-socket writes them."""
    found = record({"level": 50, "time": 1_767_952_800_123, "pid": 7, "hostname": "h", "msg": "hello"})
    assert (found["time"], found["message"], found["pod"]) == (1_767_952_800_123_000_000, "hello", "h")
    assert (found["severity"], found["attributes"]) == ("error", {"pid": 7, "hostname": "h", "level": 50})


@pytest.mark.parametrize(
    ("level", "severity", "attributes"),
    [
        (3, "error", {}),
        ("4", "warn", {}),
        (6.0, "info", {}),
        (5, "info", {"syslog_severity": "notice"}),
        ("WARNING", "warn", {}),
        ("NOTICE", "info", {"level": "NOTICE"}),
        (8, "", {"level": 8}),
        (True, "", {"level": True}),
        (None, "", {}),
    ],
)
def test_levels_are_severities(level: object, severity: str, attributes: dict[str, Any]) -> None:
    found = record({"short_message": "x", "host": "h", "level": level})
    assert (found["severity"], found["attributes"]) == (severity, attributes)


CONTAINER = "5790672ab6a09d2c16a2ab1b3c2d9b8a8a1e6e3e6c8ff4e0e5b1b4a3c1d2e3f4"


def test_a_container_of_dockers_gelf_driver_recorded_shape() -> None:
    sent = {
        "version": "1.1",
        "host": "worker-3",
        "short_message": "hello",
        "timestamp": 1768000000.123,
        "level": 3,
        "_command": "sh -c loop",
        "_container_id": CONTAINER,
        "_container_name": "counter",
        "_tag": CONTAINER[:12],
        "_created": "2026-01-09T10:00:00.1Z",
        "_image_id": "sha256:0a",
        "_image_name": "busybox:1.36",
    }
    found = record(sent)
    assert (found["namespace"], found["pod"], found["container"]) == ("default", "", "counter")
    assert (found["stream"], found["severity"], found["time"]) == ("stderr", "error", 1_768_000_000_123_000_000)
    assert found["labels"] == {"node": "worker-3", "image": "busybox:1.36", "container_id": CONTAINER}
    expected = {"command": "sh -c loop", "created": "2026-01-09T10:00:00.1Z", "image_id": "sha256:0a"}
    assert found["attributes"] == {**expected, "tag": CONTAINER[:12]}
    assert record({**sent, "level": 6})["stream"] == "stdout"
    kubelet = record({**sent, "_container_name": "k8s_web_shop-1_prod_6f0e_3"})
    assert (kubelet["namespace"], kubelet["pod"], kubelet["container"]) == ("prod", "shop-1", "web")


def test_a_pod_as_agents_write_it() -> None:
    found = record(
        {
            "host": "n1",
            "short_message": "x",
            "_kubernetes_namespace_name": "prod",
            "_kubernetes_host": "n2",
            "_kubernetes_pod_name": "shop-1",
            "_kubernetes_container_name": "web",
            "_kubernetes_labels_app": "shop",
            "_trace_id": "5b8aa5a2d2c872e8321cf37308d69df2",
            "_name": "mine",
            "_file": "a.py",
            "_severity": "high",
        }
    )
    assert (found["namespace"], found["pod"], found["container"]) == ("prod", "shop-1", "web")
    assert found["labels"] == {"node": "n2", "app": "shop"}
    assert found["trace_id"] == "5b8aa5a2d2c872e8321cf37308d69df2"
    assert found["attributes"] == {"name": "mine", "file": "a.py", "severity": "high"}


def test_what_has_no_host_or_no_short_message_is_taken_as_well() -> None:
    assert record({"short_message": "x"})["pod"] == PEER
    assert record({"host": "h", "full_message": "x"})["message"] == "x"
    assert record({"host": "h", "message": "x"})["attributes"] == {}
    assert record({"host": "h", "short_message": 7})["message"] == "7"
    assert record({"host": "h", "short_message": "", "full_message": ""})["message"] == ""
    assert record({"host": "h", "short_message": "x\n", "_facility": 1, "facility": 2})["attributes"] == {
        "facility": 1,
        "gelf.facility": 2,
    }


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, bytes])
def test_documents_are_inflated_by_their_first_bytes(compress: Any) -> None:
    found = records(compress(b'{"host":"h","short_message":"x"}'))
    assert [row["message"] for row in found] == ["x"]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"hello", "not a JSON object"),
        (b'{"host":"h"', "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b'{"host":"h"}', "no short_message"),
        (b"\x1f\x8bxx", "the gzip body is damaged"),
        (gzip.compress(b"{}" * 10_000, mtime=0), "max_body"),
    ],
)
def test_what_cannot_be_read_is_stored_as_it_came_between_good_neighbours(document: bytes, error: str) -> None:
    good = b'{"host":"h","short_message":"good"}'
    found = records(good, document, good, limits=Limits(max_line_bytes=10_000))
    assert [row["message"] for row in found][:: len(found) - 1] == ["good", "good"]
    assert error in found[1]["attributes"]["_ingest_error"]
    assert (found[1]["pod"], found[1]["time"]) == (PEER, NOW)


@pytest.mark.parametrize("last", [b"{}", b"hello"])
def test_documents_that_become_too_much_together_are_stored_as_they_came(last: bytes) -> None:
    large = zlib.compress(json.dumps({"short_message": "x" * 9_000}).encode())
    good = b' {"host":"h","short_message":"good"}'
    limits = Limits(max_line_bytes=10_000, max_body_bytes=20_000)
    found = records(*[large] * 9, good, last, limits=limits)
    assert [len(row["message"]) for row in found[:2]] == [9_000, 9_000]
    assert all("max_body" in row["attributes"]["_ingest_error"] for row in found[2:9])
    assert found[9]["message"] == "good"


@pytest.mark.parametrize("after", [b"\0", b"\n\0", b"\0\0"])
@pytest.mark.parametrize("neighbour", [b'{"short_message":"x"}', b"hello"])
def test_a_document_in_several_lines_may_end_as_one_of_a_stream_does(after: bytes, neighbour: bytes) -> None:
    document = b'{\n"short_message": "a"\n}'
    assert records(document + after, neighbour)[0]["message"] == "a"
    (found,) = rows_of(decode_any(unpack(pack([whole(document + after)], PEER)), Request(b"", NOW)))
    assert found["message"] == "a"


def test_a_document_that_was_cut_off_is_stored_as_far_as_it_goes() -> None:
    (found,) = records(Message(b'{"host":"h","short_mess', 99))
    assert found["message"] == '{"host":"h","short_mess'
    assert found["attributes"] == {"_ingest_error": "cut off after 23 of 99 bytes"}


def test_json_that_is_nearly_json_is_read() -> None:
    found = records(
        b'{"host":"h","short_message":"a\nb\tc","_x":NaN}', b'{"host":"h","short_message":"caf\xe9 \\ud800"}'
    )
    assert [row["message"] for row in found] == ["a\nb\tc", "caf\\xe9 \ufffd"]
    assert [row["attributes"] for row in found] == [{"x": "NaN"}, {"_escape": "backslash"}]


def test_bytes_that_are_not_utf8_can_be_restored_from_a_message() -> None:
    found = records('{"host":"h","short_message":"é \\\\ '.encode() + b'\xe9\x80","_user":"a\xff","_ok":"\xc3\xa9"}')
    assert found[0]["message"] == "é \\\\ \\xe9\\x80"
    assert found[0]["attributes"] == {"user": "a\ufffd", "ok": "é", "_escape": "backslash"}


def test_what_cannot_be_read_in_an_array_is_kept_alone_with_all_digits_of_its_neighbours() -> None:
    good = b'{"host":"h","short_message":"b","timestamp":1760000000.123456789}, {"host":"h","short_message":"c"}'
    found = rows_of(post(b'[{"a":1},7,' + good + b"]"))
    assert [row["message"] for row in found] == ['{"a":1}', "7", "b", "c"]
    assert found[2]["time"] == 1_760_000_000_123_456_789
    many = rows_of(post(b'[{"short_message":""}' + b',{"a":1}' * 20_000 + b"]"))
    assert [row["message"] for row in many[1:]] == ['{"a":1}'] * 20_000


def chunked(document: bytes, name: bytes, size: int) -> list[bytes]:
    pieces = [document[at : at + size] for at in range(0, len(document), size)]
    return [b"\x1e\x0f" + name + bytes([place, len(pieces)]) + piece for place, piece in enumerate(pieces)]


def test_chunks_in_any_order_are_one_document() -> None:
    chunks = Chunks()
    first, second = chunked(b"a" * 25, b"12345678", 10), chunked(b"b" * 15, b"12345678", 10)
    arriving = [(first[2], "p"), (second[1], "q"), (first[0], "p"), (first[0], "p"), (second[0], "q"), (first[1], "p")]
    assert [document for datagram, peer in arriving if (document := chunks.feed(datagram, peer))] == [
        b"b" * 15,
        b"a" * 25,
    ]
    assert (chunks.held_bytes, chunks.dropped) == (0, 0)
    assert chunks.feed(b"plain", "p") == b"plain"


def test_a_document_whose_chunks_do_not_all_come_in_time_is_dropped() -> None:
    now_s = 0.0
    chunks = Chunks(lambda: now_s)
    one, two = chunked(b"a" * 20, b"12345678", 10)
    assert chunks.feed(one, "p") is None
    now_s = 4.9
    assert chunks.feed(two, "p") == b"a" * 20
    assert chunks.feed(one, "p") is None
    now_s = 10.0
    assert chunks.feed(two, "p") is None
    assert chunks.dropped == 1
    now_s = 16.0
    chunks.feed(b"\x1e\x0f", "p")
    assert (chunks.held_bytes, chunks.dropped) == (0, 3)


@pytest.mark.parametrize("place_and_count", [b"\x00\x00", b"\x05\x05", b"\x00\x81", b"\xff\xff"])
def test_a_chunk_that_can_belong_to_no_document_is_dropped(place_and_count: bytes) -> None:
    chunks = Chunks()
    assert chunks.feed(b"\x1e\x0f12345678" + place_and_count + b"x", "p") is None
    assert (chunks.held_bytes, chunks.dropped) == (0, 1)


def test_unfinished_documents_are_bounded_in_number_and_bytes() -> None:
    chunks = Chunks()
    for number in range(3000):
        chunks.feed(chunked(b"a" * 20, b"%08d" % number, 10)[0], "p")
    assert chunks.dropped == 2000 and chunks.held_bytes == 1000 * 138
    for number in range(3000):
        chunks.feed(chunked(b"a" * 60_000, b"%08d" % number, 30_000)[0], "q")
        assert chunks.held_bytes <= 16 << 20


@given(st.lists(st.binary(max_size=30) | st.sampled_from(chunked(b"ab", b"12345678", 1)), max_size=20))
def test_no_datagram_breaks_what_puts_them_together(datagrams: list[bytes]) -> None:
    receiver = Datagrams()
    for datagram in datagrams:
        if frame := receiver.feed(datagram, "p"):
            assert decode_messages(Request(frame.body, NOW)).batch.num_rows >= 0


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b'{"a":1}\0{"b":2}\0', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
        (b'{\n"a":\n1\n}\n{"b":2}\n', [b'{\n"a":\n1\n}', b'{"b":2}']),
        (b'{"a":1}\0\n\0{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b"\0\n \0", []),
    ],
)
def test_a_stream_is_cut_into_documents_however_it_arrives(stream: bytes, expected: list[bytes]) -> None:
    for size in (len(stream), 5, 1):
        framer = Framer(1 << 20)
        pieces = [framer.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
        assert [message.content for _, message in unpack(b"".join(pieces) + framer.finish())] == expected
        assert framer.held_bytes == 0


def test_a_document_that_is_too_long_is_cut_and_the_next_one_is_whole() -> None:
    framer = Framer(8)
    assert framer.feed(b"x" * 50) == b"" and framer.held_bytes == 8
    found = unpack(framer.feed(b'x\0{"b":2}\0' + b"y" * 9 + b"\0"))
    assert [message for _, message in found] == [
        Message(b"x" * 8, 51),
        whole(b'{"b":2}'),
        Message(b"y" * 8, 9),
    ]


def test_connections_give_what_the_decoder_takes() -> None:
    talk = conversation("::ffff:10.0.0.1", 1 << 20)
    documents = b'{"short_message":"a"}\0{"short_message":"b"}\n{"short_message":"c"}\0{"short_message":"d"}'
    bodies = [frame.body for frame in [*talk.feed(documents), *talk.end()] if not isinstance(frame, bytes)]
    found = rows_of(decode_messages(Request(b"".join(bodies), NOW)))
    assert [(row["message"], row["pod"]) for row in found] == [(name, "10.0.0.1") for name in "abcd"]


def post(body: bytes) -> Decoded:
    return TAKE.decode(Request(body, NOW, Head(path="/gelf")))


@pytest.mark.parametrize("coding", ["", "gzip", "gzip,deflate", "deflate", "zstd"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, zlib.compress])
def test_over_http_the_first_bytes_tell_the_coding(coding: str, compress: Callable[[bytes], bytes]) -> None:
    """pygelf labels zlib as gzip and deflate, asyncgelf plain JSON."""
    sent = b' {"host":"h","short_message":"x"}'
    assert TAKE.inflate is not None
    assert TAKE.inflate(compress(sent), Head(headers={"content-encoding": coding}), 1000) == sent


def test_over_http_a_document_is_answered_202_and_what_is_none_is_refused() -> None:
    request = Request(b'{"host":"h","short_message":"x"}', NOW)
    decoded = TAKE.decode(request)
    assert [row["message"] for row in rows_of(decoded)] == ["x"]
    answer = TAKE.answer(request, decoded)
    assert (answer.status, answer.body) == (202, b"")
    for body in (b"", b"hello", b"[]", b"7", b"{"):
        with pytest.raises(InvalidInput, match="GELF"):
            post(body)
    assert [take.patterns for take in PROTOCOL.takes] == [("/gelf",)]


def test_over_http_several_documents_are_lines_or_an_array() -> None:
    one, two = b'{"host":"h","short_message":"a"}', b'{"host":"h","short_message":"b"}'
    for body in (one + b"\n" + two + b"\n", one + b"\0" + two, b"[" + one + b", " + two + b"]"):
        assert [row["message"] for row in rows_of(post(body))] == ["a", "b"]
    mixed = rows_of(post(one + b"\nbad\n" + two))
    assert [row["message"] for row in mixed] == ["a", "bad", "b"]
    assert mixed[1]["attributes"] == {"_ingest_error": "not a JSON object"}


def test_documents_that_are_read_one_by_one_have_a_bound() -> None:
    limits = Limits(max_singles=4)
    usual = b'{"host":"h","short_message":"a"}\n' * 9
    assert len(TAKE.decode(Request(usual, NOW, Head(path="/gelf"), limits)).batch) == 9
    for unusual in (b"{}\n" * 5, b'[{"short_message":"a"}' + b",1" * 4 + b"]"):
        with pytest.raises(TooLarge, match="more than 4 records of an unusual form"):
            TAKE.decode(Request(unusual, NOW, Head(path="/gelf"), limits))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    *("host", "short_message", "full_message", "timestamp", "level", "version", "_id", "_", "__", "_container_name"),
    *("_kubernetes", "_pod", "_namespace", "message", "_message", "_trace_id", "_container_id", "_syslogtag", "gelf.x"),
)


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), JSON, max_size=8))
def test_any_object_is_a_record(document: dict[str, Any]) -> None:
    found = records(json.dumps(document).encode())
    assert len(found) >= 1


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_nothing(content: bytes) -> None:
    assert len(records(content, b"{" + content, content + b"}")) <= 200


FIELD_NAMES = st.sampled_from(
    [
        *("version", "host", "full_message", "message", "timestamp", "level", "_level", "_message", "_host", "_x", "x"),
        *("_container_name", "_container_id", "_tag", "_kubernetes_labels_app", "_kubernetes_pod_name", "_trace_id"),
        *(
            "_traceid",
            "_span.id",
            "__two",
            "_",
            "",
            "_syslog_severity",
            "_time",
            "facility",
            "_kubernetes_namespace_name",
        ),
        *("_file", "_line", "_\u00e9", "_severity", "_k8s.pod.label.tier", "_kubernetes_host", "_" + "long" * 40),
    ]
)
FIELD_VALUES = st.sampled_from(
    [
        *(
            "h",
            "",
            "\u00e9\n",
            "k8s_app_web-0_shop_uid_0",
            "5b8aa5a2d2c872e8321cf37308d69df2",
            "line\n",
            3,
            6,
            "5",
            0,
            9,
        ),
        *(
            1.5,
            -1,
            True,
            None,
            [1, None],
            {"a": {"b": "\\"}},
            1768000000.123456789,
            1768000000123,
            "1768000000.5",
            10**17,
        ),
    ]
)
DOCUMENTS = st.dictionaries(FIELD_NAMES, FIELD_VALUES, max_size=6).map(lambda fields: {"short_message": "x", **fields})


TEXTS = DOCUMENTS.map(lambda document: json.dumps(document).encode()) | st.sampled_from(
    [
        *(b"{", b"[]", b'{"host":"h"}', b"\xff", b"{}{}", zlib.compress(b'{"short_message":"x"}'), b""),
        *(b'{"short_message":"x","_n":1}\n{"short_message":"y"}', b'{"short_message":"x"}{"short_message":"y"}'),
        *(b'{"short_message":"x"}\n{"short_message":"y"', '{"short_message":"\u00e9"}'.encode("latin-1")),
    ]
)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["10.0.0.1", "::ffff:10.0.0.2"])), max_size=6), st.booleans())
def test_documents_read_at_once_are_what_they_are_one_by_one(sent: list[tuple[bytes, str]], is_cut: bool) -> None:
    body = b"".join(pack([Message(text, len(text) + is_cut)], peer) for text, peer in sent)
    request = Request(body, NOW)
    found, expected = decode_messages(request), decode_any(unpack(body), request)
    assert rows_of(found) == rows_of(expected)
    assert (found.senders, found.rejects, found.unread) == (expected.senders, expected.rejects, expected.unread)


def test_what_senders_usually_write_is_read_at_once() -> None:
    document = {"version": "1.1", "host": "h", "short_message": "", "timestamp": 1768000000.25, "level": 6, "_pid": 7}
    traced = {
        "short_message": "x\ty",
        "full_message": "x\ty",
        "_trace_id": "5b8a",
        "_container_id": "ab",
        "facility": "f",
    }
    messages = [whole(json.dumps(one).encode()) for one in (document, {"host": 7}, traced)]
    assert decode_usual(Request(pack(messages, PEER), NOW)).left == [1]
    lines = whole(b"\n".join(one.content for one in messages[::2]))
    assert decode_usual(Request(pack([lines], PEER), NOW)).decoded.batch.num_rows == 2


@given(st.binary(max_size=60), st.sampled_from([b"", b"@h\n", b"21 ", b"@h\n9999999999999 "]))
def test_no_body_breaks_the_kernel(body: bytes, before: bytes) -> None:
    with suppress(Unsure):
        decode_usual(Request(before + body, NOW))
