"""The one function that the generated SQL has of ours: `stands_free(text, needle, is_prefix)`.

RE2 needs milliseconds to set up a pattern that knows all of Unicode's letters, for every phrase of every statement;
this needs none. Generated SQL asks it for texts that are not plain ASCII only.
"""

from typing import Final

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from logstore import words

NAME: Final = "stands_free"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the function known to a database, all its cursors included."""
    text, flag = duckdb.sqltype("VARCHAR"), duckdb.sqltype("BOOLEAN")
    connection.create_function(NAME, _stands_free, [text, text, flag], flag, type=PythonUDFType.ARROW)


def _stands_free(texts: pa.ChunkedArray, needles: pa.ChunkedArray, prefixes: pa.ChunkedArray) -> pa.Array:
    """The needle is a bound value and so the same in all rows."""
    if not len(texts):
        return pa.array([], pa.bool_())
    return words.stands_free(texts.combine_chunks(), needles[0].as_py(), is_prefix=prefixes[0].as_py())
