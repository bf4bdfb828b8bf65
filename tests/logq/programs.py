"""Running `logq` as users do: a process of its own, in a home of its own, in a pipe or on a terminal."""

import os
import pty
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSCTTY, TIOCSWINSZ

COMMAND = (sys.executable, "-m", "logq.main")


@dataclass(frozen=True, slots=True)
class Done:
    """What a finished program left."""

    status: int
    out: bytes
    err: str


def environment(home: Path, url: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOGQ_", "XDG_", "NO_COLOR", "COLUMNS"))
    }
    return {**kept, "HOME": str(home), "LOGQ_SERVER": url, "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1"}


def logq(
    arguments: Sequence[str], home: Path, url: str, stdin: bytes = b"", timeout_s: float = 60, **more: str
) -> Done:
    """Runs in a pipe."""
    env = {**environment(home, url), **more}
    done = subprocess.run([*COMMAND, *arguments], input=stdin, capture_output=True, env=env, timeout=timeout_s)
    return Done(done.returncode, done.stdout, done.stderr.decode())


def start(arguments: Sequence[str], home: Path, url: str, **more: str) -> "subprocess.Popen[bytes]":
    """Starts in a pipe and leaves it running."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(home, url), **more},
    )


def on_terminal(
    arguments: Sequence[str],
    home: Path,
    url: str,
    *,
    columns: int = 100,
    rows: int = 24,
    keys: bytes = b"",
    **more: str,
) -> tuple[int, str]:
    """Runs with all three streams on a terminal of that size; returns status and what the terminal got.

    `keys` are typed once the first output is there.
    """
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**environment(home, url), **more},
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(follower)
    received = b""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([leader], [], [], 1)[0]:
            continue
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        received += piece
        if keys:
            os.write(leader, keys)
            keys = b""
    os.close(leader)
    return process.wait(10), received.decode().replace("\r\n", "\n")


def _take_terminal() -> None:
    """Makes the terminal the process's own, so that Ctrl-C reaches it."""
    ioctl(0, TIOCSCTTY, 0)
