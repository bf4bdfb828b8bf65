"""What the pages of languages give to copy is run as it stands there, and what it logs arrives."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.installed import HERE
from tests.serving import ServerProcess, free_port
from tests.test_agent_pages import DOCS, blocks

TOKEN: Final = "TOKEN"
MESSAGE: Final = "connection reset"
WITHIN_S: Final = 60.0

PYTHON: Final = blocks(DOCS / "agents" / "python.md", "python")
NODE: Final = blocks(DOCS / "agents" / "node.md", "js")
CLIENTS: Final = ("winston-loki", "pino-loki", "@elastic/elasticsearch", "fluent-logger", "splunk-logging", "gelf-pro")
CURL: Final = "curl --silent --show-error --fail-with-body "
SHELL: Final = blocks(DOCS / "agents" / "curl.md", "sh")

BEFORE_PYTHON: Final = "records = [{'message': MESSAGE, 'level': 'warning'}]\n"
AFTER_PYTHON: Final = """
import logging
if not {"provider", "client"} & globals().keys():
    logging.getLogger().warning(MESSAGE)
    logging.shutdown()
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a page's addresses are in a test."""

    guarded: ServerProcess
    open: ServerProcess
    forward: int
    gelf: int

    def of(self, block: str) -> tuple[ServerProcess, str]:
        """The server that the block is for, and the block with that server's addresses."""
        is_socket = "24224" in block or "12201" in block
        server = self.open if is_socket else self.guarded
        text = block.replace("http://logs.example.org:7117", server.url).replace("logs.example.org", "127.0.0.1")
        for port, here in ((7117, server.port), (24224, self.forward), (12201, self.gelf)):
            text = re.sub(rf"\b{port}\b", str(here), text)
        return server, text


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Over sockets a client has no token, so that there is a server which asks for none."""
    directory = tmp_path_factory.mktemp("pages")
    (directory / "tokens").write_text(f"{TOKEN}\n")
    forward, gelf = free_port(), free_port()
    tokens = ("--token-file", str(directory / "tokens"))
    sockets = ("--forward-listen", f"127.0.0.1:{forward}", "--gelf-tcp-listen", f"127.0.0.1:{gelf}")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        ServerProcess(directory / "guarded", *tokens, headers=headers) as guarded,
        ServerProcess(directory / "open", *sockets) as opened,
    ):
        yield Places(guarded, opened, forward, gelf)


def arrived(server: ServerProcess, message: str) -> dict[str, Any]:
    deadline_s = time.monotonic() + WITHIN_S
    while not (lines := server.query(f'"{message}"').text.splitlines()):
        assert time.monotonic() < deadline_s, f"nothing came:\n{server.log_tail()}"
        time.sleep(0.1)
    record: dict[str, Any] = json.loads(lines[-1])
    return record


@pytest.mark.parametrize("at", range(len(PYTHON)))
def test_python(places: Places, at: int) -> None:
    server, text = places.of(PYTHON[at])
    message = f"{MESSAGE} by python {at}"
    code = f"MESSAGE = {message!r}\n{BEFORE_PYTHON}{text.replace(MESSAGE, message)}{AFTER_PYTHON}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr
    record = arrived(server, message)
    assert message in record["message"]
    assert record["severity"] == "warn", record


@pytest.mark.needs_npm(
    "winston-loki", "pino-loki", "@elastic/elasticsearch", "fluent-logger", "splunk-logging", "gelf-pro"
)
@pytest.mark.parametrize("at", range(len(NODE)))
def test_node(places: Places, at: int) -> None:
    server, text = places.of(NODE[at])
    message = f"{MESSAGE} by node {at}"
    records = f"const records = [{{ message: '{message}', level: 'warn' }}]"
    code = f"(async () => {{ {records}\n{text.replace(MESSAGE, message)}\n}})()"
    file = HERE / "node_modules" / f".page-{at}.cjs"
    file.write_text(code)
    environment = {**os.environ, "HOSTNAME": "web-1"}
    with subprocess.Popen(["node", file], cwd=HERE, env=environment) as process:
        try:
            record = arrived(server, message)
        finally:
            process.kill()
    assert message in record["message"]
    assert record["severity"] == "warn", record


@pytest.mark.needs_program("curl")
@pytest.mark.parametrize("at", range(len(SHELL)))
def test_curl(places: Places, at: int, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("one\ntwo\n")
    block = places.of(SHELL[at])[1].replace("--fail ", "").replace("curl ", CURL)
    for command in re.split(r"\n(?=curl |gzip )", block):
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
