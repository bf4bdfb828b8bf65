"""Feeds a server with real log lines for a few minutes: `script/server --demo`.

The lines come from samples/ (see its README for their source); the times in them are rewritten to now. A
first batch fills the last ten minutes, so that there is something to look at; then a few lines arrive every
second.
"""

import argparse
import http.client
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from server.settings import ServeSettings, load

SAMPLES: Final = Path(__file__).parent / "samples"
PAST_S: Final = 600
FLOWING_S: Final = 300
LINES_A_SECOND: Final = 5
READY_WITHIN_S: Final = 60

SEVERITY: Final = {"info": "info", "notice": "info", "warn": "warn", "warning": "warn", "error": "error"}
_SEVERITY_WORD: Final = re.compile(r"\b(INFO|WARN|WARNING|ERROR|notice|warn|error)\b")

WORTH_TRYING: Final = (
    "logq 'error or \"authentication failure\"'",
    "logq tail 'namespace:storage'",
    "logq '* | stats count() as lines by namespace, pod, severity | sort by lines desc'",
)


@dataclass(frozen=True, slots=True)
class Source:
    """One container, whose lines are the sample file of its own name; `stamp` matches their times."""

    namespace: str
    pod: str
    container: str
    stamp: re.Pattern[str]
    time_format: str

    def lines(self) -> Iterator[str]:
        """The sample lines in their order, again and again."""
        text = (SAMPLES / f"{self.container}.log").read_text(encoding="utf-8")
        return itertools.cycle(text.splitlines())


Container = tuple[Source, Iterator[str]]

SOURCES: Final = (
    Source("shop", "web-0", "apache", re.compile(r"^\[[^\]]*\]"), "[%a %b %d %H:%M:%S %Y]"),
    Source("cloud", "nova-0", "openstack", re.compile(r"^\S+ \S+ \S+"), "%Y-%m-%d %H:%M:%S.%f"),
    Source("storage", "datanode-0", "hdfs", re.compile(r"^\d{6} \d{6}"), "%y%m%d %H%M%S"),
    Source("storage", "zookeeper-0", "zookeeper", re.compile(r"^\S+ [\d:,]+"), "%Y-%m-%d %H:%M:%S,%f"),
    Source("_node", "labsz", "openssh", re.compile(r"^\w{3} [ \d]\d [\d:]{8}"), "%b %d %H:%M:%S"),
    Source("_node", "combo", "linux", re.compile(r"^\w{3} [ \d]\d [\d:]{8}"), "%b %d %H:%M:%S"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    settings = _settings(arguments)
    if settings.tls_cert_file is not None:
        print("demo: not with TLS; the demo speaks plain HTTP", file=sys.stderr)
        return 2
    feeder = Feeder(settings, server_pid=os.getppid())
    if not feeder.wait_until_ready():
        return 1
    containers = [(source, source.lines()) for source in SOURCES]
    feeder.post(_past(containers, time.time()))
    _tell(feeder.url)
    feeder.flow(containers)
    return 0


class Feeder:
    """Posts to the server that is this process's parent, as long as it lives."""

    def __init__(self, settings: ServeSettings, server_pid: int) -> None:
        self._host = settings.address.host or "127.0.0.1"
        self._port = settings.address.port
        self._server_pid = server_pid
        self._headers = {"Content-Type": "application/x-ndjson"}
        if settings.token_file is not None:
            self._headers["Authorization"] = f"Bearer {_first_token(settings.token_file)}"

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    def is_wanted(self) -> bool:
        return os.getppid() == self._server_pid

    def wait_until_ready(self) -> bool:
        deadline_s = time.monotonic() + READY_WITHIN_S
        while self.is_wanted() and time.monotonic() < deadline_s:
            try:
                if self._request("GET", "/readyz") == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.1)
        return False

    def flow(self, containers: list[Container]) -> None:
        """A few lines a second, each from the next container."""
        turns = itertools.cycle(containers)
        for _ in range(FLOWING_S):
            if not self.is_wanted():
                return
            now_s = time.time()
            moments = (now_s - 1 + i / LINES_A_SECOND for i in range(LINES_A_SECOND))
            self.post([_record(*next(turns), moment) for moment in moments])
            time.sleep(1)
        print(f"demo: {FLOWING_S // 60} minutes are over, no more lines", file=sys.stderr)

    def post(self, records: list[dict[str, str]]) -> None:
        body = "".join(json.dumps(record) + "\n" for record in records).encode()
        try:
            status = self._request("POST", "/api/v1/logs", body)
        except OSError:
            return
        if status != 200:
            print(f"demo: the server answered {status}", file=sys.stderr)

    def _request(self, method: str, path: str, body: bytes | None = None) -> int:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=10)
        try:
            connection.request(method, path, body, self._headers)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()


def _settings(arguments: Sequence[str] | None) -> ServeSettings:
    """The server's settings, as far as they say how to reach it, from where it reads them."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for name in ("listen", "config", "token-file", "tls-cert-file", "tls-private-key-file"):
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS)
    flags, _ = parser.parse_known_args(arguments)
    return load(vars(flags))


def _first_token(path: Path) -> str:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _past(containers: list[Container], now_s: float) -> list[dict[str, str]]:
    """One record a second and container, over the last ten minutes."""
    moments = range(PAST_S, 0, -1)
    return [_record(source, lines, now_s - ago_s) for ago_s in moments for source, lines in containers]


def _record(source: Source, lines: Iterator[str], moment_s: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(moment_s, UTC)
    line = source.stamp.sub(lambda _: moment.strftime(source.time_format), next(lines), count=1)
    word = _SEVERITY_WORD.search(line)
    return {
        "time": moment.isoformat(),
        "namespace": source.namespace,
        "pod": source.pod,
        "container": source.container,
        "severity": SEVERITY[word[0].lower()] if word else "",
        "message": line,
    }


def _tell(url: str) -> None:
    print(f"\ndemo: real log lines are flowing in; open {url}/ or try in another terminal:\n", file=sys.stderr)
    for command in WORTH_TRYING:
        print(f"  .venv/bin/{command}", file=sys.stderr)
    if url != "http://127.0.0.1:7117":
        print(f"\nwith LOGQ_SERVER={url} in the environment", file=sys.stderr)
    print(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
