"""The pipeline over a real store, and over a sink that is full."""

import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait

import pyarrow as pa
import pytest

from ingest.pipeline import Arrival, Pipeline, PipelineSettings
from ingest.request import Head, Limits
from logstore.errors import Busy, InvalidInput, KeyConflict, TooLarge, Unavailable
from logstore.keys import Ack, IdempotencyKey
from logstore.store import Store

TIMEOUT_S = 20.0
GZIP = Head(headers={"content-encoding": "gzip"})


@pytest.fixture
def pipeline(store: Store) -> Iterator[Pipeline]:
    opened = Pipeline(store, PipelineSettings(Limits(max_body_bytes=10_000)))
    yield opened
    opened.close()


def messages(store: Store) -> list[str]:
    with store.snapshot() as snapshot:
        found: list[str] = snapshot.buffer.column("message").to_pylist()
        return found


def test_what_is_answered_is_stored(store: Store, pipeline: Pipeline) -> None:
    body = b'{"message":"a","pod":"p"}\nnot json\n{"message":"b"}\n'
    answer = pipeline.accept(Arrival(gzip.compress(body), head=GZIP)).result(TIMEOUT_S)
    assert json.loads(answer.answer.body) == {"accepted": 2, "rejected": [{"line": 2, "error": "not JSON at byte 1"}]}
    assert (answer.records, answer.rejected) == (2, 1)
    assert messages(store) == ["a", "b"]
    assert pipeline.pending_bytes == 0


def test_lines_are_stored_and_what_was_sent_is_counted(store: Store, pipeline: Pipeline) -> None:
    body = b"2026-03-01T12:00:00Z stdout P one \n2026-03-01T12:00:00Z stdout F line"
    head = Head(headers={"content-type": "text/plain"}, params={"unwrap": "auto"})
    answer = pipeline.accept(Arrival(body, head)).result(TIMEOUT_S)
    assert json.loads(answer.answer.body) == {"accepted": 2, "rejected": []}
    assert answer.records == 1
    assert messages(store) == ["one line"]
    with pytest.raises(InvalidInput, match="unwrap"):
        pipeline.accept(Arrival(body, Head(params={"unwrap": "yes"}))).result(TIMEOUT_S)


def test_a_repeated_key_is_answered_as_before_and_stored_once(store: Store, pipeline: Pipeline) -> None:
    body = b'{"message":"a"}\nnot json\n'
    first = pipeline.accept(Arrival(body, idempotency_key="k")).result(TIMEOUT_S)
    again = Arrival(gzip.compress(body), head=GZIP, idempotency_key="k")
    assert pipeline.accept(again).result(TIMEOUT_S) == first
    assert messages(store) == ["a"]
    with pytest.raises(KeyConflict, match="'k'"):
        pipeline.accept(Arrival(b'{"message":"b"}', idempotency_key="k")).result(TIMEOUT_S)


@pytest.mark.parametrize("body", [b"", b"\n \n", b"[]", gzip.compress(b"", mtime=0)])
def test_a_body_without_lines_is_answered_with_nothing(store: Store, pipeline: Pipeline, body: bytes) -> None:
    answer = pipeline.accept(Arrival(body, idempotency_key="k")).result(TIMEOUT_S)
    assert json.loads(answer.answer.body) == {"accepted": 0, "rejected": []}
    assert messages(store) == []


def test_a_body_of_which_no_line_can_be_taken_says_why(pipeline: Pipeline) -> None:
    accepted = pipeline.accept(Arrival(b"\nx\n7\n")).result(TIMEOUT_S)
    told = json.loads(accepted.answer.body)
    assert (accepted.answer.status, accepted.records, accepted.rejected) == (400, 0, 2)
    assert [reject["line"] for reject in told["rejected"]] == [2, 3]
    assert told["accepted"] == 0 and "line 2: not JSON" in told["error"]


def test_a_body_that_is_too_large_or_damaged_fails_alone(pipeline: Pipeline) -> None:
    with pytest.raises(TooLarge, match="max_body"):
        pipeline.accept(Arrival(gzip.compress(bytes(20_000)))).result(TIMEOUT_S)
    with pytest.raises(InvalidInput):
        pipeline.accept(Arrival(b"\x1f\x8b", head=GZIP)).result(TIMEOUT_S)
    assert pipeline.accept(Arrival(b"{}")).result(TIMEOUT_S).records == 1
    assert pipeline.pending_bytes == 0


class Valve:
    """A sink that is full until it is opened."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.is_open = threading.Event()

    def append(self, batch: pa.RecordBatch, receipt: bytes = b"", _key: IdempotencyKey | None = None) -> Future[Ack]:
        self.asked.release()
        if not self.is_open.is_set():
            raise Busy("full")
        done: Future[Ack] = Future()
        done.set_result(Ack(0, batch.num_rows, receipt))
        return done


def test_a_decoded_request_waits_for_room() -> None:
    valve = Valve()
    pipeline = Pipeline(valve, PipelineSettings(wait_s=TIMEOUT_S))
    answer = pipeline.accept(Arrival(b"{}"))
    valve.asked.acquire()
    assert not answer.done()
    valve.is_open.set()
    assert answer.result(TIMEOUT_S).records == 1
    pipeline.close()


def test_without_room_in_time_it_is_busy() -> None:
    pipeline = Pipeline(Valve(), PipelineSettings(wait_s=0.05))
    with pytest.raises(Busy):
        pipeline.accept(Arrival(b"{}")).result(TIMEOUT_S)
    pipeline.close()


def test_pending_bodies_are_bounded_and_cancelled_ones_leave() -> None:
    valve = Valve()
    pipeline = Pipeline(valve, PipelineSettings(threads=1, pending_bytes=30_000, wait_s=TIMEOUT_S))
    first = pipeline.accept(Arrival(b"{}"))
    valve.asked.acquire()
    second = pipeline.accept(Arrival(b"{}" + b" " * 10_000))
    with pytest.raises(Busy, match="30,000"):
        pipeline.accept(Arrival(b" " * 20_000))
    assert second.cancel()
    valve.is_open.set()
    assert first.result(TIMEOUT_S).records == 1
    assert pipeline.accept(Arrival(b"{}")).result(TIMEOUT_S).records == 1  # after its turn, the cancelled one has left
    third = pipeline.accept(Arrival(b"{}" + b" " * 20_000))
    assert third.result(TIMEOUT_S).records == 1
    pipeline.close()
    assert pipeline.pending_bytes == 0


def test_closing_answers_everyone() -> None:
    valve = Valve()
    pipeline = Pipeline(valve, PipelineSettings(threads=1, wait_s=TIMEOUT_S))
    first = pipeline.accept(Arrival(b"{}"))
    valve.asked.acquire()
    answers = [first, *(pipeline.accept(Arrival(b"{}")) for _ in range(4))]
    pipeline.close()
    done, waiting = wait(answers, TIMEOUT_S)
    assert not waiting
    assert {type(answer.exception()) for answer in done} == {Busy, Unavailable}
    with pytest.raises(Unavailable):
        pipeline.accept(Arrival(b"{}"))
    assert pipeline.pending_bytes == 0
