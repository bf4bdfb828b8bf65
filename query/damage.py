"""Which segment's file is at fault where DuckDB fails to read some."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import duckdb

from logstore.catalog import Segment
from logstore.errors import Damaged
from logstore.unreadable import unreadable
from logstore.verify import verify

LOOK_S: Final = 5.0
"""How long segments are read to find the one that DuckDB does not name."""
_OF_STATEMENTS: Final = (duckdb.ParserException, duckdb.CatalogException, duckdb.DataError)


def damage_of(error: Exception, files: Sequence[Segment]) -> Damaged | None:
    """The damage that this error of a statement over these files comes of; None where it comes of none, or that is not
    found soon."""
    if isinstance(error, _OF_STATEMENTS):
        return None
    text = str(error)
    named = next((segment for segment in files if str(segment.path) in text), None)
    if named is not None:
        return unreadable(named.path, text.replace(str(named.path), named.path.name))
    until_s = time.monotonic() + LOOK_S
    return next(filter(None, (_found_in(segment, lambda: time.monotonic() > until_s) for segment in files)), None)


def read_by_duckdb(segment: Segment) -> None:
    """Reads all of its file, in a database of its own, which may break.

    Raises:
        duckdb.Error, UnicodeDecodeError: it cannot be read.
    """
    with duckdb.connect(config={"threads": 1}) as other:
        other.execute("SELECT count(columns(*)) FROM read_parquet(?)", [str(segment.path)])


def _found_in(segment: Segment, is_over: Callable[[], bool]) -> Damaged | None:
    if is_over():
        return None
    try:
        verify(segment, is_over)
        read_by_duckdb(segment)
    except Damaged as found:
        return found
    except (duckdb.Error, UnicodeDecodeError) as reason:
        return unreadable(segment.path, reason)
    return None
