"""`logq tail QUERY`: new records as they come."""

import sys
from argparse import Namespace
from collections.abc import Iterator

from logq.client import Client
from logq.config import Target, target
from logq.errors import FOUND, Refusal, UsageError
from logq.follow import Follower
from logq.notes import note, with_place
from logq.past import every, last, present, up_to
from logq.query import scoped_query, writer_for
from logq.times import duration_ns, moment


def run(options: Namespace) -> int:
    """Follows until interrupted, or until `--limit` rows are written."""
    if options.limit is not None and options.limit < 1:
        raise UsageError("--limit: must be at least 1 here")
    if options.backlog and options.cursor:
        raise UsageError("--backlog and --cursor both say where to begin; give one")
    _check_backlog(options.backlog)
    server = target(options)
    query = scoped_query(options, server)
    writer = writer_for(options.output or ("table" if sys.stdout.isatty() else "ndjson"), options)
    try:
        for run in _runs(options, server, query.text):
            left = None if options.limit is None else options.limit - writer.rows
            if left is not None and run.count(b"\n") >= left:
                writer.write(b"".join(line + b"\n" for line in run.split(b"\n")[:left]))
                break
            writer.write(run)
    except Refusal as refusal:
        raise with_place(refusal, query) from None
    writer.close()
    return FOUND


def _runs(options: Namespace, server: Target, query: str) -> Iterator[bytes]:
    cursor = options.cursor or present(server, query)
    if options.backlog:
        client = Client(server)
        yield from up_to(cursor, _backlog(client, query, options.backlog))
        client.close()
    yield from Follower(server, query, cursor, note).runs()


def _backlog(client: Client, query: str, text: str) -> Iterator[bytes]:
    params = {"q": query, "meta": "true"}
    if text.isdecimal():
        return last(client, params, int(text))
    return every(client, {**params, "start": moment(text, "--backlog")})


def _check_backlog(text: str) -> None:
    if text and not text.isdecimal() and duration_ns(text) is None:
        raise UsageError(f"--backlog: cannot read {text!r}", "a number of records (20), or a duration (5m)")
