"""Syslog messages as records: RFC 3164, RFC 5424, and what senders make of them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.messages import Message, pack, unpack, whole
from ingest.protocols.syslog import Datagrams, conversation, decoder
from ingest.protocols.syslog.decode import decode_any
from ingest.protocols.syslog.usual import decode_usual
from ingest.request import Limits, Request
from tests.ingest.decoded import rows_of

NOW = int(datetime(2026, 1, 10, 12, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000_000
PEER = "10.9.8.7"


def records(*messages: bytes | Message, zone: str = "UTC", limits: Limits | None = None) -> list[dict[str, Any]]:
    body = pack((message if isinstance(message, Message) else whole(message) for message in messages), PEER)
    return rows_of(decoder(ZoneInfo(zone))(Request(body, NOW, limits=limits or Limits())))


def record(message: bytes | Message, zone: str = "UTC") -> dict[str, Any]:
    (found,) = records(message, zone=zone)
    return found


def time_of(message: bytes, zone: str = "UTC") -> str:
    nanoseconds = record(message, zone)["time"]
    return f"{datetime.fromtimestamp(nanoseconds // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}"


def test_rfc_5424_in_full() -> None:
    found = record(
        b'<165>1 2003-10-11T22:14:15.003123Z mymachine.example.com evntslog 42 ID47 [exampleSDID@32473 iut="3" '
        b'eventSource="Application" eventID="1011"][examplePriority@32473 class="hi\\"gh\\]\\\\"] '
        b"\xef\xbb\xbfAn application event log entry..."
    )
    assert found["time"] == 1_065_910_455_003_123_000
    assert (found["namespace"], found["pod"], found["container"]) == ("_node", "mymachine.example.com", "evntslog")
    assert (found["severity"], found["stream"]) == ("info", "")
    assert found["labels"] == {"node": "mymachine.example.com"}
    assert found["message"] == "An application event log entry..."
    assert found["attributes"] == {
        "facility": "local4",
        "syslog_severity": "notice",
        "procid": "42",
        "msgid": "ID47",
        "exampleSDID@32473": {"iut": "3", "eventSource": "Application", "eventID": "1011"},
        "examplePriority@32473": {"class": 'hi"gh]\\'},
    }


def test_rfc_3164_in_full() -> None:
    found = record(b"<34>Jan  9 22:14:15 mymachine su[231]: 'su root' failed for lonvick on /dev/pts/8")
    assert time_of(b"<34>Jan  9 22:14:15 mymachine su: x") == "2026-01-09T22:14:15.000000000"
    assert (found["namespace"], found["pod"], found["container"]) == ("_node", "mymachine", "su")
    assert found["severity"] == "fatal"
    assert found["labels"] == {"node": "mymachine"}
    assert found["message"] == "'su root' failed for lonvick on /dev/pts/8"
    assert found["attributes"] == {"facility": "auth", "syslog_severity": "crit", "procid": "231"}


@pytest.mark.parametrize(
    ("level", "severity", "word"),
    [
        (0, "fatal", "emerg"),
        (1, "fatal", "alert"),
        (2, "fatal", "crit"),
        (3, "error", None),
        (4, "warn", None),
        (5, "info", "notice"),
        (6, "info", None),
        (7, "debug", None),
    ],
)
def test_each_level_is_one_of_the_six_severities_and_none_is_lost(level: int, severity: str, word: str | None) -> None:
    found = record(b"<%d>1 - h a - - - x" % (16 * 8 + level))
    assert found["severity"] == severity
    assert found["attributes"] == {"facility": "local0"} | ({"syslog_severity": word} if word else {})


@pytest.mark.parametrize(
    ("message", "pod", "container", "text"),
    [
        (b"<13>1 - - - - - -", PEER, "", ""),
        (b"<13>1 - - - - - - ", PEER, "", ""),
        (b"<13>1 - h app - - -  two spaces", "h", "app", " two spaces"),
        (b"<13>1 2026-01-09T00:00:00+01:00 h app - - no structured data", "h", "app", "no structured data"),
        (b"1 2026-01-09T00:00:00Z h app - - - no priority", "h", "app", "no priority"),
        (b"<13>Jan  9 10:00:00 h app: x", "h", "app", "x"),
        (b"<13>http: x", PEER, "http", "x"),
        (b"<13>error: x", PEER, "", "error: x"),
        (b"<13>Jan  9 10:00:00 h app:x", "h", "", "app:x"),
        (b"<13>Jan  9 10:00:00 h app[7] x", "h", "app", "x"),
        (b"<13>Jan  9 10:00:00 h app[7]:x", "h", "app", "x"),
        (b"<13>Jan  9 10:00:00 h a.b-c/d(e)[7]: x", "h", "a.b-c/d(e)", "x"),
        (b"<13>Jan  9 10:00:00 h app[]: x", "h", "app", "x"),
        (b"<13>Jan  9 10:00:00 app[7]: the C library's form", PEER, "app", "the C library's form"),
        (b"<13>Jan  9 10:00:00 app: no host", PEER, "app", "no host"),
        (b"<13>Jan  9 10:00:00 h last message repeated 3 times", "h", "", "last message repeated 3 times"),
        (b"<13>Jan  9 10:00:00 lonely", PEER, "", "lonely"),
        (b"<13>Jan  9 10:00:00 fe80::1 app: x", "fe80::1", "app", "x"),
        (b"<13>Jan  9 10:00:00 Message forwarded from aix: app[7]: x", "aix", "app", "x"),
        (b"<13>Jan  9 10:00:00 mac com.apple.xpc[1] (com.foo): x", "mac", "com.apple.xpc", "(com.foo): x"),
        (b"<13>Jan  9 10:00:00 h kernel: [    0.1] x", "h", "kernel", "[    0.1] x"),
        (b"<13>Jan  9 10:00:00 h app-that-has-such-a-long-name[12 x", "h", "app-that-has-such-a-long-name", "x"),
        (b"<13>Jan  9 10:00:00 h a-name-that-has-32-characters-or x", "h", "a-name-that-has-32-characters-or", "x"),
        (b"<13>Jan  9 10:00:00 h kernel:[0.1] x", "h", "kernel", "[0.1] x"),
        (b"Jan  9 10:00:00 h app: no priority", "h", "app", "no priority"),
        (b"<13>app: Python with ident", PEER, "app", "Python with ident"),
        (b"<13>error: no app is called so", PEER, "", "error: no app is called so"),
        (b"<13>just text: x", PEER, "", "just text: x"),
        (b"<13>", PEER, "", ""),
        ("<13>Jan  9 10:00:00 h app: \ufeffgrüße".encode(), "h", "app", "grüße"),
        (b"<13>Jan  9 10:00:00 h app: a\nb", "h", "app", "a\nb"),
    ],
)
def test_hosts_and_tags_are_found_or_left_in_the_message(message: bytes, pod: str, container: str, text: str) -> None:
    found = record(message)
    assert (found["pod"], found["container"], found["message"]) == (pod, container, text)
    assert (found["namespace"], found["labels"]) == ("_node", {"node": pod})
    assert "_ingest_error" not in found["attributes"]


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (b"Jan  9 22:14:15", "2026-01-09T22:14:15.000000000"),
        (b"Jan 09 22:14:15", "2026-01-09T22:14:15.000000000"),
        (b"Jan 9 22:14:15", "2026-01-09T22:14:15.000000000"),
        (b"Dec 31 23:59:59", "2025-12-31T23:59:59.000000000"),
        (b"Jan 10 12:00:05", "2026-01-10T12:00:05.000000000"),
        (b"Jul  9 00:00:00", "2025-07-09T00:00:00.000000000"),
        (b"Feb 29 00:00:00", "2024-02-29T00:00:00.000000000"),
        (b"Jan 11 12:00:00", "2026-01-11T12:00:00.000000000"),
        (b"Jan 11 13:00:00", "2025-01-11T13:00:00.000000000"),
        (b"Jan  9 22:14:15.123456789123", "2026-01-09T22:14:15.123456789"),
        (b"Jan  9 22:14:15 2024", "2024-01-09T22:14:15.000000000"),
        (b"Jan  9 2024 22:14:15", "2024-01-09T22:14:15.000000000"),
        (b"2024 Jan  9 22:14:15", "2024-01-09T22:14:15.000000000"),
        (b"2026-01-09T22:14:15.5+02:00", "2026-01-09T20:14:15.500000000"),
        (b"2026-01-09T22:14:15.000000001Z", "2026-01-09T22:14:15.000000001"),
        (b"2026-01-09T22:14:15-0330", "2026-01-10T01:44:15.000000000"),
        (b"2026-01-09 22:14:15,25", "2026-01-09T22:14:15.250000000"),
        (b"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000"),
        (b"1 1768000000.123456789", "2026-01-09T23:06:40.123456789"),
    ],
)
def test_times_are_read_to_the_nanosecond_in_every_form(stamp: bytes, expected: str) -> None:
    assert time_of(b"<13>" + stamp + b" h app: x") == expected
    found = record(b"<13>" + stamp + b" h app: x")
    assert (found["pod"], found["container"], found["message"]) == ("h", "app", "x")


def test_a_time_without_zone_is_in_the_configured_one() -> None:
    assert time_of(b"<13>Jan  9 22:14:15 h app: x", "Europe/Berlin") == "2026-01-09T21:14:15.000000000"
    assert time_of(b"<13>Jul  9 22:14:15 2025 h app: x", "Europe/Berlin") == "2025-07-09T20:14:15.000000000"
    assert time_of(b"<13>Jan  9 22:14:15 UTC h app: x", "Europe/Berlin") == "2026-01-09T22:14:15.000000000"
    assert time_of(b"<13>1 2026-01-09T22:14:15 h a - - - x", "Europe/Berlin") == "2026-01-09T21:14:15.000000000"
    assert time_of(b"<13>1 2026-01-09T22:14:15Z h a - - - x", "Europe/Berlin") == "2026-01-09T22:14:15.000000000"


def test_a_message_without_a_time_or_with_one_of_tomorrow_has_the_receivers() -> None:
    assert record(b"<13>1 - h a - - - x")["time"] == NOW
    found = record(b"<13>1 2027-01-09T00:00:00Z h a - - - x")
    assert found["time"] == NOW
    assert found["attributes"]["_time"] == 1_799_452_800_000_000_000


@pytest.mark.parametrize(
    ("message", "pod", "time"),
    [
        (b"<189>45: *Jan  9 18:46:11.123: %SYS-5-CONFIG_I: done", PEER, "2026-01-09T18:46:11.123000000"),
        (b"<189>45: r1: .Jan  9 18:46:11.1 UTC: %SYS-5-CONFIG_I: done", "r1", "2026-01-09T18:46:11.100000000"),
        (b"<189>45: Jan  9 2026 18:46:11 CET: %SYS-5-CONFIG_I: done", PEER, "2026-01-09T18:46:11.000000000"),
        (b"<189>45: Jan  9 18:46:11 r1: %SYS-5-CONFIG_I: done", "r1", "2026-01-09T18:46:11.000000000"),
        (b"<189>: Jan 09 2026 18:46:11 r1 : %SYS-5-CONFIG_I: done", "r1", "2026-01-09T18:46:11.000000000"),
    ],
)
def test_cisco_devices_are_understood(message: bytes, pod: str, time: str) -> None:
    found = record(message)
    assert (found["pod"], found["container"]) == (pod, "SYS")
    assert found["message"] == "%SYS-5-CONFIG_I: done"
    assert found["attributes"]["msgid"] == "SYS-5-CONFIG_I"
    assert found["attributes"].get("sequence") == ("45" if b">45" in message else None)
    assert time_of(message) == time


ID = "0123456789ab"


@pytest.mark.parametrize(
    ("tag", "container", "image", "identifier"),
    [
        (ID, ID, None, ID),
        (f"docker/{ID}", ID, None, ID),
        (f"dockerd/{ID}", ID, None, ID),
        (f"web/{ID}", "web", None, ID),
        (f"nginx/web/{ID}", "web", "nginx", ID),
        (f"registry:5000/team/nginx:1.27/web/{ID}", "web", "registry:5000/team/nginx:1.27", ID),
        (ID * 5 + "0123", ID * 5 + "0123", None, ID * 5 + "0123"),
    ],
)
def test_containers_of_dockers_syslog_driver_are_no_log_of_their_host_recorded_shapes(
    tag: str, container: str, image: str | None, identifier: str
) -> None:
    driver = (
        f"<30>Jan  9 10:00:00 worker {tag}[812]: x",
        f"<30> 2026-01-09T10:00:00Z worker {tag}[812]: x",
        f"<30>1 2026-01-09T10:00:00.000000Z worker {tag} 812 {tag} - x",
    )
    for message in driver:
        found = record(message.encode())
        assert (found["namespace"], found["pod"], found["container"]) == ("default", "", container)
        assert (found["stream"], found["severity"]) == ("stdout", "info")
        assert found["labels"]["node"] == "worker"
        assert (found["labels"].get("image"), found["labels"].get("container_id")) == (image, identifier)
        assert found["attributes"] == {"facility": "daemon", "procid": "812"}
    assert record(f"<27>Jan  9 10:00:00 worker {tag}[812]: x".encode())["stream"] == "stderr"


def test_in_rfc_5424_any_tag_of_docker_is_told_by_standing_there_twice() -> None:
    found = record(b"<30>1 2026-01-09T10:00:00Z worker shop-web 812 shop-web - x")
    assert (found["namespace"], found["container"], found["stream"]) == ("default", "shop-web", "stdout")
    assert found["attributes"] == {"facility": "daemon", "procid": "812"}
    assert record(b"<28>1 2026-01-09T10:00:00Z worker a 812 a - x")["namespace"] == "_node"
    assert record(b"<30>1 2026-01-09T10:00:00Z worker - 812 - - x")["namespace"] == "_node"


def test_a_container_that_the_kubelet_named_is_of_its_pod() -> None:
    found = record(f"<30>Jan  9 10:00:00 n1 k8s_web_shop-1_prod_6f0e_3/{ID}[812]: x".encode())
    assert (found["namespace"], found["pod"], found["container"]) == ("prod", "shop-1", "web")
    assert found["labels"] == {"container_id": ID, "instance": "3", "node": "n1", "pod_uid": "6f0e"}


def test_structured_data_of_a_pod_is_its_identity() -> None:
    found = record(
        b'<14>1 2026-01-09T10:00:00Z n1 fluent-bit - - [kubernetes@47450 namespace_name="prod" pod_name="shop-1" '
        b'container_name="web" docker_id="abc" annotation="x"] hello'
    )
    assert (found["namespace"], found["pod"], found["container"]) == ("prod", "shop-1", "web")
    assert found["labels"] == {"node": "n1", "container_id": "abc"}
    assert found["attributes"]["kubernetes@47450"] == {"annotation": "x"}


def test_json_after_a_cookie_gives_attributes_and_a_pod() -> None:
    text = '@cee: {"user":"ann","took_ms":12.5,"kubernetes":{"namespace_name":"prod","pod_name":"shop-1","x":1}}'
    found = record(b"<14>Jan  9 10:00:00 n1 app[3]: " + text.encode())
    assert found["message"] == text
    assert (found["namespace"], found["pod"], found["labels"]) == ("prod", "shop-1", {"node": "n1"})
    expected = {"user": "ann", "took_ms": 12.5, "kubernetes": {"x": 1}, "facility": "user", "procid": "3"}
    assert found["attributes"] == expected
    bare = record(b"<14>Jan  9 10:00:00 n1 app[3]: " + text.removeprefix("@cee: ").encode())
    assert (bare["namespace"], bare["pod"], bare["attributes"]) == (
        "prod",
        "shop-1",
        {"facility": "user", "procid": "3"},
    )
    damaged = record(b"<14>Jan  9 10:00:00 n1 app[3]: @cee: {")
    assert (damaged["pod"], damaged["message"]) == ("n1", "@cee: {")


def test_structured_data_keeps_repeated_names_and_loses_none_to_ours() -> None:
    found = record(b'<14>1 - h a - - [origin ip="1" ip="2" ip="3"][facility x="y"][empty] hello')
    assert found["attributes"] == {
        "facility": "user",
        "origin": {"ip": ["1", "2", "3"]},
        "sd.facility": {"x": "y"},
        "empty": {},
    }


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"hello", "no syslog header"),
        (b"\x16\x03\x01\x02", "no syslog header"),
        (b"<192>Jan  9 10:00:00 h app: x", "the priority 192 is over 191"),
        (b"<999>x", "the priority 999 is over 191"),
        (b"<192>1 - - - - - - x", "the priority 192 is over 191"),
        (b"<13>Feb 30 10:00:00 h app: x", "there is no time Feb 30 10:00:00"),
        (b"<13>1 2026-13-09T10:00:00Z h a - - - x", "there is no time 2026-13-09T10:00:00Z"),
    ],
)
def test_what_cannot_be_understood_is_stored_as_it_came_between_good_neighbours(message: bytes, why: str) -> None:
    good = b"<13>Jan  9 10:00:00 h app: good"
    first, found, last = records(good, message, good)
    assert first == last and first["message"] == "good"
    assert found["message"] == message.decode()
    assert found["attributes"] == {"_ingest_error": why}
    assert (found["namespace"], found["pod"], found["time"], found["severity"]) == ("_node", PEER, NOW, "")


def test_a_tag_may_be_empty() -> None:
    """As CeeSysLogHandler for Python writes it, which names no program."""
    found = record(b'<11>: @cee: {"short_message": "it broke", "n": 3}')
    assert (found["message"], found["severity"]) == ('@cee: {"short_message": "it broke", "n": 3}', "error")
    assert found["attributes"] == {"facility": "user", "short_message": "it broke", "n": 3}


def test_of_a_message_with_damaged_structured_data_the_header_counts() -> None:
    """As syslog-pro for Node writes it, without quotes."""
    found = record(b"<188>1 2026-01-09T09:13:26+00:00 web-1 app 7 id [timeQuality tzKnown=1] it broke")
    assert found["message"] == "[timeQuality tzKnown=1] it broke"
    assert found["attributes"]["_ingest_error"] == "the structured data is damaged at character 49"
    assert (found["pod"], found["container"], found["severity"]) == ("web-1", "app", "warn")
    assert (found["attributes"]["procid"], found["attributes"]["facility"]) == ("7", "local7")


def test_a_message_that_was_cut_off_is_understood_as_far_as_it_goes() -> None:
    found = record(Message(b"<13>Jan  9 10:00:00 h app: so fa", 99))
    assert (found["pod"], found["message"]) == ("h", "so fa")
    assert found["attributes"]["_ingest_error"] == "cut off after 32 of 99 bytes"


def test_bytes_that_are_not_utf_8_come_back() -> None:
    found = record(b"<13>Jan  9 10:00:00 h app: caf\xe9 \\")
    assert found["message"] == "caf\\xe9 \\\\"
    assert found["attributes"]["_escape"] == "backslash"
    assert record(b"<13>Jan  9 10:00:00 h\xe9 app: x")["message"] == "h\\xe9 app: x"


def test_senders_are_told_apart_and_a_mapped_address_is_the_address() -> None:
    body = pack([whole(b"<13>a")], "::ffff:10.0.0.1") + pack([whole(b"<13>b")], "fe80::2") + pack([], "x")
    decoded = decoder()(Request(body, NOW))
    assert decoded.batch.column("pod").to_pylist() == ["10.0.0.1", "fe80::2"]


def test_connections_and_datagrams_give_what_the_decoder_takes() -> None:
    talk, datagrams = conversation("10.0.0.1", 1 << 20), Datagrams()
    frames = [*talk.feed(b"<13>a\n7 <13>b"), *talk.feed(b"cd<13>e"), *talk.end()]
    bodies = [frame.body for frame in frames if not isinstance(frame, bytes)]
    datagram = datagrams.feed(b"<13>f\n", "10.0.0.2")
    assert datagram is not None and datagrams.feed(b"\n", "10.0.0.2") is None
    batch = decoder()(Request(b"".join([*bodies, datagram.body]), NOW)).batch
    assert batch.column("message").to_pylist() == ["a", "bcd", "e", "f"]
    assert batch.column("pod").to_pylist() == ["10.0.0.1"] * 3 + ["10.0.0.2"]
    assert (talk.greeting(), talk.is_midway) == (b"", False)


PIECES = (
    *(b"<13>", b"<191>", b"<0>", b"<999>", b"<", b">", b"1 ", b"- ", b"Jan  9 10:00:00 ", b"Feb 29 23:59:60 "),
    *(b"2026-01-09", b"T10:00:00", b".5", b"Z ", b"+25:99 ", b"h ", b"app", b"[7]", b": ", b"[x ", b'y="', b'z\\"'),
    *(b'"]', b"[", b"]", b"%ASA-6-1: ", b"@cee:", b"{", b'"kubernetes":', b"{}", b"}", b"\xef\xbb\xbf", b"\xff"),
    *(b"\0", b"\n", b"9999999999 ", b"0123456789ab", b"docker/", b"k8s_a_b_c_d_0", b"\\", b"9" * 40),
    *(b"0000-00-00T00:00:00Z ", b"9999-12-31T23:59:59Z "),
)


@given(st.lists(st.lists(st.sampled_from(PIECES) | st.binary(max_size=5), max_size=14).map(b"".join), max_size=6))
def test_any_message_is_a_record(messages: list[bytes]) -> None:
    found = records(*messages)
    assert len(found) == len(messages)
    assert all(row["namespace"] in ("_node", "default") or row["pod"] or row["container"] for row in found)


HEADERS = (
    *("<13>Jan  9 10:00:00 h app: ", "<13>Jan  9 10:00:01 h app: ", "<13>Jan  9 10:00:00 h app[7]: ", "<13>h app: "),
    *("<13>2026-01-09T10:00:00.5Z h app: ", "<13>1 2026-01-09T10:00:00Z h app - - - ", "<13>Jan  9 10:00:00 h app:"),
    *('<13>1 2026-01-09T10:00:00.25+25:00 h app - - [a b="]"] ', "<13>Feb 30 10:00:00 h app: ", "<13>Jan  9 10:00:00 "),
    *('<13>1 2026-01-09T10:00:00.25+01:00 h app - - [a b="]"] ', "<13>1 2026-01-09T10:00:00Z h app - - [a b] "),
    *("<13>Jan  9 10:00:00 2024 app: ", "<13>Jan  9 10:00:00 UTC app: ", "<199>Jan  9 10:00:00 h app: "),
    *(
        "<13>1 2026-01-09T10:00:00Z h app - - -",
        "<13>1 2026-01-09T10:00:00Z h app - - [a b=x] ",
        "<999>1 - h app - - - ",
    ),
)
ENDS = (
    *(
        "x",
        "",
        " x",
        "x\n",
        "%SYS-5-CONFIG_I: x",
        '{"kubernetes":{"pod_name":"p"}}',
        "@cee: {}",
        "\ufeffx",
        "[x]: y",
        "[a b] x",
    ),
    *("last message", "b: c", "\xff", "{}", ": x", "-", "- x", "h2 app2: x"),
)


@given(st.lists(st.tuples(st.sampled_from(HEADERS), st.sampled_from(ENDS)), min_size=2, max_size=8))
def test_what_a_message_says_does_not_depend_on_those_before_it(messages: list[tuple[str, str]]) -> None:
    texts = [(header + end).encode("latin-1" if end == "\xff" else "utf-8") for header, end in messages]
    assert records(*texts) == [record(text) for text in texts]


STAMPS = st.builds(
    "{} {:2d} {:02d}:{:02d}:{:02d}".format,
    st.sampled_from(["Jan", "Feb", "Mar", "Oct", "Nov", "Dec", "jan"]),
    st.integers(0, 32),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 61),
)
TIMES = STAMPS | st.sampled_from(
    [
        *("2026-01-09T10:00:00Z", "2026-01-09T10:00:00.123456789123-03:30", "2026-01-09T23:59:60+01:00", "-"),
        *(
            "2026-01-09T10:00:00",
            "2025-08-09T10:00:00.25",
            "2015-08-09T10:00:00",
            "1980-08-09T10:00:00",
            "2026-02-30T10:00:00",
        ),
        *("2026-01-09T10:00:00.", "2026-01-09T10:00:00.Z", "2027-01-09T10:00:00", "2026-01-09T10:00:00-0330"),
        *("1600-01-01T00:00:00Z", "2027-01-09T10:00:00Z", "2026-01-09t10:00:00z", "2026-02-30T10:00:00Z", "1768000000"),
    ]
)
PRIORITIES = st.sampled_from(["<13>", "<191>", "<0>", "<007>", "<192>", "<1234>", "", "<>"])
WORDS = st.sampled_from(
    ["h", "app", "-", "UTC", "2024", "k8s_app_web-0_shop_uid_0", "0123456789ab", "h\u00e9", "a/b", "x:y", "\ufeff"]
)
STRUCTURED = st.sampled_from(
    [
        *(
            "-",
            '[a@1 b="c" b="d\\]"][x]',
            '[a b="\u00e9\xa0"]',
            '[facility  b="" ]',
            "[a b=c]",
            '[kubernetes@1 pod_name="p"]',
        ),
        *('[\u00e9 b="c"]', "[a]b", '[procid x="1"]', '[a b="', "- -", '[a\x1cb c="d"]'),
    ]
)
LINES = st.sampled_from(
    [
        "x",
        "",
        "x\n",
        "\ufeffx",
        "\ufeff\ufeffx",
        "%x",
        "\ufeff%x",
        "@cee:{}",
        '{"kubernetes":{"pod_name":"p"}}',
        "{}",
        ": x",
        "\0",
    ]
)
MESSAGES = st.builds(
    "{}1 {} {} {} {} {} {} {}".format, PRIORITIES, TIMES, WORDS, WORDS, WORDS, WORDS, STRUCTURED, LINES
) | st.builds(
    "{}{} {} {}{}: {}".format,
    PRIORITIES,
    TIMES,
    WORDS,
    WORDS,
    st.sampled_from(["", "[7]", "[]", "[12345678901]"]),
    LINES,
)


@given(
    st.lists(st.tuples(MESSAGES, st.sampled_from(["10.0.0.1", "::ffff:10.0.0.2"]), st.booleans()), max_size=5),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_messages_read_at_once_are_what_they_are_one_by_one(sent: list[tuple[str, str, bool]], zone: str) -> None:
    texts = ((text.encode("latin-1", "replace") if is_odd else text.encode(), peer) for text, peer, is_odd in sent)
    request = Request(b"".join(pack([whole(text)], peer) for text, peer in texts), NOW)
    found = decoder(ZoneInfo(zone))(request)
    expected = decode_any(unpack(request.body), request, ZoneInfo(zone))
    assert rows_of(found) == rows_of(expected)
    assert (found.senders, found.rejects, found.unread) == (expected.senders, expected.rejects, expected.unread)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
def test_local_times_around_changes_of_the_clock(zone: str) -> None:
    stamps = [
        f"{day} {hour:02d}:{minute}:00"
        for day in ("Mar  8", "Mar 29", "Apr  5", "Oct  4", "Oct 25", "Nov  1")
        for hour in range(5)
        for minute in ("00", "29", "59")
    ]
    months = {"Mar": "03", "Apr": "04", "Oct": "10", "Nov": "11"}
    stamps += [f"2025-{months[stamp[:3]]}-{stamp[4:6].replace(' ', '0')}T{stamp[7:]}.5" for stamp in stamps]
    request = Request(pack((whole(f"<13>{stamp} h app: x".encode()) for stamp in stamps), PEER), NOW)
    found = decode_usual(request, ZoneInfo(zone))
    assert found.left == []
    assert rows_of(found.decoded) == rows_of(decode_any(unpack(request.body), request, ZoneInfo(zone)))


def test_what_senders_usually_write_is_read_at_once() -> None:
    usual = [(header + end).encode() for header in HEADERS[:3] + HEADERS[4:6] for end in ENDS[:1]]
    odd = [whole(b"<13>x"), whole(b"no header"), Message(b"<13>Jan  9 10:00:00 h app: so fa", 99)]
    body = pack([*map(whole, usual), *odd], PEER)
    assert decode_usual(Request(body, NOW), UTC).left == [5, 6, 7]


@given(st.text(max_size=200), st.integers(0, 191))
def test_a_message_comes_back_exactly(text: str, priority: int) -> None:
    clean = text.removesuffix("\n").removeprefix("\ufeff")
    found = record(f"<{priority}>1 2026-01-09T10:00:00Z h a - - - {clean}".encode())
    assert found["message"] == clean.removesuffix("\n")


def test_long_hostile_messages_take_no_long_time() -> None:
    stamp = b"<13>1 2026-01-09T10:00:00Z"
    hostile = (b"[" * 200_000, b'[x y="' + b"\\" * 200_000, b"[x" + b" " * 200_000, b'[x a="b"' * 20_000)
    for structured in hostile:
        for header in (b"<13>1 - h a - - ", stamp + b" h a - - "):
            assert record(header + structured)["attributes"]["_ingest_error"]
    fillers = (b"a:" * 100_000, b" " * 200_000, b"a" * 200_000, b"a[" * 100_000, b"9" * 200_000, b'[x a="b"]' * 20_000)
    for rest in (*fillers, *hostile):
        for header in (b"<13>Jan  9 10:00:00 ", b"<13>", b"", stamp + b" ", stamp + b" h a - ", b"<13>1 - h a - - "):
            record(header + rest)
