"""Fluent forward without a network: what its messages become, what its senders hear, and what no bytes can do to it."""

import gzip
import hashlib
import json
import random
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.conversation import Conversation, Frame, Malformed
from ingest.identity_table import default_table
from ingest.lines import lines
from ingest.lines_asked import Asked, formats_of
from ingest.protocols.forward import TAKE, Keys, begin
from ingest.protocols.forward.documents import Documents
from ingest.protocols.forward.kernel import common_documents
from ingest.request import Decoded, Head, Limits, Request
from logstore.errors import InvalidInput, TooLarge
from tests import forwarding
from tests.forwarding import EPOCH_NS, entry, event_time
from tests.ingest.decoded import records as told

NOW_NS = 1_780_000_000_000_000_001
MIB = 1 << 20


def conversation(keys: Keys | None = None, max_bytes: int = MIB) -> Conversation:
    return begin(max_bytes, keys, "server", random.Random(7).randbytes)("10.0.0.1")


def frames(*pieces: bytes) -> list[Frame | bytes]:
    talk = conversation()
    return [item for piece in pieces for item in talk.feed(piece)]


def decoded(body: bytes, limits: Limits | None = None) -> Decoded:
    limits = limits or Limits()
    assert TAKE.inflate is not None
    inflated = TAKE.inflate(body, Head(), limits.max_body_bytes)
    return TAKE.decode(Request(inflated, NOW_NS, limits=limits))


def records(body: bytes) -> list[dict[str, Any]]:
    return told(decoded(body))


def one(body: bytes) -> dict[str, Any]:
    (record,) = records(body)
    return record


RECORD = {"log": "GET /cart 200", "stream": "stderr", "level": "warn", "status": 200, "ok": True, "n": None, "at": 1.5}
ENTRIES = [entry(event_time(EPOCH_NS + at), {**RECORD, "id": at}) for at in range(3)]
PAIRS = [(event_time(EPOCH_NS + at), {**RECORD, "id": at}) for at in range(3)]


@pytest.mark.parametrize(
    "body",
    [
        b"".join(forwarding.message("app", *pair) for pair in PAIRS),
        forwarding.forward("app", PAIRS),
        forwarding.forward("app", PAIRS, size=3),
        forwarding.packed("app", b"".join(ENTRIES)),
        bytes(msgpack.packb(["app", b"".join(ENTRIES)], use_bin_type=False)),
        forwarding.gzipped("app", b"".join(ENTRIES), chunk="c"),
        forwarding.zstd("app", b"".join(ENTRIES), size=3),
    ],
    ids=["message", "forward", "forward with size", "packed", "packed as raw", "gzip in two members", "zstd"],
)
def test_every_mode_carries_the_same_records(body: bytes) -> None:
    found = records(body)
    assert [record["time"] for record in found] == [EPOCH_NS, EPOCH_NS + 1, EPOCH_NS + 2]
    assert [record["attributes"].pop("id") for record in found] == [0, 1, 2]
    for record in found:
        assert record["message"] == "GET /cart 200"
        assert (record["stream"], record["severity"]) == ("stderr", "warn")
        assert record["attributes"] == {"tag": "app", "status": 200, "ok": True, "n": None, "at": 1.5}


@pytest.mark.parametrize(
    ("sent", "time_ns"),
    [
        (event_time(1), 1),
        (1_770_000_000, 1_770_000_000_000_000_000),
        (1_770_000_000.25, 1_770_000_000_250_000_000),
        (0, NOW_NS),
        (msgpack.Timestamp(1_770_000_000, 5), 1_770_000_000_000_000_005),
        ([event_time(EPOCH_NS), {}], EPOCH_NS),
        (None, NOW_NS),
    ],
)
def test_times_are_read_to_the_nanosecond(sent: Any, time_ns: int) -> None:
    assert one(forwarding.packed("t", entry(sent, {"log": "x"})))["time"] == time_ns
    assert one(forwarding.message("t", sent, {"log": "x"}))["time"] == time_ns


def test_a_time_far_ahead_is_the_receivers() -> None:
    record = one(forwarding.packed("t", entry(event_time(4_294_967_293_999_999_999), {"log": "x"})))
    assert record["time"] == NOW_NS
    assert record["attributes"] == {"tag": "t", "_time": 4294967293.999999999}


def test_an_event_time_may_be_of_either_form_of_extension() -> None:
    content = (5).to_bytes(4, "big") + (6).to_bytes(4, "big")
    for head in (b"\xd7\x00", b"\xc7\x08\x00"):
        body = b"\x93\xa1t" + head + content + msgpack.packb({"log": "x"})
        assert one(body)["time"] == 5_000_000_006


def test_a_time_of_the_record_itself_is_kept() -> None:
    for name in ("time", "@timestamp", "ts", "timestamp", "_time"):
        sent = {"log": "x", name: "noon", "attributes": {"a": 1}}
        record = one(forwarding.message("t", event_time(EPOCH_NS), sent))
        assert record["time"] == EPOCH_NS
        assert record["attributes"] == {"tag": "t", name: "noon", "a": 1}


def test_what_the_record_says_of_its_time_is_dropped_where_the_entry_says_the_same() -> None:
    time, cri = event_time(EPOCH_NS), "2026-02-02T02:40:00.123456789Z"
    assert one(forwarding.message("t", time, {"log": "x", "time": cri}))["attributes"] == {"tag": "t"}
    for other in (cri.replace("9Z", "8Z"), cri.replace("Z", "+01:00"), cri[:20] + "Z", "Z", ""):
        assert one(forwarding.message("t", time, {"log": "x", "time": other}))["attributes"]["time"] == other


CONTAINER_ID = "0123456789abcdef" * 4
KUBERNETES = {
    "pod_name": "web-0",
    "namespace_name": "shop",
    "pod_id": "uid-1",
    "labels": {"app": "web"},
    "host": "node-1",
    "container_name": "nginx",
    "docker_id": CONTAINER_ID,
    "container_image": "nginx:1",
}


def test_the_tag_of_a_containers_file_tells_where_a_record_comes_from() -> None:
    tag = f"kube.var.log.containers.web-0_shop_nginx-{CONTAINER_ID}.log"
    record = one(forwarding.message(tag, 5, {"log": "hi\n", "stream": "stdout", "_p": "F"}))
    assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-0", "nginx")
    assert record["labels"] == {"container_id": CONTAINER_ID}
    assert record["message"] == "hi"
    assert record["attributes"] == {"tag": tag, "_p": "F"}


def test_the_kubernetes_filter_tells_it_too() -> None:
    tag = f"kube.var.log.containers.web-0_shop_nginx-{CONTAINER_ID}.log"
    record = one(forwarding.packed(tag, entry(event_time(5), {"log": "hi", "kubernetes": KUBERNETES})))
    assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-0", "nginx")
    labels = {"app": "web", "container_id": CONTAINER_ID, "image": "nginx:1", "node": "node-1", "pod_uid": "uid-1"}
    assert record["labels"] == labels
    assert record["attributes"] == {"tag": tag}


def test_a_record_of_dockers_driver() -> None:
    sent = {"container_id": CONTAINER_ID, "container_name": "/web", "source": "stderr", "log": "ERROR: no"}
    record = one(forwarding.message(CONTAINER_ID[:12], 1_770_000_000, sent))
    assert (record["container"], record["stream"], record["message"]) == ("web", "stderr", "ERROR: no")
    assert record["labels"] == {"container_id": CONTAINER_ID}
    assert record["attributes"] == {"tag": CONTAINER_ID[:12]}


def test_metadata_of_fluent_bit_is_kept_and_marks_of_groups_are_no_records() -> None:
    group, end = ([msgpack.ExtType(0, bytes((255, 255, 255, last)) + bytes(4)), {}] for last in (255, 254))
    entries = [
        entry([event_time(EPOCH_NS), {"otlp": {"severity_number": 9}}], {"log": "with"}),
        entry(group, {"resource": {"attributes": {"service.name": "shop"}}}),
        entry([event_time(EPOCH_NS), {}], {"log": "within"}),
        entry(end, {}),
        entry([event_time(EPOCH_NS), {}], {"log": "without"}),
    ]
    found = {record["message"]: record["attributes"] for record in records(forwarding.packed("t", b"".join(entries)))}
    assert found == {
        "with": {"tag": "t", "metadata": {"otlp": {"severity_number": 9}}},
        "within": {"tag": "t", "resource": {"attributes": {"service.name": "shop"}}},
        "without": {"tag": "t"},
    }


def test_the_severity_of_what_fluent_bit_got_by_otlp() -> None:
    metadata = {"otlp": {"severity_number": 17, "severity_text": "ERROR"}}
    [record] = records(forwarding.packed("t", entry([event_time(EPOCH_NS), metadata], {"log": "x"})))
    assert (record["severity"], record["attributes"]) == ("error", {"tag": "t", "metadata": metadata})


def test_bytes_and_strings_are_the_same_and_what_is_no_utf8_is_escaped() -> None:
    assert one(forwarding.message("t", 1, {b"log": b"caf\xc3\xa9", b"n": b"x"}))["message"] == "café"
    raw = one(bytes(msgpack.packb([b"t", 1, {b"log": b"caf\xe9 \\", b"n": b"\xff"}], use_bin_type=False)))
    assert raw["message"] == "caf\\xe9 \\\\"
    assert raw["attributes"] == {"tag": "t", "_escape": "backslash", "n": "�"}
    binary = one(forwarding.message("t", 1, {"log": "x", "n": b"\xff\x00", "o": {"deep": b"\xfe"}}))
    assert binary["attributes"] == {"tag": "t", "n": "/wA=", "o": {"deep": "/g=="}}


def test_numbers_that_json_does_not_have_and_keys_that_are_no_strings() -> None:
    record = one(forwarding.message("t", 1, {"log": "x", "nan": float("nan"), 5: "five", "big": 2**64 - 1}))
    assert record["attributes"] == {"tag": "t", "nan": "NaN", "5": "five", "big": 2**64 - 1}


def test_a_text_alone_is_a_message() -> None:
    record = one(forwarding.message("t", 1_770_000_000, "disk full"))
    assert (record["message"], record["time"], record["attributes"]) == (
        "disk full",
        EPOCH_NS // 10**9 * 10**9,
        {"tag": "t"},
    )


@pytest.mark.parametrize("bad", [b"\x01", b"\x92\x01\x05", b"\x93\x01\x02\x03", entry(1, {"log": "good"})[:-2]])
def test_an_entry_that_is_no_record_is_text_and_its_neighbours_are_taken(bad: bytes) -> None:
    before, after = entry(1, {"log": "before"}), entry(1, {"log": "after"})
    found = records(forwarding.packed("t", before + bad))
    assert found[0]["message"] == "before"
    assert "_ingest_error" in found[1]["attributes"]
    assert found[1]["attributes"]["tag"] == "t"
    if bad[-1:] != b"o":
        found = records(forwarding.packed("t", before + bad + after) + forwarding.message("t", 1, {"log": "next"}))
        assert [found[0]["message"], found[-1]["message"]] == ["before", "next"]


def test_a_record_nested_too_deep_is_text_and_its_neighbours_are_taken() -> None:
    deep: Any = "bottom"
    for _ in range(400):
        deep = [deep]
    entries = [entry(1, {"log": "before"}), entry(1, {"log": "x", "deep": deep}), entry(1, {"log": "after"})]
    found = records(forwarding.packed("t", b"".join(entries)))
    assert [found[0]["message"], found[2]["message"]] == ["before", "after"]
    assert "nested" in found[1]["attributes"]["_ingest_error"]


def test_a_chunk_is_acknowledged_by_the_name_that_it_came_under() -> None:
    for chunk in ("p8n9gmxTQVC8/nh2wlKKeQ==", b"\x00\xff", "caf\udce9"):
        packed = msgpack.packb(["t", b"", {"chunk": chunk}], unicode_errors="surrogateescape")
        (frame,) = frames(packed)
        assert isinstance(frame, Frame)
        assert msgpack.unpackb(frame.ack, unicode_errors="surrogateescape") == {"ack": chunk}
        assert decoded(packed).key != ""
    (unnamed,) = frames(forwarding.packed("t", b""))
    assert unnamed == Frame(forwarding.packed("t", b""))


def test_a_chunk_is_known_again_however_it_was_compressed() -> None:
    assert TAKE.inflate is not None
    once, again = (
        forwarding.packed("t", gzip.compress(ENTRIES[0] * 99, level, mtime=level), compressed="gzip", chunk="c")
        for level in (1, 9)
    )
    assert once != again
    assert TAKE.inflate(once, Head(), MIB) == TAKE.inflate(again, Head(), MIB)


def test_heartbeats_metrics_and_traces_are_no_records() -> None:
    assert frames(b"\xc0\xc0\xc0") == []
    assert frames(forwarding.packed("t", b"\x80", fluent_signal=1)) == []
    (ack,) = frames(forwarding.packed("t", b"\x80", fluent_signal=2, chunk="c"))
    assert msgpack.unpackb(ack) == {"ack": "c"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "0x7b"),
        (b"\x16\x03\x01", "0x16"),
        (b"\x91\xa1t", "not 1"),
        (b"\xdd\xff\xff\xff\xff", "not 4,294,967,295"),
        (b"\x93\xc1", "0xc1 begins no msgpack value"),
        (b"\x93\x01\x01\x80", "a tag"),
        (b"\x92\xa1t\x01", "is \\[tag, time, record\\]"),
        (b"\x93\xa1t\xc6\xff\xff\xff\xff", "max_body"),
        (b"\x93\xa1t\xdb\xff\xff\xff\xff", "max_body"),
        (b"\x93\xa1t\x01" + b"\x91" * 5000, "no msgpack"),
        (b"\x93\xa1t\x01\xdd\xff\xff\xff\xff" + b"\xc0" * (MIB + 1), "max_body"),
    ],
)
def test_what_is_no_message_is_malformed(content: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        frames(content)


def stream(chance: random.Random) -> tuple[bytes, list[bytes]]:
    kinds = [
        lambda: forwarding.message("t", 5, {"log": "x" * chance.randrange(300)}),
        lambda: forwarding.forward("t", PAIRS[: chance.randrange(4)]),
        lambda: forwarding.packed("t", b"".join(ENTRIES), chunk=str(chance.random())),
        lambda: forwarding.gzipped("tag" * chance.randrange(20), b"".join(ENTRIES)),
        lambda: b"\xdc\x00\x03\xa1t\x01" + msgpack.packb({"deep": [[[{}]]] * chance.randrange(40)}),
    ]
    messages = [chance.choice(kinds)() for _ in range(chance.randrange(12))]
    return b"".join(message + b"\xc0" * chance.randrange(2) for message in messages), messages


@given(st.integers(0, 1 << 32))
def test_a_stream_is_the_same_however_it_is_split(seed: int) -> None:
    chance = random.Random(seed)
    content, messages = stream(chance)
    cuts = sorted(chance.randrange(len(content) + 1) for _ in range(chance.randrange(30)))
    pieces = [content[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    talk = conversation()
    found: list[bytes] = []
    for piece in pieces:
        found += [item.body for item in talk.feed(piece) if isinstance(item, Frame)]
        assert 0 <= talk.held_bytes <= max(map(len, messages), default=0)
        assert talk.is_midway == (talk.held_bytes > 0)
    assert [row for body in found for row in records(body)] == [row for body in messages for row in records(body)]
    assert talk.held_bytes == 0
    assert list(talk.end()) == []


def survive(content: bytes) -> None:
    """Feeds it, and decodes what came out of it, as the server would."""
    try:
        for item in frames(content[:7], content[7:]):
            if isinstance(item, Frame):
                decoded(item.body)
    except (InvalidInput, TooLarge):
        return


@given(st.binary(max_size=400))
def test_no_bytes_do_harm(content: bytes) -> None:
    survive(content)


@given(st.integers(0, 1 << 32))
def test_no_damage_to_a_good_stream_does_harm(seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(stream(chance)[0])
    for _ in range(chance.randrange(1, 6)):
        if content:
            content[chance.randrange(len(content))] = chance.randrange(256)
    survive(bytes(content))


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from([None, "gzip", "zstd"]))
def test_no_entries_do_harm(parts: list[bytes], coding: str | None) -> None:
    entries = b"".join(ENTRIES[:1] + parts)
    try:
        body = decoded(forwarding.packed("t", entries, **({"compressed": coding} if coding else {})))
    except InvalidInput:
        assert coding
        return
    assert body.batch.num_rows >= 1


BOMBS = {
    "empty maps": b"\xdd" + (3 * MIB).to_bytes(4, "big") + b"\x80" * (3 * MIB),
    "maps of one": b"\xdd" + MIB.to_bytes(4, "big") + b"\x81\xa0\xc0" * MIB,
    "chains of arrays": b"\xdd" + (3 * 1024).to_bytes(4, "big") + (b"\x91" * 900 + b"\x90") * (3 * 1024),
}


NOT_COMMON = entry(1, {"log": "x", "n": float("nan")})


@pytest.mark.parametrize("more", [b"", NOT_COMMON], ids=["by the kernel", "one by one"])
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
def test_a_small_record_cannot_become_a_large_one(bomb: bytes, more: bytes) -> None:
    body = forwarding.packed("t", b"\x92\x01\x81\xa1b" + bomb + more)
    tracemalloc.start()
    try:
        rows = decoded(body).batch.num_rows
        assert tracemalloc.get_traced_memory()[1] < 64 * MIB
    finally:
        tracemalloc.stop()
    assert rows == 1 + len(more[:1])


def test_many_objects_in_many_records_are_taken_one_record_at_a_time() -> None:
    cell = {"log": "x", "rows": [[]] * 1000}
    found = records(forwarding.packed("t", entry(1, cell) * 1200 + NOT_COMMON))
    assert len(found) == 1201
    assert found[1199]["attributes"]["rows"] == [[]] * 1000


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(width=64),
    st.floats(width=32),
    st.text(max_size=20),
    st.text(max_size=9).map(str.encode),
    st.binary(max_size=4),
    st.sampled_from(["2026-02-02T02:40:00.123456789Z", "2026-02-02T04:40:00.123456789+02:00", "2026-02-02T02:40:00Z"]),
)
KEYS = st.one_of(st.text(max_size=5), st.sampled_from(["log", "message", "time", "@timestamp", "kubernetes"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=9,
)
TIMES = st.one_of(
    st.sampled_from(
        [event_time(EPOCH_NS), [event_time(EPOCH_NS), {}], [event_time(EPOCH_NS), {"a": 1}], 0, 5, -5, 1.5]
    ),
    st.integers(0, 4_294_967_295_999_999_999).map(event_time),
)


@given(st.lists(st.tuples(TIMES, st.dictionaries(KEYS, VALUES, max_size=5)), min_size=1, max_size=4))
def test_the_kernel_says_what_is_said_of_entries_one_by_one(pairs: list[tuple[Any, dict[str, Any]]]) -> None:
    entries = b"".join(entry(*pair) for pair in pairs)
    found = common_documents(entries, b',"origin":"x"', 0, MIB, 100)
    if found is None:
        return
    exact = Documents(100, default_table())
    exact.add_one_by_one(entries, exact.tag("t"), 0, MIB)
    assert found.count == exact.count == len(pairs)
    assert [plain(line) for line in found.text.splitlines()] == [plain(line) for line in exact.text().splitlines()]


def plain(line: bytes) -> Any:
    told = json.loads(line.decode("utf-8", "surrogateescape"))
    told.pop("origin", None)
    return told


@given(st.lists(st.text(max_size=9), max_size=9), st.integers(-(2**63), 2**64 - 1), st.floats(1e-4, 1e14))
def test_the_kernel_takes_what_is_common(texts: list[str], whole: int, broken: float) -> None:
    record = {"log": '\x00\x1f\n\t"\\é\U0001f600', "s": texts, "n": whole, "f": broken, "o": {"a": {"b": [None, True]}}}
    found = common_documents(entry(event_time(EPOCH_NS), record), b',"origin":"x"', 0, MIB, 100)
    assert found is not None
    assert json.loads(found.text) == {**record, "@timestamp": EPOCH_NS / 1e9, "origin": "x"}
    assert b'"@timestamp":1770000000.123456789' in found.text
    assert common_documents(entry(0, record) * 101, b"", 0, MIB, 100) is None
    assert common_documents(entry(0, record), b"", MIB, MIB, 100) is None


@given(st.lists(st.sampled_from([{}, {"a": 1}, {"a": 2}, {"a": 1, "b": {}}, 1, "a"]), min_size=1, max_size=9))
def test_the_kernel_tells_pods_apart(pods: list[Any]) -> None:
    found = common_documents(b"".join(entry(5, {"kubernetes": pod}) for pod in pods), b"", 0, MIB, 100)
    assert found is not None
    assert [json.loads(line)["kubernetes"] for line in found.text.splitlines()] == pods


@given(st.binary(max_size=60))
def test_no_entries_harm_the_kernel(content: bytes) -> None:
    for entries in (content, ENTRIES[0] + content, b"\x92\x01\x81\xa1a" + content, ENTRIES[0][: len(content)]):
        common_documents(entries, b"", 0, MIB, 100)


def test_entries_that_become_too_much_text_are_cut_and_say_so() -> None:
    body = forwarding.packed("t" * 1000, b"\x92\x00\x80" * 3000)
    found = records(body)
    assert len(found) < 1000
    assert "bytes as JSON" in found[-1]["attributes"]["_ingest_error"]


def test_a_chunk_that_inflates_past_the_limit_is_refused() -> None:
    body = forwarding.packed("t", gzip.compress(bytes(20 * MIB)), compressed="gzip", chunk="c")
    with pytest.raises(TooLarge, match="max_body"):
        decoded(body, Limits(max_body_bytes=MIB))


def test_a_damaged_chunk_is_refused() -> None:
    with pytest.raises(InvalidInput):
        decoded(forwarding.packed("t", gzip.compress(b"x" * 1000)[:-9], compressed="gzip"))


RECORDED = sorted((Path(__file__).parents[1] / "data" / "forward").glob("*.msgpack"))


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_what_a_real_client_once_sent(file: Path) -> None:
    sent = [item for item in frames(file.read_bytes()) if isinstance(item, Frame)]
    found = [row for item in sent for row in records(item.body)]
    assert [row["message"] for row in found] == [f"line {number}" for number in range(5)]
    for number, row in enumerate(found):
        tag = row["attributes"].pop("tag")
        assert tag == "python.app" if file.stem.startswith("python") else tag.endswith(file.stem.rpartition("-")[2])
        assert row["attributes"] == {"number": number, "nested": {"ok": True}}
        assert (row["time"], row["severity"]) == (EPOCH_NS + number, "warn")
    assert all(item.ack for item in sent) == (not file.stem.startswith("python"))


def test_what_dockers_driver_sent_is_what_the_program_wrote() -> None:
    (sent,) = frames((Path(__file__).parents[1] / "data" / "forward" / "dockerd-20.10-fluentd.stream").read_bytes())
    assert isinstance(sent, Frame)
    received_ns = 1_795_943_100 * 10**9
    found = TAKE.decode(Request(sent.body, received_ns))
    joined = lines(found.batch, Asked(formats_of("auto")), now_ns=received_ns, max_line_bytes=MIB)
    rows = told(replace(found, batch=joined))
    assert [(row["stream"], row.get("message", "")) for row in rows] == [
        ("stdout", "grüße aus dem Container"),
        ("stderr", 'level=error msg="disk full" user=ann'),
        ("stdout", 'tab\there "quoted" back\\slash \x1b[31mred\x1b[0m <&>'),
        ("stdout", "bad \\xff\\xfe bytes and a zero \0 byte"),
        ("stdout", ""),
        ("stdout", '{"level":"warn","msg":"in JSON","n":7}'),
        ("stdout", "".join(f"long {number:06} " for number in range(1700)) + "end"),
        ("stdout", "carriage return\r"),
        ("stdout", "without an end"),
    ]
    assert {row["container"] for row in rows} == {"web"} and {len(row["labels"]["container_id"]) for row in rows} == {
        64
    }
    assert {(row["attributes"]["tag"], row["attributes"]["team"]) for row in rows} == {("docker.web", "payments")}
    assert rows[0]["time"] == 1_795_943_060_486_004_551


class Client:
    """The other side of the handshake."""

    def __init__(self, keys: Keys) -> None:
        self.talk = conversation(keys)
        kind, helo = msgpack.unpackb(self.talk.greeting())
        assert kind == "HELO" and helo["keepalive"] is True
        self.nonce, self.auth = helo["nonce"], helo["auth"] or b""

    def ping(self, key: bytes, user: str = "", password: bytes = b"", salt: Any = b"\xffsalt") -> list[Any]:
        raw = salt.encode() if isinstance(salt, str) else salt
        digest = hashlib.sha512(raw + b"node" + self.nonce + key).hexdigest()
        secret = hashlib.sha512(self.auth + user.encode() + password).hexdigest() if self.auth else ""
        return self.say(msgpack.packb(["PING", "node", salt, digest, user, secret]))

    def say(self, content: bytes) -> list[Any]:
        """What is answered before the connection is closed, if it is."""
        said: list[Any] = []
        try:
            said += self.talk.feed(content)
        except Malformed as error:
            return [False, str(error)]
        answers = [msgpack.unpackb(item) for item in said if isinstance(item, bytes)]
        return answers[0] if answers else []


def keys(shared: Iterable[bytes] = (), passwords: Iterable[bytes] = ()) -> Keys:
    return Keys(lambda: tuple(shared), lambda: tuple(passwords))


@pytest.mark.parametrize("salt", [b"\xff\x00" * 8, "a salt that is a string"])
def test_who_knows_the_key_is_told_that_we_do_too(salt: Any) -> None:
    client = Client(keys([b"other", b"secret"]))
    raw = salt.encode() if isinstance(salt, str) else salt
    own = hashlib.sha512(raw + b"server" + client.nonce + b"secret").hexdigest()
    assert client.talk.is_midway
    assert client.ping(b"secret", salt=salt) == ["PONG", True, "", "server", own]
    assert not client.talk.is_midway
    (frame,) = client.talk.feed(forwarding.message("t", 1, {"log": "x"}))
    assert isinstance(frame, Frame)


def test_who_does_not_is_told_why_and_sent_away() -> None:
    client = Client(keys([b"secret"]))
    said = client.talk.feed(msgpack.packb(["PING", "node", "salt", "0" * 128, "", ""]))
    assert msgpack.unpackb(next(iter(said))) == ["PONG", False, "shared_key mismatch", "", ""]
    assert Client(keys([b"secret"])).ping(b"") == [False, "shared_key mismatch"]
    assert Client(keys([b"secret"])).say(forwarding.message("t", 1, {"log": "x"})) == [False, "invalid ping message"]
    assert Client(keys([b"secret"])).say(msgpack.packb(["PING", 1, 2, 3, 4, 5])) == [False, "shared_key mismatch"]
    assert Client(keys([b"secret"])).say(b"\x93\xa1t\xc6\x00\xff\xff\xff")[0] is False


def test_a_token_opens_as_the_shared_key_or_as_the_password_of_any_user() -> None:
    tokens = keys([b"token"], [b"token"])
    assert Client(tokens).ping(b"token")[1] is True
    assert Client(tokens).ping(b"", "anybody", b"token")[1] is True
    assert Client(tokens).ping(b"", "anybody", b"wrong") == [False, "username/password mismatch"]
    assert Client(tokens).ping(b"") == [False, "shared_key mismatch"]
    assert Client(tokens).ping(b"wrong", "anybody", b"token") == [False, "username/password mismatch"]


def test_a_token_may_be_a_users_own_password() -> None:
    tokens = keys([b"ann:secret"], [b"ann:secret"])
    assert Client(tokens).ping(b"", "ann", b"secret")[1] is True
    assert Client(tokens).ping(b"", "bob", b"secret") == [False, "username/password mismatch"]
    assert Client(tokens).ping(b"", "", b"secret") == [False, "shared_key mismatch"]


def test_a_stream_of_many_small_messages_is_cut_in_linear_time() -> None:
    content = forwarding.message("t", 1, {"log": "x"}) * 20_000
    began_s = time.process_time()
    (frame,) = frames(content)
    assert isinstance(frame, Frame)
    assert decoded(frame.body).batch.num_rows == 20_000
    assert time.process_time() - began_s < 5


def test_messages_of_one_tag_go_together_and_those_that_want_an_answer_alone() -> None:
    told = [forwarding.message("a", at, {"log": str(at)}) for at in range(1, 4)]
    empty = bytes(msgpack.packb(["a", 4, {"log": "4"}, {}])) + bytes(msgpack.packb(["a", 5, {"log": "5"}, None]))
    asked = forwarding.message("a", 6, {"log": "6"}, chunk="c")
    other = forwarding.message("b", 7, {"log": "7"})
    found = [item for item in frames(b"".join(told) + empty + asked + other + told[0]) if isinstance(item, Frame)]
    assert [[row["message"] for row in records(item.body)] for item in found] == [
        ["1", "2", "3", "4", "5"],
        ["6"],
        ["7"],
        ["1"],
    ]
    assert [bool(item.ack) for item in found] == [False, True, False, False]
