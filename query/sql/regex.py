"""Whether RE2 takes a pattern, asked of the engine that will run it."""

import threading
from functools import cache, lru_cache
from typing import Final

import duckdb

from logstore.errors import Position
from query.errors import invalid

_lock: Final = threading.Lock()


def check_pattern(pattern: str, at: Position) -> None:
    """Raise InvalidQuery if the pattern is no RE2."""
    problem = _problem(pattern)
    if problem is not None:
        raise invalid(f"no valid regular expression: {problem}", at, "the syntax is RE2's")


@lru_cache(maxsize=1024)
def _problem(pattern: str) -> str | None:
    with _lock:
        try:
            _engine().execute("SELECT regexp_matches('', ?)", [pattern]).fetchall()
        except duckdb.Error as error:
            return str(error).partition("Error: ")[2].splitlines()[0][:200] or "it cannot be compiled"
    return None


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "64MB"})
