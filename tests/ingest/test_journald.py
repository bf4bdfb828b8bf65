"""The journal's export format, however it is cut, its entries as records, and uploads that are sent again."""

import itertools
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocol import Refusal
from ingest.protocols import journald
from ingest.protocols.journald.export import Entry, Export, fields_of
from ingest.protocols.journald.records import decode
from ingest.protocols.journald.upload import Upload
from ingest.request import Head, Limits, Request
from ingest.rows import Rows
from tests.ingest.decoded import NOW_NS, records
from tests.ingest.exports import cursor, export
from tests.reference import journal_export, journal_records

LIMITS = Limits()
TIME_US = 1_790_000_000_123_456


def entries(*pieces: bytes, field_max: int = 1000, entry_max: int = 4000) -> list[journal_export.Entry]:
    reader = Export(field_max, entry_max)
    return told([*(entry for piece in pieces for entry in reader.feed(piece)), *reader.end()])


def told(cut: Iterable[Entry]) -> list[journal_export.Entry]:
    """Entries as objects, with the values of a repeated name in a list."""
    found: list[journal_export.Entry] = []
    for entry in cut:
        found.append({})
        for name, value in fields_of(entry):
            journal_export.add_field(found[-1], name, _as_read(value))
    return found


def read(body: bytes, **params: str) -> list[dict[str, Any]]:
    head = Head(params=params)
    upload = Upload(head, LIMITS)
    upload.feed(body)
    upload.end()
    return records(upload.read(Request(b"", NOW_NS, head)))


def one(**fields: str | bytes) -> dict[str, Any]:
    [record] = read(export(fields))
    return record


def test_text_and_binary_fields() -> None:
    body = export(
        {"MESSAGE": "one", "PRIORITY": "6"}, {"MESSAGE": "two\nlines\n\n", "_PID": "7"}, {"MESSAGE": b"\xff\x00=\n"}
    )
    assert entries(body) == [
        {"MESSAGE": "one", "PRIORITY": "6"},
        {"MESSAGE": "two\nlines\n\n", "_PID": "7"},
        {"MESSAGE": b"\xff\x00=\n"},
    ]


VALUES = st.text(max_size=12) | st.binary(max_size=12) | st.sampled_from(["", "\n\n", "a=b", "\nMESSAGE=x\n\n", "A\n"])
ENTRIES = st.lists(st.dictionaries(st.sampled_from(["A", "B_1", "_C", "MESSAGE"]), VALUES, min_size=1), max_size=4)


@given(ENTRIES, st.data())
def test_entries_come_back_wherever_the_stream_is_cut(sent: list[dict[str, Any]], data: st.DataObject) -> None:
    body = export(*sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[at:end] for at, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert entries(*pieces) == [{name: _as_read(value) for name, value in entry.items()} for entry in sent]


def _as_read(value: str | bytes) -> str | bytes:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def test_an_entry_is_there_as_soon_as_its_empty_line_is() -> None:
    reader = Export(1000, 4000)
    assert not reader.feed(b"MESSAGE=a\n")
    assert reader.held_bytes > 0
    assert told(reader.feed(b"\nMESSAGE=b\n")) == [{"MESSAGE": "a"}]
    assert told(reader.feed(b"\n")) == [{"MESSAGE": "b"}]
    assert reader.held_bytes == 0


def test_repeated_fields_are_a_list() -> None:
    body = export([("MESSAGE", "x"), ("SYSLOG_FACILITY", "1"), ("SYSLOG_FACILITY", "2"), ("SYSLOG_FACILITY", "3")])
    assert entries(body) == [{"MESSAGE": "x", "SYSLOG_FACILITY": ["1", "2", "3"]}]


@pytest.mark.parametrize("size", [1001, 5000, 200_000])
@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize("step", [7, 100, 1 << 20])
def test_a_field_that_is_too_large_is_left_out_and_its_entry_says_so(size: int, is_binary: bool, step: int) -> None:
    large = b"\n" * size if is_binary else "x" * size
    body = export({"MESSAGE": "a", "LARGE": large, "_PID": "7"}, {"MESSAGE": "b"})
    reader = Export(1000, 4000)
    found = []
    for at in range(0, len(body), step):
        found += reader.feed(body[at : at + step])
        assert reader.held_bytes <= 1000 + 2 * step + 100
    first, second = told(found)
    assert (first["MESSAGE"], first["_PID"], second) == ("a", "7", {"MESSAGE": "b"})
    assert "LARGE" in str(first["_ingest_error"]) and "LARGE" not in first


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_field_of_the_largest_size_is_kept_however_it_comes(step: int) -> None:
    body = export({"MESSAGE": "x" * 1000, "N" * 200: "y" * 1000})
    [entry] = entries(*(body[at : at + step] for at in range(0, len(body), step)))
    assert entry == {"MESSAGE": "x" * 1000, "N" * 200: "y" * 1000}


def test_an_entry_that_is_too_large_keeps_what_there_is_room_for() -> None:
    body = export({f"F{number}": "x" * 900 for number in range(10)}, {"MESSAGE": "b"})
    first, second = entries(body)
    assert [name for name in first if name.startswith("F")] == ["F0", "F1", "F2", "F3"]
    assert "_ingest_error" in first
    assert second == {"MESSAGE": "b"}


def test_an_entry_with_very_many_fields_keeps_some() -> None:
    first, second = entries(export({f"F{number}": "" for number in range(1100)}, {"MESSAGE": "b"}), entry_max=1 << 20)
    assert len(first) == 1024 + 1
    assert second == {"MESSAGE": "b"}


def test_a_line_that_is_no_field_is_left_out() -> None:
    first, second = entries(b"MESSAGE=a\nno field \xff\n\xff\xff\xff\xff\xff\xff\xff\xff\n_PID=7\n\nMESSAGE=b\n\n")
    assert (first["MESSAGE"], second) == ("a", {"MESSAGE": "b"})
    assert "no field" in str(first["_ingest_error"])


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"A", b"=", b"\n", b"\0" * 8, b"\x05" + b"\0" * 7]), max_size=40).map(b"".join)
)
def test_no_stream_breaks_it(body: bytes) -> None:
    whole = entries(body)
    assert entries(*(body[at : at + 1] for at in range(len(body)))) == whole
    entries(*(body[at : at + 1] for at in range(len(body))), field_max=20, entry_max=30)
    read(body)


PIECES = st.lists(
    st.sampled_from(
        [
            *(b"A", b"MESSAGE", b"_ingest_error", b"9", b"=", b"=", b"\n", b"\n", b"\n\n", b"\xff", b"\xc3\xa9", b" "),
            *(b"xxxxxxxx" * 5, b"\x05" + b"\0" * 7, b"\0" * 8, b"\x20" + b"\0" * 7, b"\0\0\0\0\0\0\0\x01"),
        ]
    ),
    max_size=60,
).map(b"".join)


@given(PIECES, st.lists(st.integers(0, 300), max_size=5), st.sampled_from([(5, 9), (20, 30), (100, 90), (1000, 4000)]))
def test_streams_are_cut_as_one_reads_them_field_by_field(
    body: bytes, cuts: list[int], limits: tuple[int, int]
) -> None:
    reader, reference = Export(*limits), journal_export.Export(*limits)
    for at, end in itertools.pairwise([0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]):
        assert told(reader.feed(body[at:end])) == reference.feed(body[at:end])
    assert told(reader.end()) == reference.end()


NAMES = st.sampled_from(
    [
        *("MESSAGE", "__CURSOR", "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "_HOSTNAME", "_MACHINE_ID"),
        *("_BOOT_ID", "_TRANSPORT", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_COMM", "CONTAINER_NAME", "CONTAINER_TAG"),
        *("CONTAINER_ID_FULL", "IMAGE_NAME", "", "PRIORITY", "_ingest_error", "_time", "_escape", "ERRNO", "_PID"),
        *("__SEQNUM", "__OTHER", "_CMDLINE", "\u00e9", '"'),
    ]
)
FIELDS = st.lists(
    st.tuples(
        NAMES,
        st.sampled_from(
            ["3", "6", "9", "", "007", "0", "1790000000123456", "9" * 18, "9" * 19, "9300000000000000", "\u0663"]
        )
        | st.sampled_from(
            ["k8s_app_web-0_shop_0b0e7a52_2", "web", "null", "line\n", '\x1b[1m\\"\t', b"\xff\n", b"\\\xff", b"\n"]
        )
        | VALUES,
    ),
    min_size=1,
    max_size=12,
)


@given(st.lists(FIELDS, max_size=5))
def test_entries_become_the_records_that_one_makes_of_them_one_by_one(
    sent: list[list[tuple[str, str | bytes]]],
) -> None:
    body = export(*sent)
    request = Request(b"", NOW_NS)
    rows = Rows(request)
    reference = journal_records.Records(rows, request.identity)
    for entry in journal_export.Export(1000, 4000).feed(body):
        reference.add(entry)
    expected, found = rows.decoded(), decode(Export(1000, 4000).feed(body), request)
    assert records(found) == records(expected)
    assert found.unread == expected.unread


def test_a_message_that_is_too_large_once_it_is_put_together_is_told() -> None:
    body = export([("MESSAGE", "x" * 8), ("MESSAGE", "y" * 8)], {"MESSAGE": b"\xff" * 12}, {"A": "x" * 9})
    found = decode(Export(12, 4000).feed(body), Request(b"", NOW_NS, limits=Limits(max_line_bytes=12)))
    assert [record["message"] for record in records(found)] == ["\\xff" * 12]
    assert [(reject.line, reject.reason) for reject in found.rejects] == [(1, "too_long"), (3, "too_long")]


def test_very_many_names() -> None:
    sent = [{f"N{number}_{at}": str(at) for at in range(1000)} for number in range(40)]
    found = read(export(*(fields | {"_PID": "7", "MESSAGE": "x"} for fields in sent)))
    assert [record["attributes"] for record in found] == [fields | {"_PID": 7} for fields in sent]


def test_a_stream_is_read_in_time() -> None:
    body = b"A\n" + (64 << 20).to_bytes(8, "little") + b"\n\n" * (16 << 20)
    began_s = time.process_time()
    reader = Export(LIMITS.max_line_bytes, LIMITS.max_body_bytes)
    for at in range(0, len(body), 1 << 16):
        reader.feed(body[at : at + (1 << 16)])
    assert time.process_time() - began_s < 20


def test_a_whole_entry_of_a_unit() -> None:
    record = one(
        __CURSOR=cursor(1),
        __REALTIME_TIMESTAMP=str(TIME_US + 5),
        __MONOTONIC_TIMESTAMP="99",
        _SOURCE_REALTIME_TIMESTAMP=str(TIME_US),
        _BOOT_ID="b" * 32,
        _MACHINE_ID="c" * 32,
        _HOSTNAME="node-1",
        _TRANSPORT="stdout",
        _SYSTEMD_UNIT="kubelet.service",
        SYSLOG_IDENTIFIER="kubelet",
        PRIORITY="4",
        _PID="812",
        _CMDLINE="/usr/bin/kubelet --v=2",
        MESSAGE="pod started",
    )
    assert record == {
        "time": TIME_US * 1000,
        "cluster": "default",
        "namespace": "_node",
        "pod": "node-1",
        "container": "kubelet.service",
        "stream": "stdout",
        "severity": "warn",
        "message": "pod started",
        "labels": {"node": "node-1", "boot_id": "b" * 32, "machine_id": "c" * 32},
        "attributes": {
            "__MONOTONIC_TIMESTAMP": 99,
            "SYSLOG_IDENTIFIER": "kubelet",
            "PRIORITY": 4,
            "_PID": 812,
            "_CMDLINE": "/usr/bin/kubelet --v=2",
        },
    }


def test_the_kernel_has_no_unit() -> None:
    record = one(_HOSTNAME="node-1", _TRANSPORT="kernel", SYSLOG_IDENTIFIER="kernel", PRIORITY="3", MESSAGE="oom")
    assert (record["namespace"], record["container"], record["stream"]) == ("_node", "kernel", "kernel")
    assert record["severity"] == "error"


@pytest.mark.parametrize(("priority", "stream"), [("6", "stdout"), ("3", "stderr")])
def test_a_container_of_kubernetes_in_the_journal(priority: str, stream: str) -> None:
    record = one(
        _HOSTNAME="node-1",
        CONTAINER_NAME="k8s_app_web-0_shop_0b0e7a52-9e3c-4f0e-8f6b-9d6d6c6a0001_2",
        CONTAINER_ID_FULL="f" * 64,
        CONTAINER_TAG="f" * 12,
        IMAGE_NAME="web:1",
        PRIORITY=priority,
        MESSAGE="hello",
    )
    assert (record["namespace"], record["pod"], record["container"]) == ("shop", "web-0", "app")
    assert record["stream"] == stream
    assert "severity" not in record
    assert record["labels"] == {
        "node": "node-1",
        "container_id": "f" * 64,
        "image": "web:1",
        "pod_uid": "0b0e7a52-9e3c-4f0e-8f6b-9d6d6c6a0001",
        "instance": "2",
    }


def test_a_container_of_docker_in_the_journal() -> None:
    record = one(_HOSTNAME="node-1", CONTAINER_NAME="web", CONTAINER_ID_FULL="f" * 64, PRIORITY="6", MESSAGE="hello")
    assert (record["namespace"], record.get("pod"), record["container"]) == ("default", None, "web")
    assert record["labels"] == {"node": "node-1", "container_id": "f" * 64}


def test_odd_messages() -> None:
    assert one(MESSAGE=b"bad \xff byte")["message"] == "bad \\xff byte"
    assert one(MESSAGE="two\nlines")["message"] == "two\nlines"
    assert one(COREDUMP_PID="7")["message"] == '{"COREDUMP_PID":"7"}'
    assert one(MESSAGE="x", PRIORITY="nine", __REALTIME_TIMESTAMP="soon")["time"] == NOW_NS


def test_parameters_of_the_address_come_first() -> None:
    [record] = read(export({"MESSAGE": "x", "_HOSTNAME": "node-1"}), cluster="c1", namespace="infra")
    assert (record["cluster"], record["namespace"], record["pod"]) == ("c1", "infra", "node-1")


class Store:
    """What keeps batches by their keys, as the engine does."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._receipts: dict[str, bytes] = {}

    def send(self, upload: Upload, piece: bytes, *, is_last: bool = False) -> None:
        upload.feed(piece)
        if is_last:
            upload.end()
        is_more = True
        while is_more:
            decoded = upload.read(Request(b"", NOW_NS))
            receipt: bytes = decoded.items or b""
            if decoded.batch.num_rows and decoded.key in self._receipts:
                receipt = self._receipts[decoded.key]
            elif decoded.batch.num_rows:
                self.messages += decoded.batch.column("message").to_pylist()
                if decoded.key:
                    self._receipts[decoded.key] = receipt
            is_more = upload.stored(receipt)


def numbered(numbers: range) -> list[bytes]:
    return [export({"__CURSOR": cursor(number), "MESSAGE": str(number)}) for number in numbers]


@given(st.lists(st.integers(1, 39), max_size=8), st.lists(st.integers(1, 59), max_size=8), st.booleans())
def test_what_is_sent_again_is_stored_once_however_it_is_cut(
    first: list[int], second: list[int], is_answered: bool
) -> None:
    store = Store()
    sent = numbered(range(60))
    upload = Upload(Head(), LIMITS)
    for at, end in _pieces(first, 40):
        store.send(upload, b"".join(sent[at:end]))
    if is_answered:
        store.send(upload, b"", is_last=True)
    again = Upload(Head(), LIMITS)
    for at, end in _pieces(second, 60):
        store.send(again, b"".join(sent[at:end]))
    store.send(again, b"", is_last=True)
    assert store.messages == [str(number) for number in range(60)]


def _pieces(cuts: list[int], end: int) -> list[tuple[int, int]]:
    places = sorted({0, end, *(cut for cut in cuts if cut < end)})
    return list(itertools.pairwise(places))


def test_a_broken_entry_before_the_end_is_sent_whole_the_next_time() -> None:
    store = Store()
    sent = b"".join(numbered(range(10)))
    store.send(Upload(Head(), LIMITS), sent[:-20])
    assert store.messages == [str(number) for number in range(9)]
    store.send(Upload(Head(), LIMITS), sent, is_last=True)
    assert store.messages == [str(number) for number in range(10)]


def test_another_journal_that_begins_alike_is_stored_as_well() -> None:
    store = Store()
    store.send(Upload(Head(), LIMITS), b"".join(numbered(range(0, 10, 2))), is_last=True)
    store.send(Upload(Head(), LIMITS), b"".join(numbered(range(10))), is_last=True)
    assert store.messages == [*map(str, range(0, 10, 2)), *map(str, range(10))]


def test_the_same_journal_for_another_cluster_is_not_the_same() -> None:
    store = Store()
    for cluster in ("a", "b", "a"):
        store.send(Upload(Head(params={"cluster": cluster}), LIMITS), b"".join(numbered(range(3))), is_last=True)
    assert store.messages == ["0", "1", "2", "0", "1", "2"]


def test_entries_without_cursors_are_stored_as_often_as_they_come() -> None:
    store = Store()
    for _ in range(2):
        store.send(Upload(Head(), LIMITS), export({"MESSAGE": "x"}), is_last=True)
    assert store.messages == ["x", "x"]


@pytest.mark.parametrize("limits", [Limits(max_records=3), Limits(max_body_bytes=40_000, max_line_bytes=10_000)])
def test_more_than_one_batch_may_have_is_stored_in_several(limits: Limits) -> None:
    large = {f"F{number}": "\x01" * 9_000 for number in range(4)}
    sent = [{"MESSAGE": "m", "__CURSOR": cursor(n), **(large if n % 2 else {})} for n in range(8)]
    upload = Upload(Head(), limits)
    upload.feed(export(*sent))
    upload.end()
    found = []
    is_more = True
    while is_more:
        found += records(upload.read(Request(b"", NOW_NS, limits=limits)))
        is_more = upload.stored(b"")
    assert [record["message"] for record in found] == ["m"] * 8
    assert ["_ingest_error" in record.get("attributes", {}) for record in found] == [
        n % 2 == 1 and limits.max_records > 3 for n in range(8)
    ]


def test_answers() -> None:
    assert journald.answer(Head()).status == 202
    refused = journald.refuse(Head(), Refusal(503, "the disk is full"))
    assert (refused.status, refused.body) == (503, b"the disk is full\n")
