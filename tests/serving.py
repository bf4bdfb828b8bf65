"""A real `logstore serve` process on a free port of the loopback interface."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

READY_WITHIN_S = 120.0
STOP_WITHIN_S = 20.0
PROGRAM = (str(Path(sys.executable).parent / "logstore"),)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def flags(settings: Mapping[str, object]) -> list[str]:
    """Settings as flags: `max_body="1MiB"` is `--max-body 1MiB`, `insecure=True` is `--insecure`."""
    found: list[str] = []
    for name, value in settings.items():
        found += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return found


class ServerProcess:
    """Starts, kills, stops and starts again one server over one data directory, always at one address."""

    def __init__(
        self,
        data: Path,
        *flags: str,
        program: Iterable[str] = PROGRAM,
        environment: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.with_name(data.name + ".log")
        self.client = httpx.Client(base_url=self.url, timeout=60.0, headers=headers)
        self._command = [*program, "serve", "--data", str(data), "--listen", f"127.0.0.1:{self.port}", *flags]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def use_tls(self, ca_file: Path) -> None:
        """For a server with a certificate that this authority signed."""
        self.client.close()
        self.url = self.url.replace("http:", "https:")
        context = ssl.create_default_context(cafile=str(ca_file))
        self.client = httpx.Client(base_url=self.url, timeout=60.0, verify=context)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def spawn(self) -> None:
        """Starts the process and returns at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_until_ready(self, within_s: float = READY_WITHIN_S) -> None:
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            assert self._process is not None
            code = self._process.poll()
            assert code is None, f"the server ended with {code} before it was ready:\n{self.log_tail()}"
            try:
                if self.client.get("/readyz", timeout=5.0).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"not ready within {within_s} s:\n{self.log_tail()}")

    def start(self) -> Self:
        self.spawn()
        self.wait_until_ready()
        return self

    def kill(self) -> None:
        """kill -9: no handler runs, nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code, which is due within 20 s."""
        return self._end(signal.SIGTERM)

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def post(self, body: bytes, content_type: str = "application/x-ndjson", **options: Any) -> httpx.Response:
        """POST /api/v1/logs; `params` and `headers` as httpx takes them."""
        headers = {"Content-Type": content_type, **options.pop("headers", {})}
        return self.client.post("/api/v1/logs", content=body, headers=headers, **options)

    def query(self, q: str, **params: str | int) -> httpx.Response:
        answer = self.client.get("/api/v1/query", params={"q": q, **params})
        assert answer.status_code == 200, answer.text
        return answer

    def records(self, q: str = "*") -> list[dict[str, Any]]:
        """All that a query gives, in the order in which it happened."""
        return [json.loads(line) for line in self.query(q, order="asc", limit=0).text.splitlines()]

    def await_some(self, q: str, least: int, within_s: float = 30.0) -> list[dict[str, Any]]:
        """Returns once there are so many: clients of many protocols are told of nothing."""
        deadline_s = time.monotonic() + within_s
        while len(found := self.records(q)) < least:
            assert time.monotonic() < deadline_s, f"{len(found)} of {least} records came\n{self.log_tail()}"
            time.sleep(0.05)
        return found

    def await_records(self, q: str, count: int, within_s: float = 30.0) -> list[dict[str, Any]]:
        """The same, and there must not be more."""
        found = self.await_some(q, count, within_s)
        assert len(found) == count
        return found

    def flush(self) -> None:
        answer = self.client.post("/api/v1/flush")
        assert answer.is_success, answer.text

    def await_metric(self, line: str, within_s: float = 20.0) -> None:
        """Returns once /metrics has this line."""
        deadline_s = time.monotonic() + within_s
        while line not in self.client.get("/metrics").text.splitlines():
            assert time.monotonic() < deadline_s, f"{line} never came"
            time.sleep(0.05)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None, "the server is not running"
        self._process.send_signal(how)
        code = self._process.wait(STOP_WITHIN_S)
        self._process = None
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()
        self.client.close()
