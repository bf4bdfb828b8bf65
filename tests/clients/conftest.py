"""A test whose client is not installed is skipped by name; with CI=true it fails."""

import os
from collections.abc import Iterator

import pytest

from tests.clients.installed import NODE_MAJOR, npm, program, python_apart


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = ", ".join(_missing(item))
    if not missing:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"not installed: {missing}; script/test installs it", pytrace=False)
    pytest.skip(f"not installed: {missing}; script/test installs it")


def _missing(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("needs_npm"):
        yield from (f"npm's {name} (or Node.js {NODE_MAJOR})" for name in mark.args if npm(name) is None)
    for mark in item.iter_markers("needs_program"):
        yield from (name for name in mark.args if program(name) is None)
    for mark in item.iter_markers("needs_python_apart"):
        yield from (f"Python's {name}" for name in mark.args if python_apart(name) is None)
