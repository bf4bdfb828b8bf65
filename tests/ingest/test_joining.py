"""Small bodies that wait at the same time: what is stored and answered is what each would have had alone."""

import gzip
import json
import threading
from concurrent.futures import Future

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ingest.joining import decode_together, parts, shares
from ingest.namespaces import Namespaces
from ingest.pipeline import Accepted, Arrival, Pipeline, PipelineSettings
from ingest.protocols import native
from ingest.request import Head, Limits, Request
from logstore.errors import Busy
from logstore.keys import Ack, IdempotencyKey
from tests.ingest.decoded import records

TIMEOUT_S = 20.0
LIMITS = Limits()
NOW_NS = 1_790_000_000 * 10**9
LINES = st.sampled_from(
    [
        '{"message":"a"}',
        '{"message":"b","level":"warn","pod":"web-1","n":1.5}',
        '{"message":"two\\nlines","time":"2026-03-01T12:00:00Z"}',
        "{}",
        "",
        " ",
        "no json",
        '{"message":"broken',
        '{"a":',
        "1}",
        '{"a":1}{"b":2}',
        '{"time":"never"}',
        "[]",
        "\r",
    ]
)
BODIES = st.lists(st.tuples(st.lists(LINES, max_size=4), st.sampled_from(["", "\n"])), min_size=2, max_size=6)
GOOD = st.lists(st.tuples(st.lists(st.sampled_from(['{"message":"a"}', '{"b":2}', "{}"]), min_size=1), st.just("\n")))


@given(BODIES | GOOD.filter(lambda bodies: len(bodies) > 1))
def test_bodies_that_are_decoded_as_one_have_the_records_that_each_has_alone(
    bodies: list[tuple[list[str], str]],
) -> None:
    requests = [Request(("\n".join(lines) + end).encode(), NOW_NS) for lines, end in bodies]
    alone = [native.decode(request) for request in requests]
    together = decode_together(native.TAKE, requests)
    is_plain = all(request.body.startswith(b"{") for request in requests)
    has_all = all(
        not one.rejects and one.batch.num_rows == len(request.body.splitlines())
        for one, request in zip(alone, requests, strict=True)
    )
    assert (together is not None) == (is_plain and has_all)
    if together is not None:
        decoded, counts = together
        found = [records(part) for part in parts(decoded, counts)]
        assert found == [records(one) for one in alone]


@given(st.lists(st.integers(1, 50), min_size=1), st.data())
def test_what_rules_leave_is_shared_out_in_whole_records(counts: list[int], data: st.DataObject) -> None:
    left = data.draw(st.integers(0, sum(counts)))
    shared = shares(left, counts)
    assert sum(shared) == left and all(0 <= share <= count for share, count in zip(shared, counts, strict=True))
    assert shares(sum(counts), counts) == counts


class Sink:
    """Full until it is opened; then it keeps what it is given."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.is_open = threading.Event()
        self.messages: list[list[str]] = []

    def append(self, batch: pa.RecordBatch, receipt: bytes = b"", _key: IdempotencyKey | None = None) -> Future[Ack]:
        self.asked.release()
        if not self.is_open.is_set():
            raise Busy("full")
        self.messages.append(batch.column("message").to_pylist())
        done: Future[Ack] = Future()
        done.set_result(Ack(0, batch.num_rows, receipt))
        return done


def told(accepted: Accepted) -> tuple[int, dict[str, object], int]:
    return accepted.answer.status, json.loads(accepted.answer.body), accepted.records


def body(*messages: str) -> bytes:
    return b"".join(json.dumps({"message": message}).encode() + b"\n" for message in messages)


def queued(
    arrivals: list[Arrival], limits: Limits = LIMITS, namespaces: Namespaces | None = None
) -> tuple[list[Accepted], list[list[str]]]:
    """What becomes of requests that all come while the first one waits for room, and what is stored together."""
    sink = Sink()
    pipeline = Pipeline(sink, PipelineSettings(limits, wait_s=TIMEOUT_S), namespaces=namespaces)
    first = pipeline.accept(Arrival(body("first")))
    sink.asked.acquire()
    answers = [pipeline.accept(arrival) for arrival in arrivals]
    sink.is_open.set()
    first.result(TIMEOUT_S)
    found = [answer.result(TIMEOUT_S) for answer in answers]
    pipeline.close()
    assert pipeline.pending_bytes == 0
    return found, sink.messages[1:]


def test_bodies_that_wait_are_stored_together_and_answered_each_for_itself() -> None:
    found, stored = queued([Arrival(body("a", "b")), Arrival(body("c")), Arrival(body("d", "e", "f"))])
    assert [told(one) for one in found] == [(200, {"accepted": n, "rejected": []}, n) for n in (2, 1, 3)]
    assert stored == [["a", "b", "c", "d", "e", "f"]]


def test_a_line_that_is_rejected_is_told_to_who_sent_it() -> None:
    found, stored = queued([Arrival(body("a")), Arrival(b'{"message":"b"}\nno json\n'), Arrival(body("c"))])
    assert [told(one)[1]["accepted"] for one in found] == [1, 1, 1]
    assert [len(one.rejects) for one in found] == [0, 1, 0] and found[1].rejects[0].line == 2
    assert sorted(stored) == [["a"], ["b"], ["c"]]


def test_what_says_other_things_of_its_records_is_not_joined() -> None:
    text = Head(headers={"content-type": "text/plain"})
    arrivals = [
        Arrival(body("a")),
        Arrival(body("b"), Head(params={"pod": "web-1"})),
        Arrival(body("c"), idempotency_key="k"),
        Arrival(b"d", text),
        Arrival(b"e", text),
        Arrival(body("f")),
        Arrival(body("g"), Head(headers={"user-agent": "other"})),
    ]
    found, stored = queued(arrivals)
    assert all(told(one)[0] == 200 for one in found)
    assert stored == [["a"], ["b"], ["c"], ["d"], ["e"], ["f", "g"]]


def test_requests_that_are_gone_are_not_stored() -> None:
    sink = Sink()
    pipeline = Pipeline(sink, PipelineSettings(wait_s=TIMEOUT_S))
    first = pipeline.accept(Arrival(body("first")))
    sink.asked.acquire()
    answers = [pipeline.accept(Arrival(body(name))) for name in "abc"]
    assert answers[1].cancel()
    sink.is_open.set()
    assert [one.result(TIMEOUT_S).records for one in (first, answers[0], answers[2])] == [1, 1, 1]
    pipeline.close()
    assert sink.messages == [["first"], ["a", "c"]] and pipeline.pending_bytes == 0


def test_bodies_that_grow_too_large_when_they_are_inflated_are_taken_one_by_one() -> None:
    large = gzip.compress(body(*["x" * 1_000] * 3_000))
    gzipped = Head(headers={"content-encoding": "gzip"})
    found, stored = queued([Arrival(large, gzipped), Arrival(large, gzipped)])
    assert [one.records for one in found] == [3_000, 3_000] and len(stored) == 2
    found, stored = queued([Arrival(gzip.compress(body("a")), gzipped), Arrival(gzip.compress(body("b")), gzipped)])
    assert stored == [["a", "b"]]


def test_bodies_that_say_too_much_together_are_taken_one_by_one() -> None:
    said = b'{"message":"x","namespace":"one of very many, as they are"}\n' * 12
    limits = Limits(max_body_bytes=1_000)
    found, stored = queued([Arrival(said)] * 10, limits, Namespaces([("default", "default")], 0))
    assert [one.records for one in found] == [12] * 10
    assert stored == [["x"] * 12] * 10
