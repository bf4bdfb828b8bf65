"""`logstore export`: the records of a query to standard output, without a server."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from logstore.errors import InvalidInput, InvalidSettings
from query.encode import Format, encode
from query.engine import Engine
from query.execute import run as run_query
from query.request import Request
from query.times import parse_time_ns
from server.admin.data import STORE_SETTINGS, add_data, open_store
from server.flags import given
from server.settings import load
from server.shares import query_settings

EPILOG = """\
While a server runs, ask it instead: curl -G URL/api/v1/query -d limit=0 -d format=parquet --data-urlencode q=QUERY

examples:
  logstore export 'namespace=shop level:error' --start -7d > errors.ndjson
  logstore export --format parquet > everything.parquet
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", metavar="QUERY", nargs="?", default="*", help="the query (default: every record)")
    parser.add_argument("--start", default="", metavar="TIME", help="first time, inclusive: RFC 3339, epoch, -15m")
    parser.add_argument("--end", default="", metavar="TIME", help="time to stop before")
    parser.add_argument("--order", choices=("asc", "desc"), default="asc", help="of time (default asc: oldest first)")
    parser.add_argument("--format", choices=[str(form) for form in Format], default="ndjson", help="(default ndjson)")
    add_data(parser, (*STORE_SETTINGS, "query_timeout", "query_memory"))
    parser.epilog = EPILOG
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    form = Format(arguments.format)
    if form in (Format.ARROW, Format.PARQUET) and sys.stdout.isatty():
        raise InvalidSettings(f"{form} is not for a terminal: send it to a file")
    request = _request(arguments, form)
    with open_store(arguments) as store, tempfile.TemporaryDirectory() as spill:
        settings, secret = query_settings(load(given(arguments))), store.catalog.secret()
        engine = Engine(store.directory.segments, Path(spill) / "spill", settings, secret)
        try:
            with run_query(store, engine, request) as answer:
                for piece in encode(answer, form):
                    sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        finally:
            engine.close()
    return 0


def _request(arguments: argparse.Namespace, form: Format) -> Request:
    now_ns = time.time_ns()
    try:
        start_ns, end_ns = (
            parse_time_ns(text, now_ns) if text.strip() else None for text in (arguments.start, arguments.end)
        )
    except InvalidInput as error:
        raise InvalidSettings(str(error)) from error
    return Request(
        text=arguments.query if arguments.query.strip() else "*",
        start_ns=start_ns,
        end_ns=end_ns,
        limit=0,
        order=arguments.order,
        dynamic="json" if form in (Format.NDJSON, Format.JSON) else "text",
        now_ns=now_ns,
    )
