"""`logq tail QUERY`: new records as they come."""

import sys
from argparse import Namespace

from logq.config import target
from logq.errors import FOUND, Refusal, UsageError
from logq.follow import Follower, backlog
from logq.notes import note, with_place
from logq.query import scoped_query, writer_for


def run(options: Namespace) -> int:
    """Follows until interrupted, or until `--limit` rows are written."""
    if options.limit is not None and options.limit < 1:
        raise UsageError("--limit: must be at least 1 here")
    server = target(options)
    query = scoped_query(options, server)
    params = {"q": query.text}
    if options.backlog:
        params["backlog"] = backlog(options.backlog)
    if options.cursor:
        params["cursor"] = options.cursor
    writer = writer_for(options.output or ("table" if sys.stdout.isatty() else "ndjson"), options)
    try:
        for run in Follower(server, params, note).runs():
            left = None if options.limit is None else options.limit - writer.rows
            if left is not None and run.count(b"\n") >= left:
                writer.write(b"".join(line + b"\n" for line in run.split(b"\n")[:left]))
                break
            writer.write(run)
            if options.output == "table" or writer.rows == 0:
                writer.close()
    except Refusal as refusal:
        raise with_place(refusal, query) from None
    writer.close()
    return FOUND
