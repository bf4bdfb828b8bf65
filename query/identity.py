"""Conditions on one column of identity, as the values of it that they accept: those of the streams that there are. So
`pod=~"^web-"` and `pod^="web-"` read the rows of these pods alone, as a list of them would."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from logstore.catalog import Catalog
from logstore.record import IDENTITY
from logstore.store import Store
from query import analyse, ast, sql
from query.engine import Engine
from query.session import Session
from query.settings import Size
from query.walk import names, walk, with_conditions

KNOWN_MAX: Final = 50_000
"""Values that streams have of a column: where there are more, a condition is asked of each record."""
ACCEPTED_MAX: Final = 1_000
"""The same of the values that it accepts."""


def with_values_of_streams(store: Store, engine: Engine, query: ast.Query, buffer: pa.Table) -> ast.Query:
    """The query with lists of values in the place of such conditions; of all records that a snapshot taken before has,
    whose buffered ones are given, it accepts the same.

    Raises:
        QueryTimeout, QueryCancelled, QueryTooExpensive: asking them took too much.
    """
    asked = {one: column for one in analyse.conjuncts(query) if (column := _column_of(one)) is not None}
    if not asked:
        return query
    lists: dict[ast.Expression, ast.Expression] = {}
    with engine.session(Size.TAIL) as session:
        for condition, column in asked.items():
            known = _known(store.catalog, buffer, column)
            if known is None:
                continue
            accepted = _accepted(session, condition, column, known)
            if len(accepted) == len(known):
                lists[condition] = ast.All()
            elif len(accepted) <= ACCEPTED_MAX:
                lists[condition] = ast.OneOf(ast.Name(column), accepted)

    def as_list(condition: ast.Expression) -> ast.Expression | None:
        return None if isinstance(condition, ast.And) else lists.get(condition, condition)

    return with_conditions(query, as_list)


def _column_of(condition: ast.Expression) -> str | None:
    """The one column of identity that the condition is on; None where there is none, or that bounds know as it is."""
    if analyse.is_identity(condition) or any(isinstance(node, ast.Call | ast.Query) for node in walk(condition)):
        return None
    named = {name.name for name in names(condition)}
    return named.pop() if len(named) == 1 and named.issubset(IDENTITY) else None


def _known(catalog: Catalog, buffer: pa.Table, column: str) -> Sequence[str] | None:
    """All values that records may have; None: too many."""
    stored = catalog.values_of(column, KNOWN_MAX + 1)
    found = dict.fromkeys([*stored, *_buffered(buffer, column)])
    return list(found) if len(found) <= KNOWN_MAX else None


def _buffered(buffer: pa.Table, column: str) -> Iterator[str]:
    for chunk in buffer[column].chunks:
        yield from chunk.dictionary.to_pylist()


def _accepted(session: Session, condition: ast.Expression, column: str, known: Sequence[str]) -> tuple[str, ...]:
    wanted = sql.predicate(condition)
    session.register("streams", pa.table({"place": np.arange(len(known)), column: pa.array(known, pa.string())}))
    rows = session.fetch_numbers(f"SELECT place FROM streams WHERE {wanted.text}", wanted.params)
    return tuple(known[place] for place in np.sort(rows["place"]).tolist())
