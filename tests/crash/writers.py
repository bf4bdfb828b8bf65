"""Clients that post batches under keys, through the server's deaths, and know what they were promised."""

import json
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

import httpx

NAMESPACES = ("shop", "payments", "infra")
RECORDS_MAX = 120
RETRY_S = 0.1


class Fate(Enum):
    """What a client knows of a batch."""

    ACKNOWLEDGED = "every record is there, once"
    ABANDONED = "all of it is there, once, or none"


@dataclass(frozen=True, slots=True)
class Batch:
    key: str
    body: bytes
    messages: tuple[str, ...]
    namespace: str


@dataclass(slots=True)
class Writer:
    """One connection's load; a batch without an answer is sent again under its key, or now and then given up.

    Every message is unique, so that each can be looked for afterwards.
    """

    name: str
    url: str
    seed: str
    fates: dict[Fate, list[Batch]] = field(default_factory=lambda: {fate: [] for fate in Fate})
    faults: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Ends after the batch in hand; the server must be up."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def _run(self) -> None:
        chance = random.Random(self.seed)
        with httpx.Client(base_url=self.url, timeout=30.0) as client:
            number = 0
            while not self._stop.is_set():
                batch = _batch(f"{self.name}-{number}", chance)
                self.fates[self._deliver(client, batch, chance)].append(batch)
                if chance.random() < 0.05 and self.fates[Fate.ACKNOWLEDGED]:
                    self._post(client, chance.choice(self.fates[Fate.ACKNOWLEDGED][-50:]))
                number += 1

    def _deliver(self, client: httpx.Client, batch: Batch, chance: random.Random) -> Fate:
        while not self._post(client, batch):
            if chance.random() < 0.1 and not self._stop.is_set():
                return Fate.ABANDONED
            self._stop.wait(RETRY_S)
        return Fate.ACKNOWLEDGED

    def _post(self, client: httpx.Client, batch: Batch) -> bool:
        """Whether it was acknowledged; 429 and 503 are no fault, any other refusal is."""
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": batch.key}
        try:
            answer = client.post("/api/v1/logs", content=batch.body, headers=headers)
        except httpx.TransportError:
            return False
        if answer.status_code == 200 and answer.json() == {"accepted": len(batch.messages), "rejected": []}:
            return True
        if answer.status_code not in (429, 503):
            self.faults.append(f"{batch.key}: {answer.status_code} {answer.text}")
        return False


def _batch(key: str, chance: random.Random) -> Batch:
    """Some plain lines, some JSON, some of hours ago, from a few pods."""
    namespace = chance.choice(NAMESPACES)
    now = datetime.now(UTC)
    messages = tuple(_message(f"{key}-{i}", chance) for i in range(chance.randint(1, RECORDS_MAX)))
    lines = [
        {
            "time": (now - timedelta(hours=chance.choice((0, 0, 0, 1, 5)), microseconds=i)).isoformat(),
            "namespace": namespace,
            "pod": f"pod-{chance.randrange(6)}",
            "container": "main",
            "message": message,
        }
        for i, message in enumerate(messages)
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return Batch(key, body, messages, namespace)


def _message(identifier: str, chance: random.Random) -> str:
    if chance.random() < 0.3:
        return json.dumps({"level": "warn", "id": identifier, "duration_ms": chance.random() * 100})
    return f"{identifier} " + " ".join(f"{chance.getrandbits(32):08x}" for _ in range(chance.randrange(12)))
