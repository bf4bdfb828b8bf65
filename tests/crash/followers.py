"""Clients that tail a query through the server's deaths and keep what their cursor covers."""

import json
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

RETRY_S = 0.1
VISIBLE_WITHIN_S = 2.0
SILENCE_S = 15.0
"""A heartbeat is due every 10 s."""


@dataclass(slots=True)
class Follower:
    """Holds a record once a cursor covers it; what came after the last cursor is dropped on reconnect.

    As NDJSON the cursor comes in lines of its own, as server-sent events with every record.
    """

    url: str
    q: str
    is_sse: bool
    held: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    reconnects: int = 0
    cursor: str = ""
    has_cursor: threading.Event = field(default_factory=threading.Event)
    _pending: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _end_after_s: float = math.inf
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"follow {self.q}", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Ends at a cursor that covers all that is visible now; a heartbeat brings one within 10 s."""
        self._end_after_s = time.monotonic() + VISIBLE_WITHIN_S
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=SILENCE_S) as client:
            while True:
                try:
                    if self._follow(client):
                        return
                except httpx.ReadTimeout:
                    self.faults.append(f"no heartbeat within {SILENCE_S} s")
                    if self._stop.is_set():
                        return
                except httpx.TransportError:
                    self._stop.wait(RETRY_S)
                self._pending.clear()
                self.reconnects += 1

    def _follow(self, client: httpx.Client) -> bool:
        """Whether it ended because it was told to, rather than because the server went away."""
        params = {"q": self.q} | ({"cursor": self.cursor} if self.cursor and not self.is_sse else {})
        headers = {"Accept": "text/event-stream"} if self.is_sse else {}
        if self.is_sse and self.cursor:
            headers["Last-Event-ID"] = self.cursor
        with client.stream("GET", "/api/v1/tail", params=params, headers=headers) as answer:
            if answer.status_code != 200:
                if answer.status_code != 503:
                    self.faults.append(f"{answer.status_code} {answer.read().decode()}")
                self._stop.wait(RETRY_S)
                return False
            for line, cursor in _events(answer) if self.is_sse else _lines(answer):
                self._take(line, cursor)
                if "@tail" in line and time.monotonic() > self._end_after_s:
                    return True
        return False

    def _take(self, line: dict[str, object], cursor: str) -> None:
        if isinstance(message := line.get("message"), str):
            self._pending.append(message)
            self.seen.add(message)
        if isinstance(tail := line.get("@tail"), dict) and tail.get("missed"):
            self.faults.append(f"missed {tail['missed']}")
        if cursor:
            self.held += self._pending
            self._pending.clear()
            self.cursor = cursor
            self.has_cursor.set()


def _lines(answer: httpx.Response) -> Iterator[tuple[dict[str, object], str]]:
    for text in answer.iter_lines():
        line = json.loads(text) if text else {}
        yield line, line.get("@tail", {}).get("cursor", "")


def _events(answer: httpx.Response) -> Iterator[tuple[dict[str, object], str]]:
    """Server-sent events (WHATWG HTML §9.2): lines `name: value`, ended by an empty one."""
    event: dict[str, str] = {}
    for text in answer.iter_lines():
        if text:
            name, _, value = text.partition(":")
            event[name] = value.removeprefix(" ")
        elif event:
            line = json.loads(event["data"]) if event.get("data") else {}
            yield line, event.get("id", "")
            event = {}
