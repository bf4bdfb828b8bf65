"""Idempotency keys: a batch that is sent again is answered as before and stored once."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass

from logstore.catalog import Catalog
from logstore.errors import KeyConflict
from logstore.wal import KeyedReceipt


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's name for a batch, and a digest of the batch's decoded body."""

    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """What an append resolves with: the records are durable and visible."""

    first_seq: int
    rows: int
    receipt: bytes


class Keys:
    """Where a key is known: in flight, in the WAL only, or in the catalog; thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._in_flight: dict[str, tuple[bytes, Future[Ack]]] = {}
        self._fresh: dict[str, tuple[KeyedReceipt, int]] = {}

    def find(self, key: IdempotencyKey) -> Future[Ack] | None:
        """The answer that an earlier batch with this key had or will have.

        Raises:
            KeyConflict: the key was used with another body.
        """
        with self._lock:
            in_flight = self._in_flight.get(key.key)
            fresh = self._fresh.get(key.key)
        if in_flight:
            _check(key, in_flight[0])
            return in_flight[1]
        known = fresh[0] if fresh else self._catalog.key(key.key)
        if known is None:
            return None
        _check(key, known.digest)
        done: Future[Ack] = Future()
        done.set_result(Ack(known.first_seq, known.rows, known.receipt))
        return done

    def begin(self, key: IdempotencyKey, future: Future[Ack]) -> None:
        with self._lock:
            self._in_flight[key.key] = (key.digest, future)

    def end(self, key: IdempotencyKey) -> None:
        """The batch of `begin` is answered, for better or worse."""
        with self._lock:
            self._in_flight.pop(key.key, None)

    def add(self, receipt: KeyedReceipt, received_ns: int) -> bool:
        """Remembers a key whose batch is in the WAL; false where it is known already."""
        with self._lock:
            if receipt.key in self._fresh:
                return False
            self._fresh[receipt.key] = (receipt, received_ns)
            return True

    def fresh(self, up_to_seq: int) -> list[tuple[KeyedReceipt, int]]:
        """The keys that the catalog does not have yet, of records up to `up_to_seq`."""
        with self._lock:
            return [found for found in self._fresh.values() if found[0].first_seq <= up_to_seq]

    def persisted(self, keys: list[tuple[KeyedReceipt, int]]) -> None:
        with self._lock:
            for receipt, _ in keys:
                self._fresh.pop(receipt.key, None)


def _check(key: IdempotencyKey, digest: bytes) -> None:
    if key.digest != digest:
        raise KeyConflict(
            f"Idempotency-Key {key.key!r} was used before with another body; send this body with a key of its own"
        )
