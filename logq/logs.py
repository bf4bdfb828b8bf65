"""`logq logs`: kubectl's flags and answers, for pods that are gone too.

Lines of one run at a time, oldest first, in the order of (pod, container); with `-f` each container is
followed in a thread of its own, a line at a time.
"""

import shlex
import sys
import threading
import time
from argparse import Namespace
from contextlib import nullcontext
from typing import Final

from logq.client import Client
from logq.config import Target, target
from logq.errors import FOUND, NOTHING, LogqError, NothingFound, UsageError
from logq.lines import Lines
from logq.notes import Progress, note
from logq.pods import Pod, Run, Stream, catalog, containers, not_found, one_place, pod_names, run_of
from logq.printing import Printer, printers
from logq.selector import selector
from logq.times import duration_ns, rfc3339, rfc3339_ns

SELECTED_TAIL: Final = 10
"""Lines a container with `-l`, where `--tail` does not say."""


def run(options: Namespace) -> int:
    """Prints the lines; 0 if there were any."""
    _check(options)
    lines_from = _start(options)
    server = target(options)
    runs = _runs(options, server)
    if options.follow and len(runs) > options.max_log_requests:
        raise UsageError(
            f"you are attempting to follow {len(runs)} log streams, but maximum allowed concurrency is "
            f"{options.max_log_requests}, use --max-log-requests to increase the limit"
        )
    lines = Lines(server, _tail(options), lines_from)
    outputs = printers(options, runs)
    if options.follow and len(runs) > 1:
        _follow_all(options, lines, runs, outputs)
    else:
        with Progress("reading") if not sys.stdout.isatty() else nullcontext():
            for each, printer in zip(runs, outputs, strict=True):
                _print(options, lines, each, printer)
    return FOUND if any(printer.rows for printer in outputs) else NOTHING


def _print(options: Namespace, lines: Lines, run: Run, printer: Printer) -> None:
    try:
        if options.follow:
            lines.follow(run, printer)
        else:
            lines.print(run, printer)
        printer.end()
    except LogqError as error:
        if not options.ignore_errors:
            raise
        sys.stdout.write(f"error: {error}\n")


def _follow_all(options: Namespace, lines: Lines, runs: list[Run], outputs: list[Printer]) -> None:
    """Follows each run in a thread; the first failure ends the command."""
    failed = threading.Event()
    failures: list[BaseException] = []
    left = len(runs)
    lock = threading.Lock()

    def follow(run: Run, printer: Printer) -> None:
        nonlocal left
        try:
            _print(options, lines, run, printer)
        except (LogqError, OSError) as error:
            failures.append(error)
            failed.set()
        with lock:
            left -= 1
            if not left:
                failed.set()

    for run, printer in zip(runs, outputs, strict=True):
        threading.Thread(target=follow, args=(run, printer), daemon=True).start()
    failed.wait()
    if failures:
        raise failures[0]


def _check(options: Namespace) -> None:
    words = options.words
    if not words and not options.selector:
        raise UsageError("POD or TYPE/NAME is a required argument for the logs command", "see logq logs --help")
    if words and options.selector:
        raise UsageError("only a selector (-l) or a POD name is allowed")
    if len(words) > 2:
        raise UsageError(f"expected POD [CONTAINER], got {shlex.join(words)}", "see logq logs --help")
    if len(words) == 2 and options.container:
        raise UsageError("only one of -c or an inline [CONTAINER] arg is allowed")
    if len(words) == 2:
        options.container = words[1]
    if options.all_containers and options.container:
        raise UsageError(f"--all-containers=true should not be specified with container name {options.container}")
    if options.tail is not None and options.tail < -1:
        raise UsageError("--tail must be greater than or equal to -1")
    if options.since and options.since_time:
        raise UsageError("at most one of `sinceTime` or `sinceSeconds` may be specified")
    if options.limit_bytes < 0:
        raise UsageError("--limit-bytes must be greater than 0")
    if options.all_pods:
        options.prefix = True


def _tail(options: Namespace) -> int | None:
    if options.tail is None:
        return SELECTED_TAIL if options.selector else None
    return None if options.tail < 0 else int(options.tail)


def _start(options: Namespace) -> str:
    if options.since_time:
        if rfc3339_ns(options.since_time) is None:
            raise UsageError(f"--since-time: {options.since_time!r} is no RFC 3339 time", "as 2026-11-24T09:30:00Z")
        return rfc3339(rfc3339_ns(options.since_time) or 0)
    if not options.since or options.since in ("0", "0s"):
        return ""
    if options.since.startswith("-"):
        raise UsageError("--since must be greater than 0")
    span_ns = duration_ns(options.since)
    if span_ns is None:
        raise UsageError(f"--since: {options.since!r} is no duration", "as 5s, 2m, 3h, 1h30m; or see --since-time")
    return rfc3339(time.time_ns() - span_ns)


def _runs(options: Namespace, server: Target) -> list[Run]:
    """The runs that the command line means, sorted by pod and container.

    Raises:
        NothingFound: there is no such pod, container or run.
        LogqError: a pod's name is ambiguous.
    """
    namespace = options.namespace or server.namespace
    streams = catalog(Client(server), options.cluster or server.cluster, namespace)
    pods = _pods(options, namespace, streams)
    runs: list[Run] = []
    for pod in pods:
        own = [stream for stream in streams if stream.pod == pod]
        names = _containers(options, pod, own)
        runs += [run_of(own, pod, container, is_previous=options.previous) for container in names]
    return runs


def _pods(options: Namespace, namespace: str, streams: list[Stream]) -> list[Pod]:
    if options.selector:
        is_selected = selector(options.selector)
        selected = {stream.pod for stream in streams if is_selected(stream.labels)}
        if not selected:
            raise NothingFound(f"No resources found in {namespace or 'any'} namespace.")
        return _sorted(selected)
    resource = options.words[0]
    names = pod_names(resource)
    found = {stream.pod for stream in streams if names.fullmatch(stream.pod.name)}
    if not found:
        raise not_found(resource.rpartition("/")[2], namespace, streams)
    command = f"logq logs {shlex.quote(resource)}"
    one_place({Pod(pod.cluster, pod.namespace, resource) for pod in found}, command)
    if options.all_pods or len(found) == 1:
        return _sorted(found)
    last = {pod: max(each.last_time for each in streams if each.pod == pod) for pod in found}
    newest = max(_sorted(found), key=lambda pod: last[pod])
    note(f"Found {len(found)} pods, using pod/{newest.name}")
    return [newest]


def _containers(options: Namespace, pod: Pod, streams: list[Stream]) -> list[str]:
    if options.container:
        return [options.container]
    names = containers(streams)
    if options.all_containers:
        return sorted(names)
    if len(names) > 1:
        note(f'Defaulted container "{names[0]}" out of: {", ".join(names)}')
    return names[:1]


def _sorted(pods: set[Pod]) -> list[Pod]:
    return sorted(pods, key=lambda pod: (pod.cluster, pod.namespace, pod.name))
