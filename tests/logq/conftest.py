from collections.abc import Iterator

import pytest

from tests.logq.standin import StandIn


@pytest.fixture
def standin() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.close()
