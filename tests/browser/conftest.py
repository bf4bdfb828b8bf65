"""A browser for all tests here, a server with real lines, and what holds for every page: it asks nobody else."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.browser import lines
from tests.browser.chromium import DRIVER, PROGRAM, Chromium
from tests.serving import ServerProcess

collect_ignore_glob = [] if PROGRAM and DRIVER else ["test_*.py"]
"""Where there is no browser, script/test names it as left out."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A server and the lines that it has, oldest first."""

    server: ServerProcess
    lines: list[lines.Line]

    def page(self, address: str = "") -> str:
        return f"{self.server.url}/{address}"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Chromium]:
    """The browser at its usual size; in the end, everything it asked for came from one server on this machine."""
    chromium.resize(1280, 800)
    chromium.prefer("light")
    chromium.forget_requests()
    yield chromium
    urls = chromium.requests()
    assert urls, "the browser asked for nothing: the log of requests does not work"
    assert {urlsplit(url).hostname for url in urls if urlsplit(url).scheme != "data"} == {"127.0.0.1"}
    chromium.open("about:blank")


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with ServerProcess(tmp_path_factory.mktemp("browser") / "data") as server:
        written = lines.written(lines.now())
        assert server.post(lines.body(written)).json() == {"accepted": len(written), "rejected": []}
        yield Filled(server, written)
