"""The files read by other programs, by the very lines of docs/readers.md, while the server runs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset
import pytest

from tests.clients.installed import python_apart
from tests.loghub import lines
from tests.serving import ServerProcess

DOCUMENT = Path(__file__).parents[2] / "docs" / "readers.md"
LAYOUTS = {"default": (), "fine": ("--partition-by", "cluster,namespace,pod,container,hour")}
START_NS = int(datetime(2026, 3, 1, 22, 30, tzinfo=UTC).timestamp()) * 1_000_000_000
STEP_NS = 7_000_000_000 + 1
"""Far enough that the records cross hours and midnight, and not a whole microsecond."""

NAMESPACES = ("shop", "007", "a b", "ä=ö%25/x", "null", "default")
PODS = ("web-1", "", "pod:with*odd?chars", "007")
HOSTILE = (
    *(
        "",
        " ",
        'tab\tquote"back\\slash',
        "carriage\r",
        "nul \x00 in the middle",
        "\ufeffbom",
        "emoji 🦀 é",
        "\u2028",
    ),
    *(
        "x" * 70_000,
        '{"level":"error","status":500,"deep":{"a":[1,2]}}',
        "level=info user=ann",
        "NULL",
        "{",
        "%s %d",
    ),
)


@dataclass(frozen=True, slots=True)
class Record:
    time_ns: int
    cluster: str
    namespace: str
    pod: str
    container: str
    message: str
    trace_id: str | None

    def pushed(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in ("cluster", "namespace", "pod", "container", "message")}
        return (
            fields
            | {"time": self.time_ns, "labels": {"app": "a"}}
            | ({"trace_id": self.trace_id} if self.trace_id else {})
        )


RECORDS = [
    Record(
        time_ns=START_NS + i * STEP_NS,
        cluster="default",
        namespace=NAMESPACES[i % len(NAMESPACES)],
        pod=PODS[i % len(PODS)],
        container="main" if i % 3 else "",
        message=message,
        trace_id=f"{i:032x}" if i % 5 == 0 else None,
    )
    for i, message in enumerate([*HOSTILE, *lines("hdfs"), *lines("openstack")])
]


@pytest.fixture(scope="module", params=list(LAYOUTS))
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a running server that has flushed, in two steps, what it was sent."""
    path = tmp_path_factory.mktemp(request.param) / "data"
    with ServerProcess(path, *LAYOUTS[request.param]) as server:
        half = len(RECORDS) // 2
        for part in (RECORDS[:half], RECORDS[half:]):
            answer = server.post("".join(json.dumps(r.pushed()) + "\n" for r in part).encode())
            assert answer.json() == {"accepted": len(part), "rejected": []}
            server.flush()
        yield path


def _duckdb(line: str) -> pa.Table:
    return duckdb.connect().sql(line).to_arrow_table()


def _python(line: str) -> pa.Table:
    found = eval(line, {"polars": polars, "pyarrow": pa})
    return found.to_arrow() if isinstance(found, polars.DataFrame) else found


PANDAS = """
import sys, pandas, pyarrow as pa
table = pa.Table.from_pandas(eval(sys.argv[1]), preserve_index=False)
with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as out:
    out.write_table(table)
"""


def _pandas(line: str) -> pa.Table:
    environment = {**os.environ, "PYTHONPATH": str(python_apart("pandas"))}
    done = subprocess.run([sys.executable, "-c", PANDAS, line], env=environment, check=True, stdout=subprocess.PIPE)
    return pa.ipc.open_stream(done.stdout).read_all()


def _spark(lines: str) -> pa.Table:
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    setting, read = lines.strip().splitlines()
    exec(setting, {"spark": spark})
    return eval(read, {"spark": spark}).toArrow()


READERS: dict[str, Callable[[str], pa.Table]] = {
    "duckdb": _duckdb,
    "pandas": _pandas,
    "pyarrow": _python,
    "polars": _python,
    "spark": _spark,
}


NEEDS_PANDAS = pytest.mark.needs_python_apart("pandas")


@pytest.mark.parametrize(
    "reader", [pytest.param(name, marks=NEEDS_PANDAS if name == "pandas" else ()) for name in READERS]
)
def test_the_documented_line_reads_the_same_records(reader: str, data: Path, pytestconfig: pytest.Config) -> None:
    if reader == "spark" and not pytestconfig.getoption("--spark"):
        pytest.skip("Spark is asked for with --spark")
    line = _documented(reader).replace("DIR", str(data))
    if reader == "spark" and any(data.glob("segments/**/container=")):
        with pytest.raises(Exception, match="EMPTY_PARTITION_COLUMN_VALUE"):
            READERS[reader](line)
        return
    table = READERS[reader](line)
    assert _records(table) == RECORDS
    assert table["labels"].unique().to_pylist() == ['{"app":"a"}']


def test_the_document_names_every_reader() -> None:
    assert re.findall(r"^```\w+ (\w+)$", DOCUMENT.read_text(), re.MULTILINE) == list(READERS)


def _documented(reader: str) -> str:
    block = re.search(rf"^```\w+ {reader}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None, f"no example for {reader} in {DOCUMENT}"
    return block[1]


def _records(table: pa.Table) -> list[Record]:
    """In the order of acceptance."""
    table = table.sort_by("_seq")
    times = table["time"].cast(pa.int64()).to_pylist()
    names = ("cluster", "namespace", "pod", "container", "message", "trace_id")
    columns = [table[name].to_pylist() for name in names]
    return [Record(time_ns, *values) for time_ns, *values in zip(times, *columns, strict=True)]
