"""Which segment's file is at fault where DuckDB fails to read some."""

import time
from collections.abc import Sequence
from typing import Final

import duckdb

from logstore import segment as segments
from logstore.catalog import Segment
from logstore.errors import Damaged
from logstore.unreadable import unreadable

LOOK_S: Final = 5.0
"""How long segments are read to find the one that DuckDB does not name."""
_OF_STATEMENTS: Final = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.DataError)


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
    for segment in files:
        try:
            segments.read_columns(segment)
        except Damaged as found:
            return found
        if time.monotonic() > until_s:
            return None
    return None
