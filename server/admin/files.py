"""`logstore files`: the Parquet files of one consistent snapshot."""

import argparse
import json
import sys

from logstore.catalog import Catalog, Segment
from server.admin.data import add_data, existing

EPILOG = """\
Works while the server runs. Records that are not in Parquet yet are not in these files: POST /api/v1/flush first.
A merge may take a listed file away while you read it: then list again.

example:
  duckdb -c "from read_parquet([$(logstore files --sql)], union_by_name=true, hive_partitioning=true)"
"""


def add(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line: path, rows, bytes, times, partition")
    form.add_argument("--sql", action="store_true", help="quoted and separated by commas, to paste into SQL")
    parser.epilog = EPILOG
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    directory = existing(arguments)
    catalog = Catalog(directory.catalog, directory.segments)
    try:
        segments = sorted(catalog.segments(), key=lambda segment: segment.path)
    finally:
        catalog.close()
    if arguments.sql:
        print(", ".join("'" + str(segment.path).replace("'", "''") + "'" for segment in segments))
        return 0
    for segment in segments:
        sys.stdout.write((json.dumps(_describe(segment)) if arguments.json else str(segment.path)) + "\n")
    return 0


def _describe(segment: Segment) -> dict[str, object]:
    return {
        "path": str(segment.path),
        "cluster": segment.cluster,
        "namespace": segment.namespace,
        "rows": segment.rows,
        "bytes": segment.bytes,
        "min_time_ns": segment.min_time_ns,
        "max_time_ns": segment.max_time_ns,
        "min_seq": segment.min_seq,
        "max_seq": segment.max_seq,
    }
