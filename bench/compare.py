"""The same records and questions, in one run, given to the server, to brute force (bench/brute.py) and to ClickHouse
in process (bench/clickhouse.py); the answers of all three must be equal.

The server is measured as bench/query.py says, from socket to Parquet and over HTTP. ClickHouse and DuckDB have two
threads each, read the file themselves, and are asked without HTTP, the answer turned into text (ClickHouse) or Python
(DuckDB); they and the server are asked in turn, question by question. ClickHouse is asked `--repeats` times with its
query condition cache off, of which the first is the first in its process, then as often with the cache on: `cached` is
the median of these. All have the files in the page cache.

`fastest` leaves answers from memory and caches out: of the medians of brute force and ClickHouse, and the server's warm
time less 8 ms for HTTP. Shares are of brute force, of the server's times less 8 ms for HTTP; `again` of its first time.
Bytes are of files; of the server its segments, indexes and catalog, as the questions find them, and once more when all
that can be merged is.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.brute import Brute, read_json_cpu_s
from bench.clickhouse import ClickHouse, Index, Loaded
from bench.corpus import Corpus, corpus
from bench.measure import Timing, table
from bench.query import AGAIN_SHARE, HTTP_MS, Served, ask, asked, brute_force, filled, must_be_equal
from bench.questions import Question
from bench.stored import compacted, parts_bytes
from tests.serving import ServerProcess

INGEST_SHARE: Final = 2.5
"""Of `read_json`, what the server may take."""
SIZE_SHARE: Final = 1.25
"""Of the sorted file, what the server may keep."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a question took each; of ClickHouse None where it has no such question."""

    question: Question
    brute_ms: float
    clickhouse: Timing | None
    cached_ms: float | None
    served: Served

    @property
    def fastest(self) -> str:
        times_ms = {"server": self.served.warm_ms - HTTP_MS, "brute force": self.brute_ms}
        if self.clickhouse is not None:
            times_ms["ClickHouse"] = self.clickhouse.median_ms
        return min(times_ms, key=lambda name: times_ms[name])


@dataclass(frozen=True, slots=True)
class Kept:
    """What it took to take the records in, and to keep them; in `parts` the bytes of some files or columns."""

    name: str
    cpu_s: float
    bytes: int
    parts: tuple[tuple[str, int], ...] = ()


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    parse_s = read_json_cpu_s(source)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        kept = [
            _loaded("ClickHouse, neither text index nor JSON column", source, directory / "bare", Index.NONE),
            _loaded("ClickHouse", source, directory / "words", Index.WORDS),
        ]
        with (
            Brute(source, directory / "sorted.parquet") as brute,
            filled(source, directory) as (server, spent_s),
            ClickHouse(directory / "phrases") as peer,
        ):
            kept.append(_kept("ClickHouse, positions of words too", peer.load(source, Index.PHRASES)))
            kept.append(Kept("brute force's file", brute.write_cpu_s, brute.bytes))
            kept.append(_served("server", spent_s, directory / "data"))
            compared = [_compare(question, server, brute, peer, options.repeats) for question in asked(brute)]
            server.stop()
            spent_s += compacted(directory / "data")
            kept.append(_served("server, all compacted", spent_s, directory / "data"))
            file_bytes = brute.bytes
    return "\n\n".join((_times(compared), _shares(compared), _sizes(kept, parse_s, file_bytes)))


def _loaded(name: str, source: Corpus, directory: Path, index: Index) -> Kept:
    with ClickHouse(directory) as peer:
        return _kept(name, peer.load(source, index))


def _kept(name: str, loaded: Loaded) -> Kept:
    parts = (("text index", loaded.index_bytes), ("JSON column", loaded.attributes_bytes))
    return Kept(name, loaded.cpu_s, loaded.bytes, parts)


def _served(name: str, cpu_s: float, data: Path) -> Kept:
    parts = parts_bytes(data)
    return Kept(name, cpu_s, sum(size for _, size in parts), parts)


def _compare(question: Question, server: ServerProcess, brute: Brute, peer: ClickHouse, repeats: int) -> Compared:
    found, served = ask(question, server, repeats)
    brute_ms = brute_force(question, found, brute, repeats)
    if not question.clickhouse:
        return Compared(question, brute_ms, None, None, served)
    rows, time = peer.ask(question.clickhouse, repeats, has_cache=False)
    must_be_equal(question, found, rows)
    _, cached = peer.ask(question.clickhouse, repeats, has_cache=True)
    return Compared(question, brute_ms, time, cached.median_ms, served)


def _times(compared: list[Compared]) -> str:
    head = [
        "question",
        "brute force ms",
        "ClickHouse ms, first",
        "median",
        "cached",
        "server ms, first",
        "warm",
        "again",
    ]
    return table([*head, "fastest"], [_time(one) for one in compared])


def _time(one: Compared) -> list[object]:
    time = one.clickhouse
    theirs = ["", "", ""] if time is None else [time.first_ms, time.median_ms, one.cached_ms]
    ours = [one.served.first_ms, one.served.warm_ms, one.served.again_ms]
    return [one.question.name, one.brute_ms, *theirs, *ours, one.fastest]


def _shares(compared: list[Compared]) -> str:
    head = ["question", "server, first", "warm", "to reach", "ClickHouse", f"again (to reach: {AGAIN_SHARE})"]
    return table(head, [_share(one) for one in compared])


def _share(one: Compared) -> list[object]:
    theirs = "" if one.clickhouse is None else one.clickhouse.median_ms / one.brute_ms
    ours = [one.served.share(one.brute_ms), one.served.warm_share(one.brute_ms), one.question.share]
    return [one.question.name, *ours, theirs, one.served.again_share]


def _sizes(kept: list[Kept], parse_s: float, file_bytes: int) -> str:
    head = ["records kept by", "CPU s", "multiple of `read_json`", "MB", "multiple of brute force's", "MB of these"]
    rows = [
        [one.name, one.cpu_s, one.cpu_s / parse_s, one.bytes / 1e6, one.bytes / file_bytes, _parts(one)] for one in kept
    ]
    to_reach = ["to reach by the server", "", INGEST_SHARE, "", SIZE_SHARE, ""]
    return table(head, [*rows, to_reach])


def _parts(one: Kept) -> str:
    return ", ".join(f"{name} {size / 1e6:.1f}" for name, size in one.parts)
