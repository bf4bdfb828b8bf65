"""A generated corpus: NDJSON as an agent posts it, of 300 containers over six hours, in order of time.

Two fifths of the containers are apps whose lines are JSON (eleven keys, a trace id among them), a quarter access
logs, the rest real system lines of tests/data/loghub whose long numbers are drawn anew. Every 2,000th line has a
rare word in it, every tenth app line says "connection reset by peer". The same size and seed give the same bytes.
"""

import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Final

from tests.loghub import SYSTEMS, lines

OUT: Final = Path(__file__).parent / "out"
START_NS: Final = int(datetime(2026, 1, 10, tzinfo=UTC).timestamp()) * 1_000_000_000
HOURS: Final = 6
CONTAINERS: Final = 300
RARE_WORD: Final = "quorumlost"
RARE_EVERY: Final = 2000
PHRASE: Final = "connection reset by peer"

_NUMBER: Final = re.compile(r"\d+")
_APPS: Final = ("cart", "checkout", "search", "users", "billing", "gateway", "mail", "images")
_TEAMS: Final = ("shop", "payments", "media", "data", "edge", "infra", "ops", "auth", "crm", "lab")
_PATHS: Final = (
    "/api/v1/items",
    "/api/v1/cart",
    "/api/v2/users",
    "/health",
    "/static/app.js",
    "/login",
    "/search",
)
_REGIONS: Final = ("eu-1", "eu-2", "us-1", "us-2")
_AGENTS: Final = ("Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "Go-http-client/2.0", "kube-probe/1.31")
_STATUSES: Final = (200,) * 88 + (201, 204, 301, 304, 400, 401, 403, 404, 404, 429, 500, 502)
_LEVELS: Final = ("info",) * 80 + ("debug",) * 10 + ("warn",) * 7 + ("error",) * 3


@dataclass(frozen=True, slots=True)
class Corpus:
    path: Path
    records: int
    seed: int

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size


def corpus(records: int, seed: int) -> Corpus:
    """The corpus of this size and seed, made unless bench/out has it."""
    path = OUT / f"corpus-{records}-{seed}.ndjson"
    if not path.exists():
        print(f"generating {path.name}", file=sys.stderr)
        OUT.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("w", encoding="utf-8") as file:
            file.writelines(generate(records, seed))
        unfinished.rename(path)
    return Corpus(path, records, seed)


Line = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class _Container:
    head: str
    """The record's JSON between time and stream."""
    line: Line


def generate(records: int, seed: int) -> Iterator[str]:
    """The records as NDJSON lines, each with its newline."""
    chance = random.Random(seed)
    containers = [_container(i, chance) for i in range(CONTAINERS)]
    weights = list(accumulate(1 / (i + 5) for i in range(CONTAINERS)))
    step_ns = HOURS * 3600 * 1_000_000_000 // records
    for i, container in enumerate(chance.choices(containers, cum_weights=weights, k=records)):
        message = container.line(chance)
        if i % RARE_EVERY == RARE_EVERY // 2:
            message = _with_rare_word(message)
        stream = "stderr" if chance.random() < 0.08 else "stdout"
        time = _rfc3339(START_NS + i * step_ns + chance.randrange(step_ns))
        yield f'{{"time":"{time}",{container.head},"stream":"{stream}","message":{json.dumps(message)}}}\n'


def _with_rare_word(message: str) -> str:
    if message.startswith("{"):
        return message.replace('"msg":"', f'"msg":"{RARE_WORD} ', 1)
    return f"{message} {RARE_WORD}"


def _rfc3339(time_ns: int) -> str:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _container(i: int, chance: random.Random) -> _Container:
    kind = chance.random()
    line: Line
    if kind < 0.4:
        name, line = chance.choice(_APPS), _app_line
    elif kind < 0.65:
        name, line = "nginx", _access_line
    else:
        name = chance.choice(SYSTEMS)
        line = _system_line(name)
    pod = f"{name}-{chance.getrandbits(32):08x}-{i:03d}"
    identity = {"cluster": "prod", "namespace": _TEAMS[i % len(_TEAMS)], "pod": pod, "container": name}
    return _Container(json.dumps(identity, separators=(",", ":"))[1:-1], line)


def _app_line(chance: random.Random) -> str:
    path, status = chance.choice(_PATHS), chance.choice(_STATUSES)
    text = f"upstream failed: {PHRASE}" if chance.random() < 0.1 else f"handled {path}"
    return (
        f'{{"level":"{chance.choice(_LEVELS)}","msg":"{text}","trace_id":"{chance.getrandbits(128):032x}",'
        f'"user":"u{chance.randrange(5000)}","method":"GET","path":"{path}","status":{status},'
        f'"duration_ms":{chance.expovariate(0.02):.3f},"bytes":{chance.randrange(90000)},'
        f'"region":"{chance.choice(_REGIONS)}","cached":{"true" if chance.random() < 0.5 else "false"}}}'
    )


def _access_line(chance: random.Random) -> str:
    return (
        f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)} - - "
        f"[10/Jan/2026:{chance.randrange(HOURS):02d}:{chance.randrange(60):02d}:00 +0000] "
        f'"GET {chance.choice(_PATHS)}?id={chance.randrange(100000)} HTTP/1.1" {chance.choice(_STATUSES)} '
        f'{chance.randrange(50000)} "-" "{chance.choice(_AGENTS)}"'
    )


def _system_line(system: str) -> Line:
    """A random line of the system whose long numbers are drawn anew, so that lines do not repeat."""
    templates = [line.rstrip("\r") for line in lines(system)]

    def line(chance: random.Random) -> str:
        number = chance.getrandbits(62)
        return _NUMBER.sub(lambda digits: _redrawn(digits[0], number), chance.choice(templates))

    return line


def _redrawn(digits: str, number: int) -> str:
    return digits if len(digits) < 5 else str(number + int(digits[-9:]))[-len(digits) :].zfill(len(digits))
