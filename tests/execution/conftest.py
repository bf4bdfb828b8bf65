"""A store and an engine over it."""

from collections.abc import Iterator

import pytest

from logstore.store import Store
from query.engine import Engine


@pytest.fixture
def engine(store: Store) -> Iterator[Engine]:
    engine = Engine(store.path / "segments", store.path / "spill", secret=store.catalog.secret())
    yield engine
    engine.close()
