"""What a user gets from `pip install`: built from the sdist without a compiler, installed into an empty environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.serving import ServerProcess

pytestmark = pytest.mark.timeout(900)
"""The kernels are compiled, which takes its time on a busy machine."""

ROOT = Path(__file__).parents[2]
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv", "*.so", "*.egg-info", "__pycache__", ".*_cache", "build", "out")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with an sdist and the wheel that was built from it."""
    directory = tmp_path_factory.mktemp("built")
    source = directory / "source"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--skip-dependency-check"]
    _run([*build, "--outdir", str(directory), str(source)], _bare(directory))
    (sdist,) = directory.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory)]
    _run([*pip, str(sdist)], _bare(directory))
    return directory


@pytest.fixture(scope="module")
def programs(built: Path) -> Path:
    """The programs of an environment that holds nothing but the wheel and what it needs."""
    environment = built / "environment"
    venv.create(environment, with_pip=True)
    (wheel,) = built.glob("*.whl")
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    _run([*pip, "--constraint", str(ROOT / "constraints.txt"), str(wheel)], _bare(built))
    return environment / "bin"


@pytest.fixture(scope="module")
def server(programs: Path, built: Path) -> Iterator[ServerProcess]:
    program = [str(programs / "logstore")]
    with ServerProcess(built / "data", program=program, environment=_bare(built)) as server:
        yield server


def test_the_programs_run(programs: Path, built: Path) -> None:
    assert _run([str(programs / "logstore"), "version"], _bare(built)).strip() != ""
    assert "logq QUERY" in _run([str(programs / "logq"), "--help"], _bare(built))


def test_a_server_takes_and_finds_a_line(server: ServerProcess, programs: Path, built: Path) -> None:
    answer = server.post(b'{"message": "level=warn user=ann", "pod": "web-1"}')
    assert answer.json() == {"accepted": 1, "rejected": []}
    server.flush()
    found = json.loads(server.query('pod="web-1" user:ann').text)
    assert (found["message"], found["severity"]) == ("level=warn user=ann", "warn")
    environment = _bare(built) | {"LOGQ_SERVER": server.url}
    assert _run([str(programs / "logq"), "-o", "raw", "user:ann"], environment) == "level=warn user=ann\n"


def test_the_page_and_the_manual_of_the_interface_are_served(server: ServerProcess) -> None:
    for path in ("/", "/docs"):
        page = server.client.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
        assert page.status_code == 200, path
        loaded = re.findall(r"""(?:src|href)=["']([^"'#]+)["']""", page.text)
        assert [name for name in loaded if not server.client.get(urljoin(path, name)).is_success] == [], path


def test_the_wheel_holds_every_file_of_the_packages(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = ("logstore", "ingest", "query", "server", "logq")
    files = [file for package in packages for file in (built / "source" / package).rglob("*") if file.is_file()]
    assert [name for name in (str(file.relative_to(built / "source")) for file in files) if name not in names] == []
    assert any(name.startswith("logstore/native/kernels.") for name in names)


def test_the_sdist_holds_what_the_two_commands_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = ["script/server", "script/test", "script/setup", "constraints.txt", "query/grammar.lark", "setup.py"]
    sources = [
        str(file.relative_to(built / "source")) for file in (built / "source" / "logstore" / "native").glob("*.[ch]")
    ]
    assert [name for name in needed + sources if name not in names] == []


def _bare(home: Path) -> dict[str, str]:
    """The environment without PATH, so that no compiler is found, and without a user's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOGSTORE_", "LOGQ_", "CC"))}
    return kept | {"PATH": str(home / "environment" / "bin")}


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout
