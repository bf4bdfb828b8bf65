"""The real clients: where script/test put them, and how a test runs one.

A test says what it needs by `@pytest.mark.needs_npm("winston-loki")` or `@pytest.mark.needs_program("rsyslogd")`;
conftest.py skips it by name where that is missing, or fails it where CI=true.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
UNPACKED: Final = HERE.parents[1] / ".cache" / "clients"
"""Debian packages that conflict with others of the list, unpacked instead of installed."""
FOLDERS: Final = ("/usr/sbin", "/sbin", "/usr/lib/*", "/usr/lib/*/rsyslog")
WITHIN_S: Final = 60.0
NODE_MAJOR: Final = 20
"""Several of the packages want this Node.js or a newer one."""


def program(name: str) -> str | None:
    """The path of a program, or of a plug-in of one, wherever Debian puts such; None where it is not installed."""
    if found := shutil.which(name):
        return found
    folders = [*FOLDERS, *(f"{UNPACKED}{folder}" for folder in ("/usr/bin", *FOLDERS))]
    files = (file for folder in folders for file in Path("/").glob(f"{folder.lstrip('/')}/{name}"))
    return next((str(file) for file in files), None)


def unpacked_environment() -> dict[str, str]:
    """The environment in which a program of UNPACKED finds its libraries."""
    folders = (*UNPACKED.glob("usr/lib/*"), *UNPACKED.glob("lib/*"))
    libraries = [str(folder) for folder in folders if folder.is_dir()]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}


def python_apart(name: str) -> Path | None:
    """The folder of a Python package that is kept out of the tests' environment; None where it is not there."""
    folder = UNPACKED / "python" / name
    return folder if folder.is_dir() else None


def npm(package: str) -> Path | None:
    """The folder of a package of package.json; None where it is not installed, or Node.js is too old for it."""
    folder = HERE / "node_modules" / package
    return folder if (folder / "package.json").exists() and _node_major() >= NODE_MAJOR else None


def run_node(script: str, *arguments: str, within_s: float = WITHIN_S) -> str:
    """Runs JavaScript to its end and returns what it printed; fails the test if it does not end well.

    `require` and `import()` find the packages of package.json; the arguments are `process.argv.slice(1)`.
    """
    done = subprocess.run(
        _command(script, arguments), cwd=HERE, capture_output=True, text=True, timeout=within_s, check=False
    )
    assert done.returncode == 0, f"node ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def started_node(script: str, *arguments: str, within_s: float = WITHIN_S) -> Iterator["subprocess.Popen[str]"]:
    """The same, running beside the test, with pipes to its stdin, stdout and stderr. It is waited for in the end."""
    process = subprocess.Popen(
        _command(script, arguments),
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
            output, errors = process.communicate(timeout=within_s)
        finally:
            process.kill()
    assert process.returncode == 0, f"node ended with {process.returncode}:\n{output}\n{errors}"


@cache
def _node_major() -> int:
    if program("node") is None:
        return 0
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.lstrip("v").partition(".")[0])


def _command(script: str, arguments: tuple[str, ...]) -> list[str]:
    return ["node", "--unhandled-rejections=strict", "-e", script, "--", *arguments]
