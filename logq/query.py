"""`logq QUERY`: asks, writes the rows as they arrive, says on stderr what was left out."""

import http.client
import sys
import time
from argparse import Namespace
from typing import Final

from logq.answer import Answer
from logq.client import Client, blocks
from logq.config import Target, target
from logq.errors import FOUND, NOTHING, LogqError, Refusal, UsageError
from logq.notes import Progress, note, with_place
from logq.render import JsonWriter, NdjsonWriter, RawWriter, TableWriter
from logq.scope import Scoped, narrowed
from logq.terminal import wants_colour
from logq.times import SECOND_NS, moment, moment_ns, rfc3339

LOOK_BACK: Final = "1h"
DEFAULT_LIMIT: Final = 1000
BINARY_FORMATS: Final = ("arrow", "parquet")
PASSED_FORMATS: Final = ("csv", *BINARY_FORMATS)


def run(options: Namespace) -> int:
    """Asks and writes; 0 if there was a row."""
    server = target(options)
    query = scoped_query(options, server)
    output = options.output or ("table" if sys.stdout.isatty() else "ndjson")
    if output in BINARY_FORMATS and sys.stdout.isatty():
        raise UsageError(f"{output} is binary and would upset a terminal", f"write it to a file: … -o {output} > FILE")
    params = {"q": query.text, **time_range(options), **_paging(options)}
    client = Client(server)
    with Progress("waiting for the server") as progress:
        if output in PASSED_FORMATS:
            response = asked(client, "/api/v1/query", {**params, "format": output}, query)
            return _pass_on(response, output, options, progress)
        answer = Answer(asked(client, "/api/v1/query", {**params, "format": "ndjson"}, query))
        writer = writer_for(output, options)
        for run in answer.runs():
            if sys.stdout.isatty() and not writer.rows:
                progress.hide()
            writer.write(run)
            progress.text = f"{writer.rows:,} rows"
        writer.close()
    if answer.is_truncated:
        further = f", or go on with --cursor {answer.cursor}" if answer.cursor else ""
        note(f"cut after {writer.rows:,} rows; --limit 0 for all{further}")
    return FOUND if writer.rows else NOTHING


def asked(client: Client, path: str, params: dict[str, str], query: Scoped) -> http.client.HTTPResponse:
    """The answer; a refusal for the query's sake comes with a caret under its place."""
    try:
        return client.ask(path, params)
    except Refusal as refusal:
        raise with_place(refusal, query) from None


def scoped_query(options: Namespace, server: Target) -> Scoped:
    """The words as one query, narrowed by the flags and by the context's defaults."""
    return narrowed(" ".join(options.words) or "*", identity(options, server))


def identity(options: Namespace, server: Target) -> dict[str, list[str]]:
    """Identity columns and the values that the flags allow."""
    named = {
        "cluster": options.cluster or server.cluster,
        "namespace": options.namespace or server.namespace,
        "pod": options.pod,
        "container": options.container,
    }
    return {column: [each for each in text.split(",") if each] for column, text in named.items() if text}


def time_range(options: Namespace, *, quiet: bool = False) -> dict[str, str]:
    """`start` and `end` for the server; without `--since` an hour before the end, and stderr says so."""
    until = moment(options.until, "--until") if options.until else ""
    end = {"end": until} if until else {}
    if options.since == "all":
        return end
    if options.since:
        return {"start": moment(options.since, "--since"), **end}
    if not quiet:
        before = f" before {options.until}" if until else ""
        note(f"looking back {LOOK_BACK}{before}; --since 1d for more, --since all for everything")
    if not until:
        return {"start": f"-{LOOK_BACK}"}
    hour_ns = 3600 * SECOND_NS
    return {"start": rfc3339(moment_ns(until, time.time_ns()) - hour_ns), **end}


def writer_for(output: str, options: Namespace) -> NdjsonWriter:
    """The writer of a row format, on stdout."""
    out = sys.stdout.buffer
    if output == "table":
        return TableWriter(out, colours=wants_colour(options, sys.stdout))
    return {"ndjson": NdjsonWriter, "json": JsonWriter, "raw": RawWriter}[output](out)


def _paging(options: Namespace) -> dict[str, str]:
    if options.limit is not None and options.limit < 0:
        raise UsageError("--limit: must not be negative", "0 is for all")
    named = {
        "limit": "" if options.limit is None else str(options.limit),
        "order": options.order,
        "cursor": options.cursor,
        "meta": "true" if options.meta else "",
    }
    return {name: value for name, value in named.items() if value}


def _pass_on(response: http.client.HTTPResponse, output: str, options: Namespace, progress: Progress) -> int:
    """Bytes as they come. Of CSV the rows are counted: newlines outside quotes."""
    size, newlines, is_quoted = 0, 0, False
    for block in blocks(response):
        if sys.stdout.isatty():
            progress.hide()
        sys.stdout.buffer.write(block)
        size += len(block)
        progress.text = f"{size:,} bytes"
        if output == "csv":
            for index, part in enumerate(block.split(b'"')):
                is_quoted = is_quoted if index == 0 else not is_quoted
                newlines += 0 if is_quoted else part.count(b"\n")
    sys.stdout.buffer.flush()
    if options.limit is None and (newlines > DEFAULT_LIMIT or output != "csv"):
        note(f"{output} holds at most {DEFAULT_LIMIT:,} rows unless --limit says otherwise; --limit 0 for all")
    if output == "csv":
        return FOUND if newlines > 1 else NOTHING
    if not size:
        raise LogqError("the server sent an empty answer")
    return FOUND
