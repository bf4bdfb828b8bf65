"""One server for the tests of a module that leave each other's records alone."""

from collections.abc import Iterator

import pytest

from tests.serving import ServerProcess


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with default settings."""
    with ServerProcess(tmp_path_factory.mktemp("shared") / "data") as process:
        yield process
