"""Queries over HTTP against brute force (bench/brute.py) over the same records.

The server is filled with the corpus, flushed, and left until compaction has nothing left to do. Each question is asked
of it for the `first` time in the process; `again` and again, which its memory of answers gives; and `warm`: with other
limits, so that nothing of the answer is remembered, but indexes and footers are known. Milliseconds are medians of
`--repeats` but for the first, of the server over HTTP, answer read to its end. The answers must be equal.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from bench.brute import Brute
from bench.corpus import Corpus, corpus
from bench.ingest import post_from_another_process, wait_until_compacted
from bench.measure import cpu_s, table, timed
from bench.questions import Question, are_equal, questions
from tests.serving import ServerProcess

HTTP_MS: Final = 8.0
"""What a question over HTTP may cost more than one in process."""
AGAIN_SHARE: Final = 0.3
"""What a question asked again may cost of the first time."""
DEFAULT_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Served:
    """What the server took for a question."""

    first_ms: float
    warm_ms: float
    again_ms: float

    def share(self, of_ms: float) -> float:
        """Of the first time, less HTTP."""
        return _less_http(self.first_ms) / of_ms

    def warm_share(self, of_ms: float) -> float:
        return _less_http(self.warm_ms) / of_ms

    @property
    def again_share(self) -> float:
        return _less_http(self.again_ms) / max(_less_http(self.first_ms), 0.1)


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        Brute(source, Path(directory) / "sorted.parquet") as brute,
        filled(source, Path(directory)) as (server, _),
    ):
        rows = [_row(question, server, brute, options.repeats) for question in asked(brute)]
    head = ["question", "brute force ms", "server ms, first", "warm", "again", "share, first", "warm", "to reach"]
    return table(head, rows)


def asked(brute: Brute) -> list[Question]:
    return questions(brute.trace(), brute.address(), brute.busiest_pod())


@contextmanager
def filled(source: Corpus, directory: Path) -> Iterator[tuple[ServerProcess, float]]:
    """A server that has all of the corpus in segments, and the CPU seconds that this took it."""
    with ServerProcess(directory / "data", "--log-level", "warning") as server:
        before_s = cpu_s(server.pid)
        post_from_another_process(source, server.port)
        server.flush()
        wait_until_compacted(server.pid)
        yield server, cpu_s(server.pid) - before_s


def ask(question: Question, server: ServerProcess, repeats: int) -> tuple[list[list[Any]], Served]:
    """The rows of the answer, and what it took."""
    params = dict(question.params)
    limits = count(params.get("limit", DEFAULT_LIMIT) + 1)
    text, time = timed(lambda: server.query(question.q, **params).text, 1 + repeats)
    _, warm = timed(lambda: server.query(question.q, **{**params, "limit": next(limits)}).text, repeats)
    found = [list(json.loads(line).values()) for line in text.splitlines()]
    return found, Served(time.first_ms, warm.median_ms, time.median_ms)


def brute_force(question: Question, found: list[list[Any]], brute: Brute, repeats: int) -> float:
    """The milliseconds of brute force. Raises RuntimeError where its answer is not what was found."""
    theirs, time = timed(lambda: brute.ask(question.duckdb), repeats)
    must_be_equal(question, found, theirs)
    if question.brute:
        _, time = timed(lambda: brute.ask(question.brute), repeats)
    return time.median_ms


def must_be_equal(question: Question, found: list[list[Any]], theirs: list[Any]) -> None:
    if not are_equal(found, theirs):
        raise RuntimeError(f"{question.name}: {str(found)[:300]} is not {str(theirs)[:300]}")


def _row(question: Question, server: ServerProcess, brute: Brute, repeats: int) -> list[object]:
    found, served = ask(question, server, repeats)
    brute_ms = brute_force(question, found, brute, repeats)
    times = [brute_ms, served.first_ms, served.warm_ms, served.again_ms]
    return [question.name, *times, served.share(brute_ms), served.warm_share(brute_ms), question.share]


def _less_http(ms: float) -> float:
    return max(ms - HTTP_MS, 0.0)
