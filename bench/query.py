"""Queries over HTTP against plain DuckDB over one sorted Parquet file of the same records.

The server is filled with the corpus, flushed, and left until compaction has nothing left to do. The baseline runs in
this process on two threads, over one file sorted by (cluster, namespace, pod, container, time) with the same
columns as the corpus, zstd, DuckDB's defaults otherwise; it reads JSON fields out of the text of the message. Each
question is asked `--repeats` times of both; milliseconds are medians, of the server over HTTP, answer read to its
end. The answers must be equal.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from bench.corpus import PHRASE, RARE_WORD, START_NS, Corpus, corpus
from bench.ingest import post_from_another_process, wait_until_idle
from bench.measure import table, timed
from tests.serving import ServerProcess

HTTP_MS: Final = 8.0
"""What a question over HTTP may cost more than one in process."""

HOUR_NS: Final = 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """The same question in both languages; both answers come out as lists of rows."""

    name: str
    q: str
    sql: str
    params: tuple[tuple[str, str | int], ...] = ()


def questions(source: Corpus, con: duckdb.DuckDBPyConnection) -> list[Question]:
    trace = _one(con, "select json_extract_string(message, '$.trace_id') from logs where message like '{%' limit 1")
    pod = _one(con, "select pod from logs group by pod order by count(*) desc limit 1")
    text = "json_extract_string(message, '$.{}')".format
    hour = (("start", START_NS + HOUR_NS), ("end", START_NS + 2 * HOUR_NS))
    in_hour = f"epoch_ns(time) >= {START_NS + HOUR_NS} and epoch_ns(time) < {START_NS + 2 * HOUR_NS}"
    count, newest = "| stats count() as n", "order by time desc"
    return [
        Question("count all", f"* {count}", "select count(*) from logs"),
        Question("a trace id", f"{trace} | fields message", f"select message from logs where message like '%{trace}%'"),
        Question("a rare word, counted", f"{RARE_WORD} {count}", _count(rf"message ilike '%{RARE_WORD}%'")),
        Question("a phrase, any case, counted", f'"{PHRASE}" {count}', _count(f"message ilike '%{PHRASE}%'")),
        Question("substring, counted", f'message*="dfs.FSName" {count}', _count("message like '%dfs.FSName%'")),
        Question(
            "regex, counted",
            f'message=~"status: [45]\\\\d\\\\d" {count}',
            _count(r"regexp_matches(message, 'status: [45]\d\d')"),
        ),
        Question(
            "newest 100 of a common word",
            "error | fields message",
            rf"select message from logs where regexp_matches(message, '(?i)(^|[^\pL\pN_])error([^\pL\pN_]|$)') "
            f"{newest} limit 100",
            (("limit", 100),),
        ),
        Question(
            "one pod, one hour, 1,000 lines",
            f'pod="{pod}" | fields message',
            f"select message from logs where pod = '{pod}' and {in_hour} {newest} limit 1000",
            (*hour, ("limit", 1_000)),
        ),
        Question(
            "histogram, 5 min by stream",
            "* | stats count() as n by bucket(5m), stream | sort by time, stream | fields stream, n",
            "select stream, count(*) from logs group by time_bucket(interval 5 minutes, time), stream "
            "order by time_bucket(interval 5 minutes, time), stream",
        ),
        Question(
            "ten pods with most stderr",
            'stream="stderr" | top 10 pod | fields pod, count',
            "select pod, count(*) from logs where stream = 'stderr' group by pod order by count(*) desc, pod limit 10",
        ),
        Question(
            "JSON: count by status",
            "path:* status:* | stats count() as n by status | sort by status",
            f"select {text('status')}, count(*) from logs where message like '{{%' group by all order by 1",
        ),
        Question(
            "JSON: distinct users",
            "user:* | stats count_distinct(user) as n",
            f"select count(distinct {text('user')}) from logs where message like '{{%'",
        ),
        Question(
            "JSON: p99 of duration",
            "duration_ms:* | stats p99(duration_ms) as p",
            f"select quantile_cont({text('duration_ms')}::double, 0.99) from logs where message like '{{%'",
        ),
    ]


def run(options: argparse.Namespace) -> str:
    source = corpus(options.records, options.seed)
    con = duckdb.connect(config={"threads": 2})
    con.execute("set timezone = 'UTC'")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        _write_sorted(con, source, Path(directory) / "sorted.parquet")
        with ServerProcess(Path(directory) / "data", "--log-level", "warning") as server:
            post_from_another_process(source, server.port)
            server.flush()
            wait_until_idle(server.pid)
            rows = [_compare(question, server, con, options.repeats) for question in questions(source, con)]
    return table(["question", "plain DuckDB ms", "server ms, first", "server ms", "share less 8 ms"], rows)


def _write_sorted(con: duckdb.DuckDBPyConnection, source: Corpus, target: Path) -> None:
    con.execute(
        f"copy (from read_json('{source.path}', columns = {{time: 'TIMESTAMP_NS', cluster: 'VARCHAR', "
        "namespace: 'VARCHAR', pod: 'VARCHAR', container: 'VARCHAR', stream: 'VARCHAR', message: 'VARCHAR'}) "
        f"order by cluster, namespace, pod, container, time) to '{target}' (compression zstd)"
    )
    con.execute(f"create view logs as from read_parquet('{target}')")


def _compare(question: Question, server: ServerProcess, con: duckdb.DuckDBPyConnection, repeats: int) -> list[object]:
    ask: Callable[[], str] = lambda: server.query(question.q, **dict(question.params)).text  # noqa: E731
    ours, server_time = timed(ask, repeats)
    theirs, duckdb_time = timed(lambda: con.execute(question.sql).fetchall(), repeats)
    found = [list(json.loads(line).values()) for line in ours.splitlines()]
    if not _are_equal(found, theirs):
        raise RuntimeError(f"{question.name}: {str(found)[:300]} is not {str(theirs)[:300]}")
    share = max(server_time.median_ms - HTTP_MS, 0.0) / duckdb_time.median_ms
    return [question.name, duckdb_time.median_ms, server_time.first_ms, server_time.median_ms, share]


def _are_equal(ours: list[list[Any]], theirs: list[tuple[Any, ...]]) -> bool:
    """The same rows; records of one time have no order in the baseline."""
    return sorted([_text(v) for v in row] for row in ours) == sorted([_text(v) for v in row] for row in theirs)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _count(condition: str) -> str:
    return f"select count(*) from logs where {condition}"


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> str:
    row = con.execute(sql).fetchone()
    assert row is not None, sql
    return str(row[0])
