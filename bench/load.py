"""One client process of bench/concurrency.py: `python -m bench.load ROLE PORT SECONDS CORPUS SEED` does one kind of
work for so long, and prints the milliseconds of each thing it did as JSON."""

import http.client
import itertools
import json
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from bench.corpus import HOURS, START_NS
from bench.ingest import BODY_BYTES, CONNECTIONS
from bench.questions import HOUR_NS

SCANS: Final = 4
LINES_A_SECOND: Final = 20
QUESTIONS_A_SECOND: Final = 3
READ_BYTES: Final = 8_000_000
"""Of the corpus: the first ones are posted over and over, trace ids and pods that are asked for stand in the last."""
BODY_ACK: Final = "ack of 1 MB"
NOTHING: Final = "nothing"
REFUSED: Final = ", refused"
_TIME_CHARS: Final = len('{"time":"2026-01-10T00:00:00.000000000Z"')

Times = dict[str, list[float]]
"""Milliseconds by what they are of."""


class Client:
    """One connection, and the times of what it was used for."""

    def __init__(self, port: int, times: Times) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._times = times

    def ask(self, name: str, q: str, **params: int) -> bytes:
        return self._send(name, "GET", f"/api/v1/query?{urlencode({'q': q, **params})}", None)

    def touch(self, name: str) -> None:
        """Asks whether the server lives, which costs nothing: what that takes, it waits for a processor."""
        self._send(name, "GET", "/healthz", None)

    def post(self, name: str, body: bytes) -> None:
        self._send(name, "POST", "/api/v1/logs", body)

    def _send(self, name: str, method: str, target: str, body: bytes | None) -> bytes:
        """Its time counts until it is taken: one that finds no turn or no memory is sent again."""
        began_s = time.perf_counter()
        while True:
            self._connection.request(method, target, body, {"Content-Type": "application/x-ndjson"})
            answer = self._connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                self._times[name].append((time.perf_counter() - began_s) * 1000)
                return text
            if answer.status not in (422, 429):
                raise RuntimeError(f"{target}: {answer.status}: {text.decode()[:300]}")
            self._times[name + REFUSED].append(0.0)


class Load:
    """What all roles know."""

    def __init__(self, port: int, seconds: float, path: Path, seed: int) -> None:
        self.port = port
        self.times: Times = defaultdict(list)
        self.until_s = time.monotonic() + seconds
        self.chance = random.Random(seed)
        self._path = path

    def is_on(self) -> bool:
        return time.monotonic() < self.until_s

    def paced(self, a_second: int) -> Iterator[int]:
        """Numbers, at most so many a second."""
        start_s = time.monotonic()
        for number in itertools.count():
            time.sleep(max(0.0, start_s + number / a_second - time.monotonic()))
            if not self.is_on():
                return
            yield number

    def client(self) -> Client:
        return Client(self.port, self.times)

    def bodies(self) -> list[list[bytes]]:
        """Lines of the corpus, without their times, a body each."""
        lines = [line[_TIME_CHARS:] for line in self._lines(0)]
        a_body = BODY_BYTES * len(lines) // READ_BYTES
        return [lines[at : at + a_body] for at in range(0, len(lines) - a_body, a_body)]

    def records(self) -> list[dict[str, str]]:
        """None of those of the bodies."""
        return [json.loads(line) for line in self._lines(max(READ_BYTES, self._path.stat().st_size - READ_BYTES))]

    def _lines(self, start: int) -> list[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(READ_BYTES).splitlines()[1:-1]

    def together(self, count: int, work: Callable[[int], None]) -> None:
        """The same work in so many threads, each with its number."""
        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def ingest(load: Load) -> None:
    bodies = load.bodies()
    load.times["records"] = []

    def post(number: int) -> None:
        client = load.client()
        for lines in itertools.cycle(bodies[number:] + bodies[:number]):
            if not load.is_on():
                return
            head = f'{{"time":"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"'.encode()
            client.post(BODY_ACK, head + (b"\n" + head).join(lines))

    load.together(CONNECTIONS, post)
    load.times["records"] = [float(len(bodies[0]) * len(load.times[BODY_ACK]))]


def heavy(load: Load) -> None:
    seed = load.chance.randrange(1000)

    def scan(number: int) -> None:
        client = load.client()
        for turn in itertools.count():
            if not load.is_on():
                return
            at = seed + turn * SCANS + number
            client.ask("heavy", _scan(at, is_regex=number % 2 == 0), start=START_NS, end=START_NS + HOURS * HOUR_NS)

    load.together(SCANS, scan)


def _scan(at: int, *, is_regex: bool) -> str:
    if is_regex:
        return rf"message=~`[a-z]+[=: ]+\d*{at % 1000}[^0-9]` | stats count() as n"
    return f"duration_ms>{at % 1000 / 1000} | stats p99(duration_ms), count_distinct(user), sum(bytes) by path, status"


def monstrous(load: Load) -> None:
    client = load.client()
    for turn in itertools.count():
        if not load.is_on():
            return
        client.ask(
            "monstrous", rf"message=~`(?i)(([a-z]+.?)+\d+[^a-z]*)+{turn % 10}(.*x.*y)?$` | stats count() by message"
        )


def quick(load: Load) -> None:
    client, records = load.client(), load.records()
    traced = [record["message"].partition('"trace_id":"')[2][:32] for record in records]
    traces = [trace for trace in traced if trace]
    for number in load.paced(QUESTIONS_A_SECOND):
        client.touch(NOTHING)
        start_ns = START_NS + load.chance.randrange(HOURS - 1) * HOUR_NS
        match number % 3:
            case 0:
                if not client.ask("needle", f"{load.chance.choice(traces)} | fields message"):
                    raise RuntimeError("a record was not found")
            case 1:
                pod = load.chance.choice(records)["pod"]
                client.ask("one pod, one hour", f'pod="{pod}"', start=start_ns, end=start_ns + HOUR_NS, limit=1_000)
            case 2:
                client.ask("newest 100", "error", limit=100 + number % 50)


def tail(load: Load) -> None:
    following = threading.Thread(target=_follow, args=(load,), daemon=True)
    following.start()
    client = load.client()
    for number in load.paced(LINES_A_SECOND):
        line = {"namespace": "bench", "pod": "tailed", "message": f"line {number} at {time.time():.6f} of the tail"}
        client.post("ack", json.dumps(line).encode())
    time.sleep(1.0)


def _follow(load: Load) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", load.port)
    connection.request("GET", f"/api/v1/tail?q={quote('pod=tailed')}")
    answer = connection.getresponse()
    while line := answer.readline():
        if b'"tailed"' in line:
            sent_s = float(line.partition(b" at ")[2].partition(b" ")[0])
            load.times["tail"].append((time.time() - sent_s) * 1000)


ROLES: Final = {"ingest": ingest, "heavy": heavy, "monstrous": monstrous, "quick": quick, "tail": tail}


def main() -> None:
    role, port, seconds, path, seed = sys.argv[1:]
    load = Load(int(port), float(seconds), Path(path), int(seed))
    ROLES[role](load)
    print(json.dumps(load.times))


if __name__ == "__main__":
    main()
