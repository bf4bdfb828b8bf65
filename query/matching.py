"""Which of a batch's records each of many filters accepts, in few statements.

A phrase is costly to set up in SQL (its pattern knows all of Unicode's letters), so filters whose records cannot be
there are left out first, by what is cheap: the phrases' bare texts, and comparisons of columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.record import COLUMNS
from query import ast, sql
from query.analyse import parts_of
from query.session import Session
from query.sql.fragment import Sql, bind, join
from query.sql.fragment import sql as fragment
from query.sql.value import TRUE

FILTERS_AT_ONCE: Final = 16
"""Filters in one statement: its memory grows with them."""

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A filter in two conditions: one that is cheap and accepts all that the other does, and the filter itself."""

    rough: Sql
    exact: Sql
    is_exact: bool
    """Whether the cheap one is the filter itself."""


def matcher(condition: ast.Filter) -> Matcher:
    """Raises InvalidQuery where the filter has an error."""
    exact = sql.predicate(condition)
    parts = list(parts_of(condition))
    rough = [part for part in (_rough(part) for part in parts) if part is not None]
    if not rough:
        return Matcher(TRUE, exact, is_exact=isinstance(condition, ast.All))
    both = join(" AND ", [fragment("({})", part) for part in rough])
    return Matcher(both, exact, is_exact=all(_is_plain(part) for part in parts))


def _rough(condition: ast.Expression) -> Sql | None:
    """A cheap condition that holds wherever this one does."""
    match condition:
        case ast.Phrase(ast.Name(name), text) if name in COLUMNS or name == "level":
            column = "severity" if name == "level" else name
            return fragment(f"contains(lower({column}), lower({{}}))", bind(text))
    return sql.predicate(condition) if _is_plain(condition) else None


def _is_plain(condition: ast.Expression) -> bool:
    match condition:
        case ast.Comparison(ast.Operator.EQ, ast.Name(name), ast.Text()) | ast.OneOf(ast.Name(name)):
            return name in COLUMNS
        case ast.Not(ast.Comparison(ast.Operator.EQ, ast.Name(name), ast.Text())):
            return name in COLUMNS
    return False


def match(session: Session, records: pa.Table, matchers: Sequence[Matcher]) -> list[Mask]:
    """For each filter, which of the records it accepts."""
    masks = _evaluate(session, records, [matcher.rough for matcher in matchers])
    open_ones = [i for i, (m, mask) in enumerate(zip(matchers, masks, strict=True)) if not m.is_exact and mask.any()]
    if not open_ones:
        return masks
    candidates: Mask = np.logical_or.reduce([masks[i] for i in open_ones])
    exact = _evaluate(session, records.filter(pa.array(candidates)), [matchers[i].exact for i in open_ones])
    for i, found in zip(open_ones, exact, strict=True):
        mask = np.zeros(records.num_rows, dtype=np.bool_)
        mask[candidates] = found
        masks[i] = mask
    return masks


def _evaluate(session: Session, records: pa.Table, conditions: Sequence[Sql]) -> list[Mask]:
    session.register("records", records)
    masks: list[Mask] = []
    for start in range(0, len(conditions), FILTERS_AT_ONCE):
        some = conditions[start : start + FILTERS_AT_ONCE]
        columns = join(", ", [fragment(f"({{}}) AS m{i}", condition) for i, condition in enumerate(some)])
        found = session.fetch_numbers(f"SELECT _seq, {columns.text} FROM records", columns.params)
        # The answer may come in another order than the records stand.
        order = np.argsort(found["_seq"], kind="stable")
        masks += [found[f"m{i}"][order].astype(np.bool_) for i in range(len(some))]
    return masks
