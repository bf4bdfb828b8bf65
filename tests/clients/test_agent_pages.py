"""What the pages in docs/agents give to copy is taken by the programs themselves, where they can be installed."""

import subprocess
from pathlib import Path

import pytest

from tests.clients.installed import HERE, UNPACKED, program, unpacked_environment
from tests.test_agent_pages import DOCS, blocks

FENCE = ""
"""Blocks without a language: their form is the agent's own."""


def page(name: str) -> Path:
    return DOCS / "agents" / f"{name}.md"


@pytest.mark.needs_program("rsyslogd")
@pytest.mark.parametrize("at", range(len(blocks(page("rsyslog"), FENCE))))
def test_rsyslog_takes_its_configuration(at: int, tmp_path: Path) -> None:
    text = blocks(page("rsyslog"), FENCE)[at].replace("/etc/ssl/certs/logs-ca.pem", "/dev/null")
    file = tmp_path / "rsyslog.conf"
    file.write_text(f'global(workDirectory="{tmp_path}")\n{text}')
    done = subprocess.run([program("rsyslogd") or "", "-N1", "-f", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower(), done.stderr


@pytest.mark.needs_program("syslog-ng")
@pytest.mark.parametrize("at", range(len(blocks(page("syslog-ng"), FENCE))))
def test_syslog_ng_takes_its_configuration(at: int, tmp_path: Path) -> None:
    block = blocks(page("syslog-ng"), FENCE)[at]
    if "opentelemetry(" in block:
        pytest.skip("Debian's syslog-ng is older than this destination")
    modules = next(UNPACKED.glob("usr/lib/syslog-ng/*.*"), None)
    include = UNPACKED / "usr/share/syslog-ng/include/scl/elasticsearch/elastic-http.conf"
    file = tmp_path / "syslog-ng.conf"
    file.write_text(f'@version: 3.38\n@include "{include}"\nsource s_src {{ internal(); }};\n{block}')
    command = [program("syslog-ng") or "", "--syntax-only", "--cfgfile", file, "--module-path", modules or "/usr/lib"]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=unpacked_environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs_program("node")
@pytest.mark.parametrize("at", range(len(blocks(page("node"), "js"))))
def test_node_takes_its_lines(at: int, tmp_path: Path) -> None:
    file = tmp_path / "block.mjs"
    file.write_text(blocks(page("node"), "js")[at])
    done = subprocess.run(["node", "--check", file], cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
