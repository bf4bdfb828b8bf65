"""From the bytes of one request to durable records, off the event loop: inflate, decode, lines, rules, append."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Final, Protocol

import pyarrow as pa

from ingest import body as bodies
from ingest import label_limits, lines
from ingest.identity_table import Table, default_table
from ingest.joining import decode_together, parts, shares, small_enough, take_alike
from ingest.lines_asked import LinesSettings
from ingest.namespaces import Namespaces
from ingest.protocol import Answer, Take
from ingest.protocols import native
from ingest.request import Decoded, Head, Limits, Reject, Request, Sender
from ingest.rules import Rules
from logstore.errors import Busy, CallerError, Unavailable
from logstore.keys import Ack, IdempotencyKey
from logstore.yielding import BULK_NICE, yielding

DIGEST_BYTES: Final = 32
SMALL_BYTES: Final = 64 << 10
"""Bodies of less have a thread of their own, and do not wait behind large ones."""
_RETRY_S: Final = 0.02
_REQUEST_OVERHEAD_BYTES: Final = 4096
"""What a request counts for besides its body, so that very many empty ones are bounded too."""


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Bounds of the pipeline. `pending_bytes`: bodies, as they were sent, that may be in it at once; `wait_s`: how
    long a decoded request waits for room in the store."""

    limits: Limits = field(default_factory=Limits)
    threads: int = 2
    pending_bytes: int = 128 << 20
    wait_s: float = 5.0
    default_cluster: str = "default"
    default_namespace: str = "default"
    lines: LinesSettings = field(default_factory=LinesSettings)
    identity: Table = field(default_factory=default_table)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came: the body as sent, its head, and what takes it."""

    body: bytes
    head: Head = field(default_factory=Head)
    take: Take = native.TAKE
    protocol: str = native.NAME
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was taken, durable and visible, and what its sender is answered, which counts what it sent: also lines that
    became one record, and records that a rule dropped."""

    answer: Answer
    records: int
    rejects: tuple[Reject, ...] = ()
    unread: int = 0
    senders: Mapping[Sender, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        return len(self.rejects)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    arrival: Arrival
    answer: Future[Accepted]
    deadline_s: float


class Sink(Protocol):
    """Where batches go: `logstore.store.Store`."""

    def append(self, batch: pa.RecordBatch, receipt: bytes = b"", key: IdempotencyKey | None = None) -> Future[Ack]: ...


class Pipeline:
    """A few threads and a bounded amount of bodies waiting for them."""

    def __init__(
        self,
        sink: Sink,
        settings: PipelineSettings | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        rules: Rules | None = None,
        namespaces: Namespaces | None = None,
    ) -> None:
        self._sink = sink
        self._settings = settings or PipelineSettings()
        self._clock_ns = clock_ns
        self._rules = rules
        self._namespaces = namespaces
        self._threads = yielding(self._settings.threads, "ingest", BULK_NICE)
        self._small = deque[_Waiting]()
        self._calls = SimpleQueue[bool]()
        """One for each of the small ones; False: no more come."""
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pending_bytes = 0
        self._small_thread = threading.Thread(target=self._run_small, name="ingest-small", daemon=True)
        self._small_thread.start()

    @property
    def pending_bytes(self) -> int:
        """Bytes of bodies that are waiting or being decoded."""
        return self._pending_bytes

    def accept(self, arrival: Arrival) -> Future[Accepted]:
        """Takes one request; resolves once its records are durable and visible.

        The future may fail with InvalidInput, TooLarge, KeyConflict, Busy (no room in the store within `wait_s`) or
        Unavailable. Cancelling it before its turn drops the request.

        Raises:
            Busy: the bodies in the pipeline have `pending_bytes` already.
            Unavailable: the pipeline is closed.
        """
        waiting = _Waiting(arrival, Future(), time.monotonic() + self._settings.wait_s)
        with self._lock:
            self._check_room(_bytes_of(arrival))
            if self._closing.is_set():
                raise Unavailable("the server is stopping")
            self._pending_bytes += _bytes_of(arrival)
            if len(arrival.body) >= SMALL_BYTES:
                self._threads.submit(self._run, [waiting])
            else:
                self._small.append(waiting)
                self._calls.put(True)
        return waiting.answer

    def close(self) -> None:
        """Answers what is being decoded, and Unavailable to what waits."""
        with self._lock:
            self._closing.set()
            self._calls.put(False)
        self._threads.shutdown(wait=True)
        self._small_thread.join()

    def _run_small(self) -> None:
        """At each call takes what waits, as far as it may be taken together; nothing where that was done before."""
        while self._calls.get():
            if group := take_alike(self._small, _kind):
                self._run(group)

    def _run(self, group: Sequence[_Waiting]) -> None:
        for one in group:
            if not one.answer.set_running_or_notify_cancel():
                self._release(one.arrival)
        running = [one for one in group if one.answer.running()]
        try:
            if len(running) > 1 and self._take_together(running):
                return
            for one in running:
                self._take_alone(one)
        except Exception as error:
            for one in running:
                one.answer.set_exception(error)
        finally:
            for one in running:
                self._release(one.arrival)

    def _take_alone(self, waiting: _Waiting) -> None:
        try:
            self._take(waiting)
        except Exception as error:
            waiting.answer.set_exception(error)

    def _take(self, waiting: _Waiting) -> None:
        arrival, answer = waiting.arrival, waiting.answer
        settings = self._settings
        if self._closing.is_set():
            raise Unavailable("the server is stopping")
        asked = lines.asked(arrival.head, arrival.protocol, settings.lines)
        request = self._request(arrival)
        decoded = arrival.take.decode(request)
        batch = lines.lines(decoded.batch, asked, now_ns=request.now_ns, max_line_bytes=settings.limits.max_line_bytes)
        batch = self._governed(batch)
        answered = arrival.take.answer(request, decoded)
        accepted = Accepted(answered, batch.num_rows, decoded.rejects, decoded.unread, decoded.senders)
        if not accepted.records:
            answer.set_result(accepted)
            return
        key = _key(arrival, decoded, request.body)
        receipt = accepted.answer.body if key and arrival.take.keeps_answer else b""
        appended = self._append(batch, receipt, key, waiting.deadline_s)
        appended.add_done_callback(lambda done: _resolve(answer, done, accepted))

    def _take_together(self, group: Sequence[_Waiting]) -> bool:
        """False where each has to be taken alone, of which nothing was done then. What it raises counts for all."""
        take = group[0].arrival.take
        try:
            asked = lines.asked(group[0].arrival.head, group[0].arrival.protocol, self._settings.lines)
            if asked.formats or asked.languages or self._closing.is_set():
                return False
            requests = small_enough(self._request(one.arrival) for one in group)
            found = decode_together(take, requests)
            if found is None:
                return False
            decoded, counts = found
            batch = self._governed(decoded.batch)
        except CallerError:
            return False
        answers = [take.answer(request, part) for request, part in zip(requests, parts(decoded, counts), strict=True)]
        accepted = [Accepted(*each) for each in zip(answers, shares(batch.num_rows, counts), strict=True)]
        self._append_all(group, batch, accepted)
        return True

    def _append_all(self, group: Sequence[_Waiting], batch: pa.RecordBatch, accepted: Sequence[Accepted]) -> None:
        if not batch.num_rows:
            for one, each in zip(group, accepted, strict=True):
                one.answer.set_result(each)
            return

        def resolve(done: Future[Ack]) -> None:
            for one, each in zip(group, accepted, strict=True):
                _resolve(one.answer, done, each)

        self._append(batch, b"", None, group[0].deadline_s).add_done_callback(resolve)

    def _governed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records as the operator wants them."""
        if self._rules is not None:
            batch = self._rules.apply(batch)
        return batch if self._namespaces is None else self._namespaces.admit(batch, self._settings.limits)

    def _request(self, arrival: Arrival) -> Request:
        settings = self._settings
        return Request(
            _inflate(arrival, settings.limits.max_body_bytes),
            self._clock_ns(),
            arrival.head,
            settings.limits,
            settings.default_cluster,
            settings.default_namespace,
            settings.identity,
        )

    def _append(
        self, batch: pa.RecordBatch, receipt: bytes, key: IdempotencyKey | None, deadline_s: float
    ) -> Future[Ack]:
        """Waits for room in the store, which says Busy at once but not when it has room again."""
        batch = label_limits.with_short_labels(batch)
        while True:
            try:
                return self._sink.append(batch, receipt, key)
            except Busy:
                if time.monotonic() >= deadline_s or self._closing.wait(_RETRY_S):
                    raise

    def _check_room(self, size_bytes: int) -> None:
        limit = self._settings.pending_bytes
        if self._pending_bytes and self._pending_bytes + size_bytes > limit:
            raise Busy(f"{self._pending_bytes:,} bytes of bodies wait to be decoded; the limit is {limit:,}")

    def _release(self, arrival: Arrival) -> None:
        with self._lock:
            self._pending_bytes -= _bytes_of(arrival)


def _bytes_of(arrival: Arrival) -> int:
    """What a request counts for."""
    return len(arrival.body) + _REQUEST_OVERHEAD_BYTES


def _kind(waiting: _Waiting) -> Hashable:
    """What those have in common that may be taken together; None: it is taken alone."""
    arrival = waiting.arrival
    if arrival.take.join is None or arrival.idempotency_key is not None:
        return None
    kind = arrival.take.join.kind(arrival.head)
    return None if kind is None else (arrival.take, arrival.protocol, kind)


def _inflate(arrival: Arrival, max_bytes: int) -> bytes:
    if arrival.take.inflate is not None:
        return arrival.take.inflate(arrival.body, arrival.head, max_bytes)
    return bodies.inflate(arrival.body, arrival.head.headers.get("content-encoding", ""), max_bytes)


def _key(arrival: Arrival, decoded: Decoded, body: bytes) -> IdempotencyKey | None:
    """The sender's key, or else the protocol's own name for the batch."""
    own = f"{arrival.protocol}:{decoded.key}" if decoded.key else ""
    name = arrival.idempotency_key or own
    if not name:
        return None
    return IdempotencyKey(name, decoded.digest or hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest())


def _resolve(answer: Future[Accepted], appended: Future[Ack], accepted: Accepted) -> None:
    if error := appended.exception():
        answer.set_exception(error)
        return
    ack = appended.result()
    if ack.receipt:
        accepted = replace(accepted, answer=replace(accepted.answer, body=ack.receipt), records=ack.rows)
    answer.set_result(accepted)
