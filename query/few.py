"""Few records that have some words, found and put together without SQL: setting up a statement takes longer than
looking at them. What asking for an id comes to."""

from collections.abc import Sequence
from functools import reduce
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logstore.enrich import whole as whole_records
from logstore.pruning import Bounds
from logstore.segment import Wanted
from logstore.words import stands_free
from query import analyse, ast
from query.direct import in_order
from query.picking import having, pick, read
from query.reading import Reading
from query.session import Session
from query.slices import Order
from query.sql.filters import lower
from query.verdicts import Flags

BUFFERED_MAX: Final = 10_000
"""Buffered records that may have the words, which no filter tells before; of more, SQL takes no more than is wanted."""


def rows_of(
    session: Session, reading: Reading, buffer: pa.Table, query: ast.Query, names: Sequence[str], order: Order
) -> pa.RecordBatch | None:
    """These stored columns of all records that match, in the order of time. None where that is not known without SQL:
    the query asks for more than words of ASCII, time and identity, or many records may match.
    """
    phrases = _phrases_of(query)
    bounds = reading.bounds
    if not phrases or not reading.is_rare or bounds.up_to_seq is not None or bounds.after_seq is not None:
        return None
    picked, whole = pick([part for piece in reading.pieces for part in piece.between(*bounds.between_ns)])
    if whole:
        return None
    needed = list(dict.fromkeys((*names, "message", "time", "_seq", *bounds.identity)))
    with session.reading():
        buffered = having(buffer, reading.view.wanted, session.cost)
        if buffered.num_rows > BUFFERED_MAX:
            return None
        buffered = (whole_records(buffered) if "attributes" in needed else buffered).select(needed)
        between_ns = bounds.between_ns if bounds.has_times else None
        tables = [buffered, *read(session, picked, needed, between_ns, reading.view.wanted)]
        session.cost.rows += sum(table.num_rows for table in tables)
        session.cost.slices = session.cost.slices_read = session.cost.slices_direct = 1
        return in_order([table.filter(pa.array(_matches(table, phrases, bounds))) for table in tables], names, order)


def _phrases_of(query: ast.Query) -> tuple[ast.Phrase, ...]:
    """The words that messages have to have, if that is all that a query asks besides times and identity; else none."""
    conditions = [one for one in analyse.conjuncts(query) if not _is_bound(one)]
    phrases = tuple(one for one in conditions if isinstance(one, ast.Phrase) and _is_plain(one))
    return phrases if len(phrases) == len(conditions) else ()


def _is_bound(condition: ast.Expression) -> bool:
    is_all = isinstance(condition, ast.All)
    return is_all or analyse.is_exact_bound(condition) or analyse.is_identity(condition)


def _is_plain(phrase: ast.Phrase) -> bool:
    return phrase.target == ast.Name("message") and phrase.text.isascii() and phrase.text != ""


def _matches(table: pa.Table, phrases: Sequence[ast.Phrase], bounds: Bounds) -> Flags:
    times = table["time"].cast(pa.int64()).to_numpy()
    first_ns, last_ns = bounds.between_ns
    is_seen = (times >= first_ns) & (times <= last_ns) & Wanted(bounds.identity).has_identity(table)
    messages = pc.utf8_lower(table["message"])  # by the same library as DuckDB's
    return reduce(np.logical_and, (_having(messages, phrase) for phrase in phrases), is_seen)


def _having(messages: pa.ChunkedArray, phrase: ast.Phrase) -> Flags:
    chunks = [stands_free(chunk, lower(phrase.text), is_prefix=phrase.prefix) for chunk in messages.chunks]
    found: Flags = pa.chunked_array(chunks, pa.bool_()).to_numpy()
    return found
