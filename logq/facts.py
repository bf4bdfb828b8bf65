"""`logq fields|values|streams|sources|context`: what the store says of itself."""

import json
import sys
from argparse import Namespace
from typing import Any, Final

from logq.answer import Answer
from logq.client import Client
from logq.config import target
from logq.errors import FOUND, NOTHING, Refusal, UsageError
from logq.notes import Progress, note, with_place
from logq.query import identity, scoped_query, time_range, writer_for
from logq.render import TableWriter, encoded
from logq.scope import Scoped
from logq.terminal import wants_colour

SOURCE_COLUMNS: Final = (
    *("silent_s", "protocol", "address", "name", "records", "bytes"),
    *("unread", "rejected", "refused", "last_seen", "last_error"),
)
"""What a table shows of senders, where any has it."""


def run(options: Namespace) -> int:
    """Runs the one that `options.command` names."""
    commands = {
        "fields": _fields,
        "values": _values,
        "streams": _streams,
        "sources": _sources,
        "context": _context,
    }
    return commands[options.command](options)


def _fields(options: Namespace) -> int:
    query = scoped_query(options, server := target(options))
    params = {"q": query.text, **time_range(options)}
    return _list(options, document(Client(server), "/api/v1/fields", params, query), "fields")


def _values(options: Namespace) -> int:
    if not options.words:
        raise UsageError("which field? logq values FIELD [QUERY]", "the fields there are: logq fields")
    field = options.words.pop(0)
    query = scoped_query(options, server := target(options))
    params = {"q": query.text, "field": field, **time_range(options)}
    if options.prefix:
        params["prefix"] = options.prefix
    if options.limit is not None:
        params["limit"] = str(options.limit)
    answer = document(Client(server), "/api/v1/values", params, query)
    if options.output == "raw":
        for item in answer["values"]:
            sys.stdout.buffer.write(encoded(f"{item['value']}\n"))
        return FOUND if answer["values"] else NOTHING
    status = _list(options, answer, "values")
    if answer.get("truncated"):
        note("there are more values; --limit N for more, --prefix TEXT to narrow them")
    return status


def _streams(options: Namespace) -> int:
    if options.words:
        raise UsageError("streams takes no query", "narrow it with --cluster, -n, --pod, -c")
    server = target(options)
    answer = Client(server).ask_json("/api/v1/streams", {})
    allowed = identity(options, server)
    answer["streams"] = [
        stream
        for stream in answer.get("streams", [])
        if all(stream.get(column) in values for column, values in allowed.items())
    ]
    return _list(options, answer, "streams")


def _sources(options: Namespace) -> int:
    if options.words:
        raise UsageError("sources takes no query", "narrow it with --silent 10m")
    answer = Client(target(options)).ask_json("/api/v1/sources", {"silent": options.silent} if options.silent else {})
    if options.output == "table" or (not options.output and sys.stdout.isatty()):
        told = {key for source in answer["sources"] for key, value in source.items() if value}
        shown = [key for key in SOURCE_COLUMNS if key in told]
        answer["sources"] = [{key: source.get(key) for key in shown} for source in answer["sources"]]
    return _list(options, answer, "sources")


def _context(options: Namespace) -> int:
    if len(options.words) != 1 or not options.words[0].isdecimal():
        raise UsageError("which record? logq context SEQ", "its number: logq QUERY --meta -o ndjson shows _seq")
    seq = int(options.words[0])
    params = {"seq": str(seq), "before": str(options.before), "after": str(options.after)}
    answer = Answer(Client(target(options)).ask("/api/v1/context", params))
    output = options.output or ("table" if sys.stdout.isatty() else "ndjson")
    writer = writer_for(output, options)
    if output == "table":
        writer = TableWriter(sys.stdout.buffer, colours=wants_colour(options, sys.stdout), marked_seq=seq)
    for run in answer.runs():
        writer.write(run)
    writer.close()
    return FOUND if writer.rows else NOTHING


def document(client: Client, path: str, params: dict[str, str], query: Scoped) -> Any:
    """One JSON answer about a query."""
    with Progress("waiting for the server"):
        try:
            return client.ask_json(path, params)
        except Refusal as refusal:
            raise with_place(refusal, query) from None


def _list(options: Namespace, answer: dict[str, Any], key: str) -> int:
    """The answer itself as JSON, or its list as rows."""
    rows = answer.get(key, [])
    output = options.output or ("table" if sys.stdout.isatty() else "ndjson")
    if output == "json":
        sys.stdout.buffer.write(encoded(json.dumps(answer, ensure_ascii=False) + "\n"))
        return FOUND if any(row.get("count", 1) for row in rows) else NOTHING
    writer = writer_for(output, options)
    if rows:
        writer.write(b"".join(encoded(json.dumps(row, ensure_ascii=False) + "\n") for row in rows))
    writer.close()
    return FOUND if any(row.get("count", 1) for row in rows) else NOTHING
