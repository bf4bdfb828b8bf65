"""Brute force: plain DuckDB on two threads over one Parquet file of the same records, sorted by (cluster, namespace,
pod, container, time), zstd, DuckDB's defaults otherwise. It has the columns of the corpus and nothing else."""

import statistics
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from bench.corpus import Corpus
from bench.measure import child_cpu_s


class Brute:
    """The sorted file, written on entering, and a connection over it."""

    def __init__(self, source: Corpus, file: Path) -> None:
        self._source = source
        self._file = file

    def __enter__(self) -> Self:
        self.write_cpu_s = child_cpu_s(lambda: _write_sorted(self._source, self._file))
        self._con = _connect()
        self._con.execute(f"create view logs as from read_parquet('{self._file}')")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    @property
    def bytes(self) -> int:
        return self._file.stat().st_size

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self._con.execute(sql).fetchall()

    def trace(self) -> str:
        """The trace id of some record."""
        found = "json_extract_string(message, '$.trace_id')"
        return str(self.ask(f"select {found} from logs where message like '{{%' limit 1")[0][0])

    def address(self) -> str:
        """The address that some request came from."""
        found = "split_part(message, ' ', 1)"
        return str(self.ask(f"select {found} from logs where message like '10.%.%.% - - %' limit 1")[0][0])

    def busiest_pod(self) -> str:
        return str(self.ask("select pod from logs group by pod order by count(*) desc, pod limit 1")[0][0])


def read_json_cpu_s(source: Corpus) -> float:
    """What `read_json` of the corpus takes in a fresh process: the median of three, less that of `select 1`."""
    read = f"create temp table t as select * from read_json('{source.path}')"
    spent_s = statistics.median(child_cpu_s(lambda: _connect().execute(read)) for _ in range(3))
    return spent_s - child_cpu_s(lambda: _connect().execute("select 1"))


def _write_sorted(source: Corpus, target: Path) -> None:
    _connect().execute(
        f"copy (from read_json('{source.path}', columns = {{time: 'TIMESTAMP_NS', cluster: 'VARCHAR', "
        "namespace: 'VARCHAR', pod: 'VARCHAR', container: 'VARCHAR', stream: 'VARCHAR', message: 'VARCHAR'}) "
        f"order by cluster, namespace, pod, container, time) to '{target}' (compression zstd)"
    )


def _connect() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2})
    con.execute("set timezone = 'UTC'")
    return con
