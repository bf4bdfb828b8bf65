"""Bounds of a query; each is named in the error of a query that is over it."""

from typing import Final

TEXT_BYTES_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 64
"""Of parentheses, `not`, function calls, arithmetic and subqueries in one another."""
NODES_MAX: Final = 1_000
"""Terms, values, fields and pipes in one query, members of `in` lists not counted."""
COLUMNS_MAX: Final = 200
"""Of one pipe: what it names, makes or groups by. DuckDB plans thousands of them for minutes."""
LIST_MAX: Final = 10_000
PIPES_MAX: Final = 64
SQL_BYTES_MAX: Final = 1024 * 1024
NAME_PARTS_MAX: Final = 4
"""Up to so many parts between dots every way to split a field's name into keys is tried; above, only a few."""
NAME_DEPTH_MAX: Final = 32
"""So deep inside objects a field's name reaches."""
