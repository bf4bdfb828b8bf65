"""Flags that scale tests up, and the fixtures that start real things."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from logstore.store import Store
from tests.corpus import records
from tests.serving import ServerProcess, flags

hypothesis.settings.register_profile("shared machine", deadline=None, print_blob=True)
hypothesis.settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("logstore")
    group.addoption("--crash-rounds", type=int, default=16, help="how often the crash test kills the server")
    group.addoption("--crash-seed", type=int, default=None, help="seed of the crash test; printed by each run")
    group.addoption("--update-golden", action="store_true", help="write what queries compile to into tests/golden")
    group.addoption("--spark", action="store_true", help="also read the files with Spark (needs pyspark and Java)")


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """What a test sets up for logging ends with it, as the stream does that it logs to."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store over an empty directory."""
    with Store.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts real servers: `server(max_body="1MiB")`. Each has a data directory and a port of its own."""
    with ExitStack() as running:

        def start(**settings: object) -> ServerProcess:
            directory = tmp_path / f"server-{uuid.uuid4().hex[:8]}"
            return running.enter_context(ServerProcess(directory, *flags(settings)))

        yield start


@pytest.fixture
def corpus() -> Callable[..., list[dict[str, Any]]]:
    """Records as a client would post them, the same for the same numbers: `corpus(1000, seed=7)`."""
    return records
