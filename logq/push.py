"""`logq push`: ships lines from stdin or from files, once or for ever."""

import os
import signal
import stat
import sys
import threading
import time
from argparse import Namespace
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from logq.client import Client
from logq.config import Target, target
from logq.errors import FAILED, FOUND, LogqError, Refusal, UsageError
from logq.feed import Feed, Run, in_whole_lines
from logq.notes import Progress, note
from logq.position import PositionFile
from logq.pump import BATCH_BYTES, TOO_LARGE, Pump, Route, Tally
from logq.sending import Sender, Stopped
from logq.times import SECOND_NS, duration_ns

ANSWER_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.1
LAST_PASS_S: Final = 5.0
"""After SIGTERM, how long what is in the files already is still sent."""
DEFAULT_PATIENCE_S: Final = 60.0


def run(options: Namespace) -> int:
    """Ships; 0 if every line was accepted."""
    server = target(options)
    stop = threading.Event()
    client = Client(server, answer_timeout_s=ANSWER_TIMEOUT_S)
    sender = Sender(client, _patience_s(options), note, stop)
    tally = Tally(note)
    paths = [Path(word) for word in options.words]
    is_pipe = not paths or paths == [Path("-")]
    if options.follow and is_pipe:
        raise UsageError("--follow needs a FILE")
    if options.max_line < 1:
        raise UsageError("--max-line: must be at least 1")
    with Progress("0 lines sent") as progress:
        if is_pipe:
            _push_pipe(0, "stdin", sender, _route(options, server), tally, options, progress)
        elif options.follow:
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            _follow(_pumps(paths, options, server, sender, tally), stop, tally, progress)
        else:
            _push_files(paths, options, server, sender, tally, progress)
    if not options.quiet and (sys.stderr.isatty() or tally.refused):
        note(f"{tally.accepted:,} lines accepted" + (f", {tally.refused:,} not" if tally.refused else ""))
    return FAILED if tally.refused else FOUND


def _push_files(
    paths: list[Path], options: Namespace, server: Target, sender: Sender, tally: Tally, progress: Progress
) -> None:
    for path in paths:
        if not os.access(path, os.R_OK):
            why = "it may not be read" if path.exists() else "no such file"
            raise LogqError(f"cannot push {path}: {why}", "to wait for a file that is to come: --follow")
        if path.is_dir():
            raise LogqError(f"cannot push {path}: it is a directory")
        if not stat.S_ISREG(path.stat().st_mode):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            _push_pipe(fd, str(path), sender, _route(options, server), tally, options, progress)
            continue
        pump = _pumps([path], options, server, sender, tally)[0]
        pump.begin()
        while pump.step():
            progress.text = f"{tally.accepted:,} lines sent"
        pump.finish()


def _follow(pumps: list[Pump], stop: threading.Event, tally: Tally, progress: Progress) -> None:
    """Until told to stop; then once more what is there already."""
    try:
        for pump in pumps:
            pump.begin()
        while not stop.is_set():
            if not sum(pump.step() for pump in pumps):
                stop.wait(POLL_S)
            progress.text = f"{tally.accepted:,} lines sent"
        until = time.monotonic() + LAST_PASS_S
        while time.monotonic() < until and sum(pump.step() for pump in pumps):
            pass
    except Stopped:
        return
    finally:
        for pump in pumps:
            pump.close()


def _push_pipe(
    fd: int, name: str, sender: Sender, route: Route, tally: Tally, options: Namespace, progress: Progress
) -> None:
    if os.isatty(fd):
        progress.hide()
        note("reading lines from the terminal; Ctrl-D ends")
    feed = Feed(
        fd,
        BATCH_BYTES,
        options.max_line,
        lambda line: tally.skip(name, line, f"longer than --max-line ({options.max_line:,} bytes)"),
    )
    runs = (
        feed.runs()
        if not options.unwrap or options.unwrap == "off"
        else in_whole_lines(feed.runs(), 2 * options.max_line)
    )
    for lines in runs:
        _send_lines(lines, name, sender, route, tally)
        progress.text = f"{tally.accepted:,} lines sent"


def _send_lines(run: Run, name: str, sender: Sender, route: Route, tally: Tally) -> None:
    """One batch; halves of it if it is too large for the server."""
    key = f"logq-{uuid4().hex}"
    try:
        receipt = sender.send(b"".join(run.lines), key, route.params, route.content_type)
    except Refusal as refusal:
        if refusal.http_status != TOO_LARGE:
            raise
        if len(run.lines) == 1:
            tally.skip(name, run.first_line, str(refusal))
            return
        half = len(run.lines) // 2
        _send_lines(Run(run.first_line, run.lines[:half]), name, sender, route, tally)
        _send_lines(Run(run.first_line + half, run.lines[half:]), name, sender, route, tally)
        return
    tally.take(name, run.first_line, receipt)


def _pumps(paths: list[Path], options: Namespace, server: Target, sender: Sender, tally: Tally) -> list[Pump]:
    route = _route(options, server)
    wait_ns = duration_ns(options.rotate_wait)
    if wait_ns is None:
        raise UsageError(f"--rotate-wait: {options.rotate_wait!r} is no duration", "as 5s, 1m")
    return [
        Pump(
            path,
            PositionFile(_position_path(path, options, server, route)),
            sender,
            route,
            tally,
            follow=options.follow,
            max_line=options.max_line,
            rotate_wait_s=wait_ns / SECOND_NS,
        )
        for path in paths
    ]


def _position_path(path: Path, options: Namespace, server: Target, route: Route) -> Path:
    """A position for each file, server and identity: the same lines may go to several places."""
    if options.position:
        directory = Path(options.position).expanduser()
    else:
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        directory = Path(state).expanduser() / "logq" / "positions"
    kind = "follow" if options.follow else "once"
    told_apart = "\0".join((server.url, str(path.absolute()), kind, *map(str, sorted(route.params.items()))))
    digest = sha256(told_apart.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return directory / f"{path.name[:100]}-{digest}.json"


def _route(options: Namespace, server: Target) -> Route:
    named = {
        "cluster": options.cluster or server.cluster,
        "namespace": options.namespace or server.namespace,
        "pod": options.pod,
        "container": options.container,
        "stream": options.stream,
        "unwrap": options.unwrap,
        "multiline": options.multiline,
    }
    params = {name: value for name, value in named.items() if value}
    return Route(params, "application/x-ndjson" if options.json else "text/plain; charset=utf-8")


def _patience_s(options: Namespace) -> float | None:
    if not options.retry:
        return None if options.follow else DEFAULT_PATIENCE_S
    span_ns = duration_ns(options.retry)
    if span_ns is None:
        raise UsageError(f"--retry: {options.retry!r} is no duration", "as 0s, 30s, 10m")
    return span_ns / SECOND_NS
