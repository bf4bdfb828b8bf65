"""`logstore import`: records from files, as if they had been posted."""

import argparse
import gzip
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Final, cast

import duckdb
import pyarrow as pa

from ingest.pipeline import Accepted, Arrival, Pipeline
from ingest.request import Head
from ingest.rules import Rules
from logstore.errors import InvalidInput
from server.admin.data import STORE_SETTINGS, add_data, open_store
from server.flags import given
from server.settings import load
from server.shares import pipeline_settings

PIECE_BYTES: Final = 8 * 1024 * 1024
PIECES_IN_FLIGHT: Final = 4
PARQUET_ROWS: Final = 10_000
EPILOG: Final = """\
NDJSON is read as POST /api/v1/logs reads it; names that end in .gz or .zst are inflated. Parquet may be the files of
a logstore, with their directories, or any other: `time` and `message` are what they are called there too, columns
that are not known become attributes. Records get numbers of their own. Lines that are not taken are named on stderr.

examples:
  logstore import old.ndjson.gz --namespace shop
  logstore import /backup/segments/**/*.parquet
  zcat *.gz | logstore import -
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="NDJSON or .parquet; - is standard input")
    for name in ("cluster", "namespace", "pod", "container", "stream"):
        parser.add_argument(f"--{name}", default="", metavar="NAME", help=f"{name} of records that name none")
    add_data(parser, (*STORE_SETTINGS, "rules_file"))
    parser.epilog = EPILOG
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    params = {name: getattr(arguments, name) for name in ("cluster", "namespace", "pod", "container", "stream")}
    with open_store(arguments, must_exist=False) as store:
        settings = load(given(arguments))
        rules = Rules(settings.rules_file) if settings.rules_file is not None else None
        pipeline = Pipeline(store, pipeline_settings(settings), rules=rules)
        try:
            taken, rejected = _take_all(pipeline, arguments.files, params)
            store.flush()
        finally:
            pipeline.close()
    print(f"{taken} records imported, {rejected} lines not taken")
    return 1 if rejected and not taken else 0


def _take_all(pipeline: Pipeline, files: list[str], params: dict[str, str]) -> tuple[int, int]:
    counts = [0, 0]
    head = Head(params=params, headers={"content-type": "application/x-ndjson", "content-encoding": "identity"})
    waiting: deque[tuple[str, Future[Accepted]]] = deque()

    def settle() -> None:
        name, future = waiting.popleft()
        taken, rejected = _outcome(name, future)
        counts[0] += taken
        counts[1] += rejected

    for file in files:
        for body in _pieces(file):
            waiting.append((file, pipeline.accept(Arrival(body, head))))
            if len(waiting) >= PIECES_IN_FLIGHT:
                settle()
    while waiting:
        settle()
    return counts[0], counts[1]


def _outcome(name: str, future: Future[Accepted]) -> tuple[int, int]:
    accepted = future.result()
    if accepted.rejected:
        told = accepted.answer.body[:500].decode(errors="replace")
        _tell(name, f"{accepted.rejected} lines not taken: {told}")
    return accepted.records, accepted.rejected


def _tell(name: str, text: str) -> None:
    print(f"logstore import: {name}: {text}", file=sys.stderr)


def _pieces(file: str) -> Iterator[bytes]:
    """NDJSON bodies of a few MiB, cut between lines."""
    if file.endswith(".parquet"):
        yield from _parquet_pieces(file)
        return
    try:
        with _open(file) as source:
            while piece := source.read(PIECE_BYTES):
                yield piece + source.readline()
    except (OSError, EOFError, pa.ArrowException) as error:
        raise InvalidInput(f"{file} cannot be read: {error}") from error


def _open(file: str) -> IO[bytes]:
    if file == "-":
        return sys.stdin.buffer
    if file.endswith(".gz"):
        return cast(IO[bytes], gzip.open(file))
    if file.endswith((".zst", ".zstd")):
        import zstandard

        return cast(IO[bytes], zstandard.open(file, "rb"))
    return Path(file).open("rb")


def _parquet_pieces(file: str) -> Iterator[bytes]:
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        try:
            relation = connection.sql("FROM read_parquet(?, hive_partitioning = true)", params=[file])
            rows = connection.sql(_as_json(relation, file), params=[file]).to_arrow_reader(PARQUET_ROWS)
            for batch in rows:
                yield "\n".join(batch.column(0).to_pylist()).encode()
        except (duckdb.Error, pa.ArrowException) as error:
            raise InvalidInput(f"{file} cannot be read: {error}") from error


def _as_json(relation: duckdb.DuckDBPyRelation, file: str) -> str:
    """A statement that gives each row of a Parquet file as a JSON object such as a client would post: without nulls, as
    a patch leaves them out, but for those within labels and attributes, which are patched themselves."""
    left_out = {"_seq", "_template"} | ({"date", "hour"} if "/date=" in file else set())
    parts = [
        f"{_quoted(name)} := {_value(_quoted(name), str(kind))}"
        for name, kind in zip(relation.columns, relation.types, strict=True)
        if name not in left_out and name not in ("labels", "attributes")
    ]
    objects = [f"'{name}', {name}::JSON" for name in ("labels", "attributes") if name in relation.columns]
    row = f"json_merge_patch(json_object({', '.join(objects)}), to_json(struct_pack({', '.join(parts)})))"
    return f"SELECT {row} FROM read_parquet(?, hive_partitioning = true)"


def _value(column: str, kind: str) -> str:
    if kind.startswith("TIMESTAMP"):
        return f"epoch_ns({column}::TIMESTAMP_NS)"
    return column


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
