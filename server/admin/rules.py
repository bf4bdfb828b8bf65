"""`logstore rules test`: what the rules of a file would do to lines, without a server."""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from ingest.lines import asked, lines
from ingest.lines_asked import LinesSettings
from ingest.protocols import native
from ingest.request import Head, Request
from ingest.rules import Count, apply
from ingest.rules_file import Rule, read_rules
from logstore.enrich import enrich, whole
from logstore.errors import InvalidInput, InvalidSettings

PIECE_BYTES: Final = 8 * 1024 * 1024
EPILOG: Final = """\
Lines are read from standard input as POST /api/v1/logs reads them: NDJSON, or with --text one record a line. What
would be stored is written to standard output as NDJSON, what each rule did to standard error. Nothing is stored.

Exit code 0: done, 2: the file has a mistake, which is named.

examples:
  logstore rules test rules.yaml < lines.ndjson
  kubectl logs web-0 | logstore rules test rules.yaml --text --pod web-0
"""


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    test = commands.add_parser(
        "test",
        help="a dry run: lines in, what would be stored out",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    test.add_argument("file", metavar="FILE", type=Path, help="the rules, as for --rules-file")
    test.add_argument("--text", action="store_true", help="standard input is text, one record a line")
    for name in ("cluster", "namespace", "pod", "container", "stream"):
        test.add_argument(f"--{name}", default="", metavar="NAME", help=f"{name} of records that name none")
    for name in ("unwrap", "multiline"):
        test.add_argument(f"--{name}", default="off", metavar="WORDS", help=f"as the setting --{name}")
    test.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    rules = read_rules(arguments.file)
    head = _head(arguments)
    try:
        wanted = asked(head, native.NAME, LinesSettings(arguments.unwrap, arguments.multiline))
    except InvalidInput as error:
        raise InvalidSettings(str(error)) from error
    counts = [Count() for _ in rules]
    read = left = 0
    for body in _pieces():
        request = Request(body, time.time_ns(), head)
        decoded = native.decode(request)
        for reject in decoded.rejects:
            print(f"logstore rules: line {reject.line} not read: {reject.error}", file=sys.stderr)
        limit = request.limits.max_line_bytes
        batch = lines(decoded.batch, wanted, now_ns=request.now_ns, max_line_bytes=limit)
        applied = apply(rules, batch)
        counts = [before + now for before, now in zip(counts, applied.counts, strict=True)]
        read, left = read + batch.num_rows, left + applied.batch.num_rows
        _write(applied.batch)
    _tell(rules, counts, read, left)
    return 0


def _head(arguments: argparse.Namespace) -> Head:
    params = {name: getattr(arguments, name) for name in ("cluster", "namespace", "pod", "container", "stream")}
    return Head(params=params, headers={"content-type": "text/plain" if arguments.text else "application/x-ndjson"})


def _pieces() -> Iterator[bytes]:
    while piece := sys.stdin.buffer.read(PIECE_BYTES):
        yield piece + sys.stdin.buffer.readline()


def _tell(rules: tuple[Rule, ...], counts: list[Count], read: int, left: int) -> None:
    for rule, count in zip(rules, counts, strict=True):
        done = f"{rule.name} ({rule.kind}): matched {count.matched}, dropped {count.dropped}, changed {count.changed}"
        print(f"{done}, {count.seconds * 1e6 / max(read, 1):.2f} us a record", file=sys.stderr)
    print(f"{read} records read, {left} would be stored", file=sys.stderr)


def _write(batch: pa.RecordBatch) -> None:
    """As queries answer them: with what the lines say of themselves."""
    times = batch.column("time").cast(pa.int64()).to_pylist()
    for record, time_ns in zip(whole(enrich(batch)).drop_columns("time").to_pylist(), times, strict=True):
        sys.stdout.buffer.write(orjson.dumps({"time": _rfc3339(time_ns), **_shown(record)}) + b"\n")
    sys.stdout.buffer.flush()


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    objects = {name: orjson.loads(record[name]) for name in ("labels", "attributes") if record[name]}
    return {name: value for name, value in record.items() if value is not None and name not in objects} | objects


def _rfc3339(time_ns: int) -> str:
    seconds, fraction = divmod(time_ns, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"
