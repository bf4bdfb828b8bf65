"""The syslog daemons of Debian, each in a directory of its own: what is written to their socket they pass on."""

import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.clients.installed import UNPACKED, program, unpacked_environment

WITHIN_S: Final = 20.0


class Relay:
    """A daemon that listens where programs of its machine would write to."""

    def __init__(self, directory: Path, command: Iterable[str], environment: Mapping[str, str] | None = None) -> None:
        self._place = directory / "log"
        self._output = directory / "output"
        self._command = list(command)
        self._environment = environment

    def __enter__(self) -> Self:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment
            )
        deadline_s = time.monotonic() + WITHIN_S
        while not self._place.is_socket():
            assert self._process.poll() is None and time.monotonic() < deadline_s, self._output.read_text()
            time.sleep(0.02)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.connect(str(self._place))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(WITHIN_S)

    def write(self, priority: int, tag: str, text: str) -> None:
        """As the C library's `syslog` does, with no time of its own."""
        self._socket.send(f"<{priority}>{time.strftime('%b %e %H:%M:%S', time.gmtime())} {tag}: {text}".encode())


def rsyslog(directory: Path, action: str, ca_file: Path | None = None) -> Relay:
    """rsyslogd with one action, its parameters as its configuration has them."""
    authority = f'DefaultNetstreamDriverCAFile="{ca_file}"' if ca_file else ""
    configuration = directory / "rsyslog.conf"
    configuration.write_text(
        f'global(workDirectory="{directory}" maxMessageSize="64k" {authority})\n'
        'module(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{directory}/log" RateLimit.Interval="0")\n'
        f'action(type="omfwd" target="127.0.0.1" {action})\n'
    )
    return Relay(
        directory, [program("rsyslogd") or "", "-n", "-f", str(configuration), "-i", str(directory / "rsyslog.pid")]
    )


def syslog_ng(directory: Path, destination: str) -> Relay:
    """syslog-ng with one destination, as its configuration has it."""
    configuration = directory / "syslog-ng.conf"
    configuration.write_text(
        "@version: 3.35\n"
        "options { keep-hostname(yes); time-reopen(1); };\n"
        f'source here {{ unix-dgram("{directory}/log"); }};\n'
        f"destination there {{ {destination}; }};\n"
        "log { source(here); destination(there); };\n"
    )
    files = {"--persist-file": "persist", "--control": "control", "--pidfile": "pid"}
    command = [program("syslog-ng") or "", "--foreground", "--no-caps", f"--cfgfile={configuration}"]
    command += [f"{flag}={directory / name}" for flag, name in files.items()]
    modules = ":".join(map(str, UNPACKED.glob("usr/lib/syslog-ng/*.*")))
    if modules:
        command.append(f"--module-path={modules}")
    return Relay(directory, command, unpacked_environment())
