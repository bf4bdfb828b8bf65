"""What a query reads of the segments that its bounds leave: which row groups, and how `records` is made of them.

A condition on messages that templates decide becomes a column of `records`, so that no message is read for it; what a
query only counts need not be read at all where templates say it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from logstore.indexes import Texts
from logstore.pruning import Bounds
from logstore.store import Snapshot, Store
from query import analyse, ast
from query.engine import Engine, Size
from query.groups import (
    INSIDE,
    Groups,
    Piece,
    choose,
    decided,
    groups_of,
    pieces,
    rows_that_must,
)
from query.plan import Plan
from query.required import required_words
from query.sql.fields import Stored, attribute_paths
from query.verdicts import Flags, Verdict, combine, leaves
from query.view import DecidedLeaf, View
from query.walk import walk


@dataclass(frozen=True, slots=True)
class Reading:
    """`query` is the one to compile, over `records` as `view` says; `counted_of` are records that need not be read,
    by segment."""

    query: ast.Query
    stored: Stored
    pieces: tuple[Piece, ...]
    view: View
    counted_of: Mapping[int, int] = field(default_factory=dict)
    groups: int = 0
    """Row groups of segments whose index was asked."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Of these, the ones left out, by reason."""

    @property
    def counted(self) -> int:
        return sum(self.counted_of.values())

    @property
    def plain_bytes(self) -> int:
        return sum(piece.plain_bytes for piece in self.pieces)


def prepare(
    store: Store, engine: Engine, snapshot: Snapshot, query: ast.Query, planned: Plan, bounds: Bounds
) -> Reading:
    """Narrows a plan by what the segments' indexes tell."""
    paths = _paths(query)
    has_patterns = analyse.has_patterns(query)
    stored = Stored(frozenset(paths), snapshot.label_keys, has_patterns)
    view = View(analyse.columns(query), paths, has_templates=has_patterns)
    whole = Reading(query, stored, planned.pieces, view)
    if analyse.has_subquery(query) or not planned.pieces:
        return whole
    conditions = [one for one in analyse.conjuncts(query) if not _is_bound(one)]
    only_counts = is_count(query) and bounds.up_to_seq is None and bounds.after_seq is None
    if not conditions and only_counts:
        return _counted_whole(whole, bounds)
    if not conditions and not has_patterns and not INSIDE.intersection(bounds.identity):
        return whole
    return _narrowed(store, engine, whole, conditions, bounds, only_counts=only_counts)


def _narrowed(
    store: Store, engine: Engine, whole: Reading, conditions: list[ast.Expression], bounds: Bounds, *, only_counts: bool
) -> Reading:
    asked = leaves(conditions)
    known, texts = store.indexes.of([piece.segment for piece in whole.pieces])
    with engine.session(Size.TAIL) as session:
        verdicts = engine.verdicts.of(session, asked, texts)
    count = len(texts.ids)
    verdict = combine(ast.And(tuple(conditions)), verdicts, count)
    groups = groups_of([piece.segment for piece in whole.pieces], known)
    words = [words for one in conditions for words in required_words(one, whole.stored.labels)]
    chosen = choose(groups, bounds, verdict, words, store.catalog)
    counted_of, mask = dict[int, int](), chosen.mask
    if only_counts and not INSIDE.intersection(bounds.identity):
        sure = mask & decided(groups, verdict) & _inside(groups, bounds)
        counted_of, mask = rows_that_must(groups, verdict, sure), mask & ~sure
        chosen.skipped["counted"] += int(np.count_nonzero(sure))
    query, decided_leaves = _with_columns(whole.query, verdicts)
    return replace(
        whole,
        query=query,
        pieces=pieces(groups, mask),
        view=_view(whole.view, query, decided_leaves, texts),
        counted_of=counted_of,
        groups=groups.count,
        skipped=+Counter(chosen.skipped),
    )


def _view(view: View, query: ast.Query, decided_leaves: tuple[DecidedLeaf, ...], texts: Texts) -> View:
    columns = analyse.columns(query) | ({"message"} if decided_leaves else set())
    return replace(view, columns=columns, leaves=decided_leaves, ids=texts.ids)


def _inside(groups: Groups, bounds: Bounds) -> Flags:
    """The groups all of whose records lie within the bounds of time."""
    mask = np.ones(groups.count, np.bool_)
    if bounds.start_ns is not None:
        mask &= groups.min_times_ns >= bounds.start_ns
    if bounds.end_ns is not None:
        mask &= groups.max_times_ns < bounds.end_ns
    return mask


def _counted_whole(whole: Reading, bounds: Bounds) -> Reading:
    """Segments that lie within the bounds of time are counted by the catalog."""
    if INSIDE.intersection(bounds.identity):
        return whole
    left = tuple(piece for piece in whole.pieces if not is_inside(piece, bounds))
    counted_of = {piece.segment.id: piece.segment.rows for piece in whole.pieces if is_inside(piece, bounds)}
    return replace(whole, pieces=left, counted_of=counted_of)


def is_inside(piece: Piece, bounds: Bounds) -> bool:
    """Whether all records of the segment lie within the bounds of time."""
    begins = bounds.start_ns is None or piece.segment.min_time_ns >= bounds.start_ns
    return begins and (bounds.end_ns is None or piece.segment.max_time_ns < bounds.end_ns)


def is_count(query: ast.Query) -> bool:
    """Whether the query counts records, and nothing else."""
    *before, last = query.pipes or (None,)
    if not isinstance(last, ast.Stats) or last.by or not all(isinstance(pipe, ast.Where) for pipe in before):
        return False
    return all(aggregate.function == "count" and aggregate.argument is None for aggregate in last.aggregates)


def counts_alone(query: ast.Query) -> bool:
    """Whether the query counts all records within its bounds, which the catalog mostly knows."""
    return is_count(query) and all(map(_is_bound, analyse.conjuncts(query)))


def _is_bound(condition: ast.Expression) -> bool:
    """Whether the bounds of segments and of time say all that the condition does."""
    return isinstance(condition, ast.All) or analyse.is_exact_bound(condition)


def _paths(query: ast.Query) -> tuple[tuple[str, ...], ...]:
    """The attributes that the query names, its subqueries included."""
    names = dict.fromkeys(node.name for node in walk(query) if isinstance(node, ast.Name))
    return tuple(dict.fromkeys(path for name in names for path in attribute_paths(name)))


def _with_columns(
    query: ast.Query, verdicts: Mapping[ast.Expression, Verdict]
) -> tuple[ast.Query, tuple[DecidedLeaf, ...]]:
    """The query with the conditions that templates know as columns, and what these mean."""
    columns = {condition: f"leaf {number}" for number, condition in enumerate(verdicts)}
    used = tuple(DecidedLeaf(columns[condition], condition, verdict) for condition, verdict in verdicts.items())
    pipes = list(query.pipes)
    for at, pipe in enumerate(pipes):
        if not isinstance(pipe, ast.Where):
            break
        pipes[at] = replace(pipe, condition=_replaced(pipe.condition, columns))
    return replace(query, filter=_replaced(query.filter, columns), pipes=tuple(pipes)), used


def _replaced(condition: ast.Expression, columns: Mapping[ast.Expression, str]) -> ast.Expression:
    if condition in columns:
        return ast.Decided(columns[condition])
    match condition:
        case ast.And(items) | ast.Or(items):
            return replace(condition, items=tuple(_replaced(item, columns) for item in items))
        case ast.Not(item):
            return replace(condition, item=_replaced(item, columns))
    return condition
