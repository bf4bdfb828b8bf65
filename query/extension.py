"""The functions that the generated SQL has of ours, each over whole columns.

- `stands_free(text, needle, is_prefix)`: whether the needle is in the text as whole words. RE2 needs milliseconds to
  set up a pattern that knows all of Unicode's letters, for every phrase of every statement; this needs none.
  Generated SQL asks it for texts that are not plain ASCII only.
- `whole_attributes(rest, message, told, column, …)`: a record's attributes out of those that are left in a segment's
  JSON column and those that have columns of their own; `told` names these, and the keys that only the message has.
- `line_text(message, key)`, `line_json(message, key)`: a key of a message that is one JSON object.
"""

import json
from functools import lru_cache

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from logstore import attributes, words


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the functions known to a database, all its cursors included."""
    text, flag = duckdb.sqltype("VARCHAR"), duckdb.sqltype("BOOLEAN")
    arrow, nulls = PythonUDFType.ARROW, FunctionNullHandling.SPECIAL
    connection.create_function("stands_free", _stands_free, [text, text, flag], flag, type=arrow)
    connection.create_function("whole_attributes", _whole_attributes, None, text, type=arrow, null_handling=nulls)
    connection.create_function("line_text", _line_text, [text, text], text, type=arrow, null_handling=nulls)
    connection.create_function("line_json", _line_json, [text, text], text, type=arrow, null_handling=nulls)


def told(keys: list[str], omitted: list[str]) -> str:
    """What `whole_attributes` is told of its columns."""
    return json.dumps([keys, omitted], ensure_ascii=False)


def _stands_free(texts: pa.ChunkedArray, needles: pa.ChunkedArray, prefixes: pa.ChunkedArray) -> pa.Array:
    """The needle is a bound value and so the same in all rows."""
    if not len(texts):
        return pa.array([], pa.bool_())
    return words.stands_free(texts.combine_chunks(), needles[0].as_py(), is_prefix=prefixes[0].as_py())


def _whole_attributes(*arguments: pa.ChunkedArray) -> pa.Array:
    rest, messages, told, *columns = (column.combine_chunks() for column in arguments)
    if not len(rest):
        return pa.array([], pa.string())
    keys, omitted = _parsed(told[0].as_py())
    return attributes.join(rest.cast(pa.string()), list(zip(keys, columns, strict=True)), omitted, messages)


@lru_cache(maxsize=256)
def _parsed(told: str) -> tuple[list[str], list[str]]:
    keys, omitted = json.loads(told)
    return keys, omitted


def _line_text(messages: pa.ChunkedArray, keys: pa.ChunkedArray) -> pa.Array:
    return _line_member(messages, keys)[0]


def _line_json(messages: pa.ChunkedArray, keys: pa.ChunkedArray) -> pa.Array:
    return _line_member(messages, keys)[1]


def _line_member(messages: pa.ChunkedArray, keys: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    if not len(messages):
        return pa.array([], pa.string()), pa.array([], pa.string())
    return attributes.line_member(messages.combine_chunks(), keys[0].as_py())
