"""Which of a batch's records each of many filters accepts.

What a filter asks of identity and of words is looked at without SQL, which for many is all they ask. Only what is left
is asked the rest: setting up a statement takes longer than looking at thousands of records.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.enrich import whole
from logstore.wanted import Wanted
from query import ast, sql
from query.plain import Plain, plain_of
from query.request import bounds
from query.required import words_of_message
from query.session import Session
from query.sql.fragment import Sql, join
from query.sql.fragment import sql as fragment

FILTERS_AT_ONCE: Final = 16
"""Filters in one statement: its memory grows with them."""

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A filter as SQL, what all records have that it accepts, and, where that is known, all that it asks."""

    exact: Sql
    wanted: Wanted
    plain: Plain | None
    between_ns: tuple[int, int]

    @property
    def is_open(self) -> bool:
        """Whether SQL has to tell which of those are accepted that `likely` finds."""
        return self.plain is None

    def likely(self, records: pa.Table) -> Mask:
        """Which records may be accepted."""
        return self.wanted.mask(records) if self.plain is None else self.plain.mask(records, self.between_ns)


def matcher(query: ast.Query) -> Matcher:
    """Of the query's filter, whatever its pipes. Raises InvalidQuery where the filter has an error."""
    own = replace(query, pipes=())
    limits = bounds(own, None, None)
    wanted = Wanted(limits.identity, words_of_message(query.filter))
    return Matcher(sql.predicate(query.filter), wanted, plain_of(own, limits), limits.between_ns)


def match(session: Session, records: pa.Table, matchers: Sequence[Matcher]) -> list[Mask]:
    """For each filter, which of the records it accepts."""
    masks = [matcher.likely(records) for matcher in matchers]
    open_ones = [i for i, (m, mask) in enumerate(zip(matchers, masks, strict=True)) if m.is_open and mask.any()]
    if not open_ones:
        return masks
    candidates: Mask = np.logical_or.reduce([masks[i] for i in open_ones])
    asked = records if candidates.all() else records.filter(pa.array(candidates))
    exact = _evaluate(session, whole(asked), [matchers[i].exact for i in open_ones])
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
