"""A needle in ten times the haystack: what the search for one record costs as the store grows.

A server is filled with the corpus as in bench/query.py, and asked for trace ids that occur once, anywhere and at any
time, over HTTP. Then come `--times` less one copies of the corpus, each of another day and with trace ids of its own,
and once compaction has nothing left to do it is asked for others. All times are warm, medians of `--repeats` ids, the
answer being one record each time.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.corpus import Corpus, corpus
from bench.ingest import post_from_another_process, wait_until_compacted
from bench.measure import table, timed
from bench.query import HTTP_MS, filled
from tests.serving import ServerProcess

TIMES_SHARE: Final = 2.0
"""What ten times the records may cost, as a multiple."""
READ_BYTES: Final = 32 << 20
_DAY: Final = b"2026-01-10T"
_TRACE: Final = rb"trace_id\":\""


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    traces = _traces(source, 2 * (options.repeats + 1), options.seed)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, filled(source, Path(directory)) as (server, _):
        before_ms = _asked(server, traces[::2])
        for number in range(1, options.times):
            copy = _copy(source, number, Path(directory) / "copy.ndjson")
            post_from_another_process(copy, server.port)
            copy.path.unlink()
        server.flush()
        wait_until_compacted(server.pid)
        after_ms = _asked(server, traces[1::2])
        told = server.query("* | stats count() as n").text
    records = json.loads(told)["n"]
    share = max(after_ms - HTTP_MS, 0) / max(before_ms - HTTP_MS, 0.1)
    rows: list[list[object]] = [
        [f"{source.records:,} records", before_ms, ""],
        [f"{records:,} records", after_ms, ""],
        ["the second, of the first, both less HTTP", share, f"< {TIMES_SHARE}"],
    ]
    return table(["a needle in", "ms", "to reach"], rows)


def _asked(server: ServerProcess, traces: list[str]) -> float:
    ids = iter(traces)

    def ask() -> None:
        found = server.query(f"{next(ids)} | fields message").text.splitlines()
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} records were found, and not one")

    ask()
    _, time = timed(ask, len(traces) - 1)
    return time.median_ms


def _traces(source: Corpus, count: int, seed: int) -> list[str]:
    """Trace ids that occur once, of lines all over the corpus."""
    chance = random.Random(seed)
    size = source.path.stat().st_size
    found: list[str] = []
    with source.path.open("rb") as file:
        while len(found) < count:
            file.seek(chance.randrange(size - READ_BYTES // 32))
            _, _, rest = file.read(READ_BYTES // 32).partition(_TRACE)
            found.append(rest[:32].decode())
    return found


def _copy(source: Corpus, number: int, path: Path) -> Corpus:
    """The same lines of a later day, with other trace ids."""
    day = b"2026-01-%dT" % (10 + number)
    with path.open("wb") as out:
        for lines in _blocks(source.path):
            out.write(lines.replace(_DAY, day).replace(_TRACE, _TRACE + b"%dx" % number))
    return replace(source, path=path)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while lines := file.read(READ_BYTES):
            yield lines + file.readline()
