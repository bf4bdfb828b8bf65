"""Concurrency: what each kind of work takes beside all others, and what heavy scans still get done.

A server is filled with the corpus as in bench/query.py. Then, for `--seconds` each and every client in a process of its
own (bench/load.py): four heavy scans at once, alone; the quick questions, one after the other, alone; a tail and its
lines, alone; scans, questions and tail together; all of these beside four connections that post bodies of 1 MB as fast
as they are answered (lines of the corpus, dated now); and the tail beside one monstrous query after the other, each a
regex over everything, grouped by message.

Heavy scans read the corpus and nothing newer, so that each costs the same whatever was posted since, and each has
numbers of its own, so that none is remembered; half of them are regexes, half statistics of attributes. Quick questions
are three a second: a trace id anywhere, one pod's hour, the newest 100 of a common word, each time others; before each
`/healthz` is asked, of which the time is that of waiting alone, the floor of all others (`nothing`). The tail has
twenty lines a second posted one by one: an `ack` is the time of such a POST, the tail's latency is from before it until
a follower has the line. Load generator and server share the cores, and ingest takes all that it can get of them.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.corpus import Corpus, corpus
from bench.load import BODY_ACK, NOTHING, REFUSED, Times
from bench.measure import cpu_s, peak_memory_bytes, quantile, table
from bench.query import filled

QUICK: Final = ("needle", "one pod, one hour", "newest 100")
QUICK_MS: Final = 150
TOLD: Final = ("tail", "ack")
TOLD_MS: Final = 500
HEAVY_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Phase:
    """What some clients did at once, and the server's CPU for it, in cores."""

    times: Times
    cores: float
    seconds: int

    def quantiles(self, name: str) -> list[object]:
        found = self.times.get(name, [])
        return [quantile(found, share) for share in (0.5, 0.99)] if found else ["", ""]

    @property
    def refused(self) -> int:
        """How often something found no turn or no memory."""
        return sum(len(times) for name, times in self.times.items() if name.endswith(REFUSED))

    def a_second(self, name: str) -> float:
        return len(self.times.get(name, [])) / self.seconds


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        filled(source, Path(directory)) as (server, _),
    ):
        return measured(server.port, server.pid, source, options.seconds)


def measured(port: int, pid: int, source: Corpus, seconds: int) -> str:
    """The tables of a server that has the corpus already."""

    seeds = itertools.count(source.seed)

    def phase(*roles: str) -> Phase:
        return _phase(roles, port, pid, source.path, seconds, next(seeds))

    heavy, quick, tail = phase("heavy"), phase("quick"), phase("tail")
    queries = phase("heavy", "quick", "tail")
    everything = phase("ingest", "heavy", "quick", "tail")
    monstrous = phase("monstrous", "tail")
    beside = [queries, everything]
    rows = [
        _row(NOTHING, [quick, *beside]),
        *(_row(name, [quick, *beside], QUICK_MS) for name in QUICK),
        *(_row(name, [tail, *beside, monstrous], TOLD_MS) for name in TOLD),
        _row(BODY_ACK, [tail, *beside], TOLD_MS),
    ]
    phases = [heavy, *beside]
    head = ["p50 and p99, ms", "alone", "", "beside scans", "", "and ingest", "", "monstrous", "", "p99 to reach"]
    scans = [one.a_second("heavy") for one in phases]
    posted = [sum(one.times.get("records", [])) / seconds / 1000 for one in phases]
    totals: list[list[object]] = [
        ["heavy scans/s", *scans, ""],
        ["of alone", *(one / max(scans[0], 0.01) for one in scans), f"≥ {HEAVY_SHARE}"],
        ["scans and questions refused", *(one.refused for one in phases), ""],
        ["server, cores", *(one.cores for one in phases), ""],
        ["thousand records/s posted", *posted, ""],
        ["peak memory, MB", "", "", peak_memory_bytes(pid) / 2**20, "≤ 512"],
    ]
    return f"{table(head, rows)}\n\n{table(['what', 'alone', 'beside queries', 'and ingest', 'to reach'], totals)}"


def _row(name: str, phases: Sequence[Phase], limit_ms: int | None = None) -> list[object]:
    cells = [cell for phase in phases for cell in phase.quantiles(name)]
    return [name, *cells, *[""] * (8 - len(cells)), f"< {limit_ms}" if limit_ms else ""]


def _phase(roles: Sequence[str], port: int, pid: int, corpus_path: Path, seconds: int, seed: int) -> Phase:
    """Another seed is other questions: none is remembered from the phase before."""
    before_s = cpu_s(pid)
    command = [sys.executable, "-m", "bench.load"]
    clients = [
        subprocess.Popen([*command, role, *map(str, (port, seconds, corpus_path, seed))], stdout=subprocess.PIPE)
        for role in roles
    ]
    times: Times = {}
    for client, role in zip(clients, roles, strict=True):
        told, _ = client.communicate()
        if client.returncode != 0:
            raise RuntimeError(f"{role} failed")
        times |= json.loads(told)
    return Phase(times, (cpu_s(pid) - before_s) / seconds, seconds)
