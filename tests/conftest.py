"""Flags that scale tests up."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("logstore")
    group.addoption("--crash-rounds", type=int, default=30, help="how often the crash test kills the server")
    group.addoption("--crash-seed", type=int, default=None, help="seed of the crash test; printed by each run")
    group.addoption("--spark", action="store_true", help="also read the files with Spark (needs pyspark and Java)")
