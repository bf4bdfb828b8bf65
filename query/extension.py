"""The functions that the generated SQL has of ours, each over whole columns.

- `stands_free(text, phrase, is_prefix)`: whether the phrase is in the text as whole words (`logstore.words`). It looks
  through thousands of texts at once in whatever case, where SQL would first make a copy in lower case of each, which
  takes longer than to read it; and RE2 needs milliseconds to set up a pattern that knows all of Unicode's letters.
- `has_word(text, words)`: whether one of the words, with blanks between them, is in the text as a whole word.
- `whole_attributes(rest, message, told, column, …)`: a record's attributes out of those that are left in a segment's
  JSON column and those that have columns of their own; `told` names these, and the keys that only the message has.
- `line_attributes(message)`: the attributes of a record that has none but those of its message.
- `template_id(message)`: the id of a message's template, the same as in segments' files; of a message that has none,
  one of its own. `template_text(message)`: the template, or the message that has none, as people read it.
- `line_text(message, paths)`, `line_json(message, paths)`: the first value that there is at some paths in a message
  that is one JSON object.
- `quantile_of(pairs, share)`: the quantile of numbers that are there as often as the pairs say.
"""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType

from logstore import attributes, templates, words
from logstore.attributes import Path
from query.quantiles import quantiles

NO_SECRET: Final = bytes(templates.SECRET_BYTES)
SHOWN_WILDCARD: Final = "<*>"
"""How a pattern shows what stands in a template for every word with a digit."""


def register(connection: duckdb.DuckDBPyConnection, secret: bytes = NO_SECRET) -> None:
    """Makes the functions known to a database, all its cursors included; `secret` is that of templates' ids."""
    text, flag, number = duckdb.sqltype("VARCHAR"), duckdb.sqltype("BOOLEAN"), duckdb.sqltype("BIGINT")
    arrow, nulls = PythonUDFType.ARROW, FunctionNullHandling.SPECIAL
    connection.create_function("stands_free", _stands_free, [text, text, flag], flag, type=arrow)
    connection.create_function("has_word", _has_word, [text, text], flag, type=arrow)
    connection.create_function("whole_attributes", _whole_attributes, None, text, type=arrow, null_handling=nulls)
    connection.create_function("line_attributes", _line_attributes, [text], text, type=arrow, null_handling=nulls)
    connection.create_function("template_id", _template_id(secret), [text], number, type=arrow)
    connection.create_function("template_text", _template_text, [text], text, type=arrow)
    connection.create_function("line_text", _line_text, [text, text], text, type=arrow, null_handling=nulls)
    connection.create_function("line_json", _line_json, [text, text], text, type=arrow, null_handling=nulls)
    double, pairs = duckdb.sqltype("DOUBLE"), duckdb.sqltype("STRUCT(number DOUBLE, n BIGINT)[]")
    connection.create_function("quantile_of", _quantile_of, [pairs, double], double, type=arrow)


def told(keys: list[str], omitted: list[str]) -> str:
    """What `whole_attributes` is told of its columns."""
    return json.dumps([keys, omitted], ensure_ascii=False)


def _stands_free(texts: pa.ChunkedArray, phrases: pa.ChunkedArray, prefixes: pa.ChunkedArray) -> pa.Array:
    """The phrase is a bound value and so the same in all rows."""
    if not len(texts):
        return pa.array([], pa.bool_())
    # Whatever lets go of the GIL here may wait for it once more, for every 2,048 texts.
    whole = texts.chunk(0) if texts.num_chunks == 1 else texts.combine_chunks()
    return pa.array(words.stands_free(whole, phrases[0].as_py(), is_prefix=prefixes[0].as_py()))


def _has_word(texts: pa.ChunkedArray, told: pa.ChunkedArray) -> pa.Array:
    if not len(texts):
        return pa.array([], pa.bool_())
    return pa.array(words.has_word([texts.combine_chunks()], told[0].as_py().split(" ")))


def _whole_attributes(*arguments: pa.ChunkedArray) -> pa.Array:
    rest, messages, told, *columns = (column.combine_chunks() for column in arguments)
    if not len(rest):
        return pa.array([], pa.string())
    keys, omitted = _parsed(told[0].as_py())
    return attributes.join(rest.cast(pa.string()), list(zip(keys, columns, strict=True)), omitted, messages)


def _line_attributes(messages: pa.ChunkedArray) -> pa.Array:
    return attributes.of_line(messages.combine_chunks()) if len(messages) else pa.array([], pa.string())


@lru_cache(maxsize=256)
def _parsed(told: str) -> tuple[list[str], list[str]]:
    keys, omitted = json.loads(told)
    return keys, omitted


def paths(some: Sequence[Path]) -> str:
    """What `line_text` and `line_json` are told of paths."""
    return json.dumps(some, ensure_ascii=False)


def _line_text(messages: pa.ChunkedArray, told: pa.ChunkedArray) -> pa.Array:
    return _in_lines(attributes.line_text, messages, told)


def _line_json(messages: pa.ChunkedArray, told: pa.ChunkedArray) -> pa.Array:
    return _in_lines(attributes.line_json, messages, told)


def _in_lines(
    read: Callable[[pa.StringArray, Sequence[Path]], pa.StringArray], messages: pa.ChunkedArray, told: pa.ChunkedArray
) -> pa.Array:
    if not len(messages):
        return pa.array([], pa.string())
    return read(messages.combine_chunks(), _paths(told[0].as_py()))


@lru_cache(maxsize=256)
def _paths(told: str) -> list[Path]:
    return [tuple(path) for path in json.loads(told)]


def _template_id(secret: bytes) -> Callable[[pa.ChunkedArray], pa.Array]:
    def ids(messages: pa.ChunkedArray) -> pa.Array:
        if not len(messages):
            return pa.array([], pa.int64())
        messages = messages.combine_chunks()
        found = templates.ids(messages, secret)
        for row in np.flatnonzero(found == templates.UNASSIGNED).tolist():
            digest = blake2b(messages[row].as_py().encode(), digest_size=8, key=secret).digest()
            found[row] = int.from_bytes(digest, "little", signed=True)
        return pa.array(found)

    return ids


def _template_text(messages: pa.ChunkedArray) -> pa.Array:
    if not len(messages):
        return pa.array([], pa.string())
    messages = messages.combine_chunks()
    has_one, texts = templates.texts(messages)
    shown = pc.replace_substring(texts, templates.WILDCARD, SHOWN_WILDCARD)
    return pc.replace_with_mask(messages, pa.array(has_one), shown)


def _quantile_of(pairs: pa.ChunkedArray, shares: pa.ChunkedArray) -> pa.Array:
    if not len(pairs):
        return pa.array([], pa.float64())
    lists = pairs.combine_chunks()
    numbers, counts = (column.to_numpy() for column in lists.flatten().flatten())
    offsets = lists.offsets.to_numpy()
    return pa.array(quantiles(numbers, counts, offsets - offsets[0], shares[0].as_py()))
