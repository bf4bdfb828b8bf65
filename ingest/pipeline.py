"""From the bytes of one request to durable records, off the event loop: inflate, decode, append."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

import pyarrow as pa

from ingest.body import inflate
from ingest.protocols import PROTOCOLS
from ingest.request import Decoded, Limits, NothingTaken, Reject, Request
from logstore.errors import Busy, Unavailable
from logstore.keys import Ack, IdempotencyKey

DIGEST_BYTES: Final = 32
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


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came: the body as sent, and what its headers and URL say."""

    body: bytes
    content_type: str = ""
    content_encoding: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    protocol: str = "native"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was taken, durable and visible. `receipt` is the JSON answer; of a repeated key it is the first one's."""

    receipt: bytes
    records: int
    rejected: int


class Sink(Protocol):
    """Where batches go: `logstore.store.Store`."""

    def append(self, batch: pa.RecordBatch, receipt: bytes = b"", key: IdempotencyKey | None = None) -> Future[Ack]: ...


class Pipeline:
    """A few threads and a bounded amount of bodies waiting for them."""

    def __init__(
        self, sink: Sink, settings: PipelineSettings | None = None, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._sink = sink
        self._settings = settings or PipelineSettings()
        self._clock_ns = clock_ns
        self._threads = ThreadPoolExecutor(self._settings.threads, "ingest")
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pending_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of bodies that are waiting or being decoded."""
        return self._pending_bytes

    def accept(self, arrival: Arrival) -> Future[Accepted]:
        """Takes one request; resolves once its records are durable and visible.

        The future may fail with InvalidInput (NothingTaken, if every line was rejected), TooLarge, KeyConflict,
        Busy (no room in the store within `wait_s`) or Unavailable. Cancelling it before its turn drops the request.

        Raises:
            Busy: the bodies in the pipeline have `pending_bytes` already.
            Unavailable: the pipeline is closed.
        """
        answer: Future[Accepted] = Future()
        self._reserve(len(arrival.body) + _REQUEST_OVERHEAD_BYTES)
        deadline_s = time.monotonic() + self._settings.wait_s
        try:
            self._threads.submit(self._run, arrival, answer, deadline_s)
        except RuntimeError:
            self._release(arrival)
            raise Unavailable("the server is stopping") from None
        return answer

    def close(self) -> None:
        """Answers what is being decoded, and Unavailable to what waits."""
        self._closing.set()
        self._threads.shutdown(wait=True)

    def _run(self, arrival: Arrival, answer: Future[Accepted], deadline_s: float) -> None:
        try:
            if not answer.set_running_or_notify_cancel():
                return
            if self._closing.is_set():
                raise Unavailable("the server is stopping")
            self._take(arrival, answer, deadline_s)
        except Exception as error:
            answer.set_exception(error)
        finally:
            self._release(arrival)

    def _take(self, arrival: Arrival, answer: Future[Accepted], deadline_s: float) -> None:
        settings = self._settings
        body = inflate(arrival.body, arrival.content_encoding, settings.limits.max_body_bytes)
        request = Request(
            body,
            self._clock_ns(),
            arrival.content_type,
            arrival.params,
            settings.limits,
            settings.default_cluster,
            settings.default_namespace,
        )
        decoded = PROTOCOLS[arrival.protocol](request)
        rejected = len(decoded.rejects)
        receipt = receipt_of(decoded)
        if not decoded.batch.num_rows:
            if rejected:
                raise _nothing_taken(decoded, receipt)
            answer.set_result(Accepted(receipt, 0, 0))
            return
        key = _key(arrival.idempotency_key, body)
        appended = self._append(decoded.batch, receipt, key, deadline_s)
        appended.add_done_callback(lambda done: _resolve(answer, done, rejected))

    def _append(
        self, batch: pa.RecordBatch, receipt: bytes, key: IdempotencyKey | None, deadline_s: float
    ) -> Future[Ack]:
        """Waits for room in the store, which says Busy at once but not when it has room again."""
        while True:
            try:
                return self._sink.append(batch, receipt, key)
            except Busy:
                if time.monotonic() >= deadline_s or self._closing.wait(_RETRY_S):
                    raise

    def _reserve(self, size_bytes: int) -> None:
        with self._lock:
            limit = self._settings.pending_bytes
            if self._pending_bytes and self._pending_bytes + size_bytes > limit:
                raise Busy(f"{self._pending_bytes:,} bytes of bodies wait to be decoded; the limit is {limit:,}")
            self._pending_bytes += size_bytes

    def _release(self, arrival: Arrival) -> None:
        with self._lock:
            self._pending_bytes -= len(arrival.body) + _REQUEST_OVERHEAD_BYTES


def receipt_of(decoded: Decoded) -> bytes:
    """The JSON answer to a native body: how many records were taken, and which lines were not, and why."""
    rejected = [{"line": reject.line, "error": reject.error} for reject in decoded.rejects]
    return json.dumps(
        {"accepted": decoded.batch.num_rows, "rejected": rejected}, ensure_ascii=False, separators=(",", ":")
    ).encode()


def _nothing_taken(decoded: Decoded, receipt: bytes) -> NothingTaken:
    first: Reject = decoded.rejects[0]
    message = f"no line could be taken; line {first.line}: {first.error}"
    return NothingTaken(message, decoded.rejects, receipt)


def _key(name: str | None, body: bytes) -> IdempotencyKey | None:
    if not name:
        return None
    return IdempotencyKey(name, hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest())


def _resolve(answer: Future[Accepted], appended: Future[Ack], rejected: int) -> None:
    if error := appended.exception():
        answer.set_exception(error)
        return
    ack = appended.result()
    answer.set_result(Accepted(ack.receipt, ack.rows, rejected))
