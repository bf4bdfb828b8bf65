"""Conditions on one column of identity, as the values of it that they accept: those of the streams that there are. So
`pod=~"^web-"` and `pod^="web-"` read the rows of these pods alone, as a list of them would."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.errors import QueryTimeout, QueryTooExpensive
from logstore.order import Ints
from logstore.record import IDENTITY
from logstore.store import Store
from query import analyse, ast, sql
from query.engine import Engine
from query.session import Session
from query.settings import Size
from query.walk import names, walk, with_conditions

KNOWN_MAX: Final = 50_000
"""Values that streams have of a column: where there are more, conditions are asked of each record."""
ACCEPTED_MAX: Final = 1_000
"""The same of the values that they accept."""
ACCEPTED_SHARE: Final = 0.5
"""And of their share: to look for the rows of most streams costs more than it spares."""


def with_values_of_streams(
    store: Store, engine: Engine, query: ast.Query, segment_ids: Ints, buffer: pa.Table
) -> ast.Query:
    """The query with lists of values in the place of such conditions; of all records of these segments and the buffer
    it accepts the same.

    Raises:
        QueryCancelled: it was given up meanwhile.
    """
    asked: defaultdict[str, list[ast.Expression]] = defaultdict(list)
    for condition in analyse.conjuncts(query):
        if (column := _column_of(condition)) is not None:
            asked[column].append(condition)
    lists: dict[ast.Expression, ast.Expression] = {}
    for column, conditions in asked.items():
        known = _known(store, column, segment_ids, buffer)
        accepted = None if known is None else _accepted(engine, conditions, column, known)
        if known is not None and accepted is not None and (listed := _listed(column, known, accepted)) is not None:
            lists |= dict.fromkeys(conditions, ast.All())
            lists[conditions[0]] = listed

    def as_list(condition: ast.Expression) -> ast.Expression | None:
        return None if isinstance(condition, ast.And) else lists.get(condition, condition)

    return with_conditions(query, as_list) if lists else query


def _column_of(condition: ast.Expression) -> str | None:
    """The one column of identity that the condition is on; None where there is none, or that bounds know as it is."""
    if analyse.is_identity(condition) or any(isinstance(node, ast.Call | ast.Query) for node in walk(condition)):
        return None
    named = {name.name for name in names(condition)}
    return named.pop() if len(named) == 1 and named.issubset(IDENTITY) else None


def _known(store: Store, column: str, segment_ids: Ints, buffer: pa.Table) -> Sequence[str] | None:
    """All values that records may have; None: that cannot be told, or they are too many."""
    stored = store.catalog.values_of(column, KNOWN_MAX + 1, segment_ids.tolist())
    if stored is None:
        return None
    found = dict.fromkeys([*stored, *_buffered(buffer, column)])
    return list(found) if len(found) <= KNOWN_MAX else None


def _buffered(buffer: pa.Table, column: str) -> Iterator[str]:
    for chunk in buffer[column].chunks:
        yield from chunk.dictionary.to_pylist()


def _accepted(
    engine: Engine, conditions: Sequence[ast.Expression], column: str, known: Sequence[str]
) -> tuple[str, ...] | None:
    """Those that meet all the conditions; None where asking them takes too much."""
    wanted = sql.predicate(ast.And(tuple(conditions)))
    try:
        with engine.session(Size.TAIL) as session:
            return _those_that(session, wanted, column, known)
    except (QueryTimeout, QueryTooExpensive):
        return None


def _those_that(session: Session, wanted: sql.Sql, column: str, known: Sequence[str]) -> tuple[str, ...]:
    session.register("streams", pa.table({"place": np.arange(len(known)), column: pa.array(known, pa.string())}))
    rows = session.fetch_numbers(f"SELECT place FROM streams WHERE {wanted.text}", wanted.params)
    return tuple(known[place] for place in np.sort(rows["place"]).tolist())


def _listed(column: str, known: Sequence[str], accepted: tuple[str, ...]) -> ast.Expression | None:
    if len(accepted) == len(known):
        return ast.All()
    is_few = len(accepted) <= min(ACCEPTED_MAX, ACCEPTED_SHARE * len(known))
    return ast.OneOf(ast.Name(column), accepted) if is_few else None
