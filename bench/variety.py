"""Corpora unlike the standard one, each with questions that suit it: nested JSON events, logfmt with ids, stack traces
among short lines, free text, and 20,000 pods. `--records` is the size of each.

A server takes each corpus, is flushed, and left until compaction has nothing left to do. Disk is all but the WAL, as a
multiple of the sorted Parquet file of bench/brute.py, which has messages only. Questions are asked as in
bench/query.py, and of brute force over that file; the answers must be equal.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import ascii_lowercase
from typing import Final

from bench.brute import Brute
from bench.corpus import OUT, Corpus
from bench.ingest import post_from_another_process, wait_until_compacted
from bench.measure import cpu_s, directory_bytes, peak_memory_bytes, table
from bench.query import ask, brute_force
from bench.questions import Question
from tests.serving import ServerProcess

START: Final = datetime(2026, 2, 1, tzinfo=UTC)
STEP: Final = timedelta(milliseconds=20)
WORDS: Final = 30_000
PODS: Final = 20_000
FIRST_ID: Final = 10**10


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a corpus is drawn from."""

    random: random.Random
    words: tuple[str, ...]

    def word(self, among: int = WORDS) -> str:
        return self.words[self.random.randrange(among)]

    def text(self, count: int) -> str:
        return " ".join(self.random.choices(self.words, k=count))

    def hex(self, digits: int) -> str:
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"


@dataclass(frozen=True, slots=True)
class Kind:
    """One corpus: how it is drawn, and what is asked of it; `{id}` is one that occurs once."""

    name: str
    message: Callable[[Drawn, int, str], str]
    questions: tuple[tuple[str, str], ...]
    pods: int = 20


def nested(drawn: Drawn, number: int, time: str) -> str:
    chance = drawn.random
    record = {
        "type": f"app.feed.{chance.choice(('post', 'like', 'repost', 'follow'))}",
        "createdAt": time,
        "text": drawn.text(chance.randrange(20)),
        "langs": ["en"],
        "reply": {"parent": {"cid": drawn.hex(50), "uri": f"at://{drawn.hex(24)}/{drawn.hex(12)}"}},
    }
    commit = {
        "rev": drawn.hex(13),
        "operation": chance.choice(("create", "delete", "update")),
        "collection": record["type"],
        "size": chance.randrange(5_000),
        "record": record,
    }
    event = {"did": f"did:plc:{drawn.word(20_000)}", "number": number, "kind": "commit", "commit": commit}
    return json.dumps(event, separators=(",", ":"))


def logfmt(drawn: Drawn, number: int, time: str) -> str:
    chance = drawn.random
    level = chance.choice(("info", "info", "debug", "error"))
    return (
        f"level={level} ts={time} caller={drawn.word(30)}.go:{number % 400} "
        f'msg="{drawn.word(200)} {drawn.word(200)}" org_id={chance.randrange(300)} trace_id={drawn.hex(32)} '
        f"duration_ms={chance.random() * 100:.3f} bytes={chance.randrange(10**6)} number={number}"
    )


def traces(drawn: Drawn, number: int, time: str) -> str:
    if number % 20:
        return f"handled request {number} in {drawn.random.randrange(999)} ms for {drawn.word()}"
    frames = (
        f'  File "/srv/app/{drawn.word()}.py", line {drawn.random.randrange(999)}, in {drawn.word()}\n'
        f"    return {drawn.word()}({drawn.word()}={drawn.word()})"
        for _ in range(50)
    )
    return "\n".join(("Traceback (most recent call last):", *frames, f"ValueError: {drawn.word()} {number}"))


def prose(drawn: Drawn, number: int, time: str) -> str:
    return f"{drawn.text(drawn.random.randint(5, 25))} {number}"


def jobs(drawn: Drawn, number: int, time: str) -> str:
    return f"step {drawn.random.randrange(100)} of task {number} finished with code {drawn.random.randrange(3)}"


def _of(path: str) -> str:
    return f"json_extract_string(message, '{path}')"


def _in(key: str) -> str:
    return f"regexp_extract(message, '{key}=(\\w+)', 1)"


def _counted(where: str) -> str:
    return f"select count(*) from logs where {where}"


_ID: Final = ("{id} | fields message", "select message from logs where message like '%{id}%'")
_LAST: Final = ("* | limit 100 | fields message", "select message from logs order by time desc limit 100")

ABSENT: Final = (
    "unheardof | limit 100 | fields message",
    "select message from logs where message ilike '%unheardof%' order by time desc limit 100",
)

KINDS: Final = (
    Kind(
        "nested JSON",
        nested,
        (
            _ID,
            ("number={id} | fields message", f"select message from logs where {_of('$.number')} = '{{id}}'"),
            (
                "* | stats count() by commit.collection",
                f"select {_of('$.commit.collection')}, count(*) from logs group by 1",
            ),
            (
                "commit.operation=delete commit.size<100 | stats count()",
                _counted(f"{_of('$.commit.operation')} = 'delete' and cast({_of('$.commit.size')} as int) < 100"),
            ),
            (
                "* | stats count_distinct(did) as n by commit.operation",
                f"select {_of('$.commit.operation')}, count(distinct {_of('$.did')}) from logs group by 1",
            ),
            (
                "commit.record.reply.parent.uri=~`^at://00` | stats count()",
                _counted(f"starts_with({_of('$.commit.record.reply.parent.uri')}, 'at://00')"),
            ),
            (
                "commit.size=77 | limit 20 | fields message",
                f"select message from logs where cast({_of('$.commit.size')} as int) = 77 order by time desc limit 20",
            ),
            ('"app.feed.like" | stats count()', _counted("message ilike '%app.feed.like%'")),
        ),
    ),
    Kind(
        "logfmt",
        logfmt,
        (
            _ID,
            ("number={id} | fields message", "select message from logs where message like '%number={id}'"),
            ("level=error | stats count()", _counted("message like '%level=error %'")),
            (
                "* | stats count() by org_id",
                f"select {_in('org_id')}, count(*) from logs group by 1",
            ),
            (
                "org_id=77 | limit 100 | fields message",
                f"select message from logs where {_in('org_id')} = '77' order by time desc limit 100",
            ),
            (
                "* | stats max(bytes) as n by level",
                f"select {_in('level')}, max(cast({_in('bytes')} as int)) from logs group by 1",
            ),
        ),
    ),
    Kind(
        "stack traces",
        traces,
        (
            _ID,
            ("ValueError | stats count()", _counted("message ilike '%ValueError%'")),
            ('"most recent call last" | stats count()', _counted("message ilike '%most recent call last%'")),
            (
                "message=~`line 99[0-9], in a` | stats count()",
                _counted("regexp_matches(message, 'line 99[0-9], in a')"),
            ),
        ),
    ),
    Kind(
        "free text",
        prose,
        (_ID, _LAST, ABSENT, ("message=~`abc.*xyz` | stats count()", _counted("regexp_matches(message, 'abc.*xyz')"))),
    ),
    Kind(
        "20,000 pods",
        jobs,
        (
            _ID,
            ("pod=pod-777 | stats count()", _counted("pod = 'pod-777'")),
            ("* | stats count() by pod", "select pod, count(*) from logs group by 1"),
            ('"finished with code 2" | stats count()', _counted("message ilike '%finished with code 2%'")),
        ),
        PODS,
    ),
)


def run(options: argparse.Namespace) -> str:
    taken: list[list[object]] = []
    asked: list[list[object]] = []
    for kind in KINDS:
        source = _corpus(kind, options.records, options.seed)
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as directory,
            Brute(source, Path(directory) / "sorted.parquet") as brute,
            ServerProcess(Path(directory) / "data", "--log-level", "warning") as server,
        ):
            taken.append([kind.name, *_take(source, server, Path(directory) / "data", brute)])
            asked += [[kind.name, *row] for row in _ask(kind, source, server, brute, options.repeats)]
    head = [
        "corpus",
        "MB",
        "thousand records/s",
        "CPU, µs a record",
        "peak memory, MB",
        "disk, multiple of sorted Parquet",
    ]
    questions = ["corpus", "question", "brute force ms", "server ms, first", "warm", "again", "share, first", "warm"]
    return f"{table(head, taken)}\n\n{table(questions, asked)}"


def _take(source: Corpus, server: ServerProcess, data: Path, brute: Brute) -> list[object]:
    before_s = cpu_s(server.pid)
    took_s = post_from_another_process(source, server.port)
    server.flush()
    spent_s = cpu_s(server.pid) - before_s
    wait_until_compacted(server.pid)
    stored = sum(directory_bytes(data / name) for name in ("segments", "indexes"))
    stored += (data / "catalog.sqlite").stat().st_size
    rate, each_us = source.records / took_s / 1_000, spent_s / source.records * 1e6
    return [source.bytes / 1e6, rate, each_us, peak_memory_bytes(server.pid) / 2**20, stored / brute.bytes]


def _ask(kind: Kind, source: Corpus, server: ServerProcess, brute: Brute, repeats: int) -> Iterator[list[object]]:
    for question in asked(kind, source.records):
        found, served = ask(question, server, repeats)
        brute_ms = brute_force(question, found, brute, repeats)
        times = [brute_ms, served.first_ms, served.warm_ms, served.again_ms]
        yield [question.name, *times, served.share(brute_ms), served.warm_share(brute_ms)]


def asked(kind: Kind, records: int) -> Iterator[Question]:
    """The questions about a corpus of this kind and size."""
    for at, (text, sql) in enumerate(kind.questions):
        once = str(FIRST_ID + records // 3 + at)
        shown = text.replace("|", "\\|")  # in a cell of a table
        yield Question(f"`` {shown} ``", 1.0, text.replace("{id}", once), sql.replace("{id}", once), "")


def _corpus(kind: Kind, records: int, seed: int) -> Corpus:
    """The corpus of this kind, size and seed, made unless bench/out has it."""
    path = OUT / f"{kind.name.replace(' ', '-')}-{records}-{seed}.ndjson"
    if not path.exists():
        OUT.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("w") as file:
            file.writelines(generate(kind, records, seed))
        part.rename(path)
    return Corpus(path, records, seed)


def generate(kind: Kind, records: int, seed: int) -> Iterator[str]:
    """The corpus' lines, of NDJSON."""
    chance = random.Random(f"{kind.name} {seed}")
    words = tuple("".join(chance.choices(ascii_lowercase, k=chance.randint(2, 10))) for _ in range(WORDS))
    drawn = Drawn(chance, words)
    for number in range(records):
        time = (START + number * STEP).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        pod = chance.randrange(kind.pods)
        identity = {"cluster": "prod", "namespace": f"team-{pod % 5}", "pod": f"pod-{pod}", "container": "main"}
        message = kind.message(drawn, FIRST_ID + number, time)
        yield json.dumps({"time": time, **identity, "stream": "stdout", "message": message}) + "\n"
