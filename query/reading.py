"""What a query reads of the segments that its bounds leave: which row groups, and how `records` is made of them.

A condition on messages that templates decide becomes a column of `records`, so that no message is read for it; what a
query only counts need not be read at all where templates say it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Final

import numpy as np

from logstore.cells import By
from logstore.listing import Listing
from logstore.numbering import Texts
from logstore.order import Ints
from logstore.pruning import Bounds
from logstore.snapshot import Snapshot
from logstore.store import Store
from logstore.templates import UNASSIGNED
from logstore.wanted import Wanted
from query import analyse, ast, frequent
from query.cost import Cost, Stage
from query.counting import cells_for
from query.engine import Engine
from query.frequent import Known
from query.fuller import surer
from query.groups import (
    INSIDE,
    Groups,
    Piece,
    Whole,
    choose,
    decided,
    groups_of,
    having_words,
    pieces,
    plain_bytes_of,
    rows_that_must,
)
from query.narrowing import Certain
from query.plain import Plain, plain_of
from query.plan import Plan, is_inside, lies_within
from query.required import Words, required_words, words_of_message
from query.settings import Size
from query.sql.fields import Stored, attribute_of
from query.verdicts import Flags, Verdict, combine, leaves
from query.view import DecidedLeaf, View
from query.walk import with_conditions

_NO_IDS: Final = np.zeros(0, np.int64)
RARE_TIMES: Final = 8
"""Words are rare if filters leave out so many times the row groups that they leave over."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the segments' indexes were asked."""

    templates: int
    """All templates there are."""
    possible: int
    """Those of them that some match may have."""
    surely: int
    """Of segments, those that all their messages' words make sure (query/fuller.py)."""
    words: tuple[Words, ...]
    """Of each of these, every match has one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`query` is the one to compile, over `records` as `view` says; `counted` are records that need not be read."""

    query: ast.Query
    stored: Stored
    pieces: Sequence[Piece]
    view: View
    counted: int = 0
    counted_of: Mapping[int, int] = field(default_factory=dict)
    """Those of them that templates count, by segment."""
    asked: Asked | None = None
    """None: the indexes were not asked."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Row groups that they left out, by reason."""
    grouped: Known | None = None
    """Records whose patterns are known without reading them."""
    is_rare: bool = False
    """Whether hardly a row group has the words that every match has."""
    bounds: Bounds = field(default_factory=Bounds)
    certain: Certain | None = None
    """Records that match whatever is read of them."""
    missed: int = 0
    """Segments in which nothing that is asked for was found before."""
    of_cells: int = 0
    """How many of the pieces, which are the first, are read as cells."""

    @property
    def files(self) -> Sequence[Piece]:
        """The pieces that are read of files."""
        return self.pieces[self.of_cells :]

    @property
    def plain_bytes(self) -> int:
        return plain_bytes_of(self.pieces)


def prepare(
    store: Store, engine: Engine, snapshot: Snapshot, query: ast.Query, planned: Plan, bounds: Bounds, cost: Cost
) -> Reading:
    """Narrows a plan by where nothing matched before, and by what the segments' indexes tell."""
    left = engine.misses.without(planned.pieces.segments, query)
    missed = len(planned.pieces) - len(left)
    if missed:
        planned = replace(planned, pieces=Whole(left))
    reading = _indexed(store, engine, snapshot, query, planned, bounds, cost)
    is_rare = reading.is_rare or bool(
        reading.asked is not None and reading.asked.words and missed >= RARE_TIMES * len(reading.pieces)
    )
    return replace(reading, missed=missed, is_rare=is_rare)


def _indexed(
    store: Store, engine: Engine, snapshot: Snapshot, query: ast.Query, planned: Plan, bounds: Bounds, cost: Cost
) -> Reading:
    """The plan as the segments' indexes narrow it."""
    by = None if analyse.has_subquery(query) or counts_alone(query) else cells_for(query)
    if by is None:
        return _of_records(store, engine, snapshot, query, planned, bounds, cost)
    counted, left = _by_cells(store, planned, bounds, by, cost)
    reading = _of_records(store, engine, snapshot, query, left, bounds, cost)
    groups = sum(piece.known.index.groups for piece in counted if piece.known is not None)
    return replace(
        reading,
        stored=replace(reading.stored, weights=True),
        view=replace(reading.view, has_weights=True),
        pieces=(*counted, *reading.pieces),
        of_cells=len(counted),
        skipped=Counter(reading.skipped) + Counter(counted=groups),
    )


def _by_cells(store: Store, planned: Plan, bounds: Bounds, by: By, cost: Cost) -> tuple[list[Piece], Plan]:
    """The segments that cells answer for, and what is left of the plan."""
    segments = planned.pieces.segments
    within = np.flatnonzero(lies_within(segments, bounds))
    asked = list(segments.take(within))
    with cost.stage(Stage.INDEXES):
        known, _ = store.indexes.of(asked)
    found = [k.index.cells.get(by) if k is not None else None for k in known]
    counted = [Piece(s, k, cells=c) for s, k, c in zip(asked, known, found, strict=True) if c is not None]
    is_left = np.ones(len(segments), np.bool_)
    is_left[within[np.array([one is not None for one in found], np.bool_)]] = False
    return counted, replace(planned, pieces=Whole(segments.take(is_left)))


def _of_records(
    store: Store, engine: Engine, snapshot: Snapshot, query: ast.Query, planned: Plan, bounds: Bounds, cost: Cost
) -> Reading:
    attributes = _attributes(query)
    has_patterns = analyse.has_patterns(query)
    stored = Stored(frozenset(attributes), snapshot.label_keys, has_patterns)
    view = View(analyse.columns(query), attributes, has_templates=has_patterns)
    if analyse.has_subquery(query):
        return Reading(query, stored, planned.pieces, view)
    conditions = [one for one in analyse.conjuncts(query) if not analyse.is_exact_bound(one)]
    words = tuple(words for one in conditions for words in words_of_message(one))
    inside = {name: values for name, values in bounds.identity.items() if name in INSIDE}
    is_of_any_seq = bounds.up_to_seq is None and bounds.after_seq is None
    wanted = Wanted(inside, words)
    plain = plain_of(query, bounds)
    certain = None
    if is_of_any_seq and (plain is not None or not conditions):
        certain = Certain(inside, None if not conditions else _NO_IDS, plain=plain)
    whole = Reading(query, stored, planned.pieces, replace(view, wanted=wanted), bounds=bounds, certain=certain)
    if not planned.pieces:
        return whole
    only_counts = is_count(query) and is_of_any_seq
    if not conditions and only_counts:
        return _counted_whole(whole, planned.pieces.segments, bounds)
    if not conditions and not has_patterns and not INSIDE.intersection(bounds.identity):
        return whole
    segments = [piece.segment for piece in planned.pieces]
    words_of_records = tuple(words for one in conditions for words in required_words(one, stored.labels))
    with cost.stage(Stage.INDEXES):
        gone = 0
        if words_of_records:
            has_words, gone = having_words(store.indexes.filters(segments), words_of_records)
            segments = list(compress(segments, has_words))
        known, texts = store.indexes.of(segments)
    with cost.stage(Stage.VERDICTS), engine.session(Size.TAIL) as session:
        asked = leaves(conditions)
        verdicts: Mapping[ast.Expression, Verdict] = engine.verdicts.of(session, asked, texts)
        ids = texts.ids
        if not has_patterns:
            known, verdicts, ids = surer(session, asked, verdicts, ids, known)
    with cost.stage(Stage.ROW_GROUPS):
        told = _Told(groups_of(segments, known), gone, words_of_records, texts, ids, verdicts)
        return _narrowed(store, whole, conditions, bounds, told, only_counts=only_counts)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the indexes tell."""

    groups: Groups
    gone: int
    """Groups of segments that have not all of `words`."""
    words: tuple[Words, ...]
    texts: Texts
    ids: Ints
    """Of the numbered templates: of those that have `texts`, and of some that are told apart by segment."""
    verdicts: Mapping[ast.Expression, Verdict]


def _narrowed(
    store: Store, whole: Reading, conditions: list[ast.Expression], bounds: Bounds, told: _Told, *, only_counts: bool
) -> Reading:
    groups, texts = told.groups, told.texts
    count = len(texts.ids)
    condition = ast.And(tuple(conditions)) if conditions else ast.All()
    verdict = combine(condition, told.verdicts, len(told.ids))
    chosen = choose(groups, bounds, verdict, told.words, store.catalog)
    chosen.skipped["words"] += told.gone
    counted_of, mask = dict[int, int](), chosen.mask
    is_rare = chosen.skipped["words"] >= RARE_TIMES * np.count_nonzero(mask)
    if only_counts and not INSIDE.intersection(bounds.identity):
        sure = mask & decided(groups, verdict) & _inside(groups, bounds)
        counted_of, mask = rows_that_must(groups, verdict, sure), mask & ~sure
        chosen.skipped["counted"] += int(np.count_nonzero(sure))
    grouped = None
    if frequent.is_asked(whole.query) and groups.count and not INSIDE.intersection(bounds.identity):
        sure = mask & decided(groups, verdict) & _inside(groups, bounds) & frequent.has_seqs(groups)
        if bounds.up_to_seq is None and sure.any():
            grouped, mask = frequent.known_of(groups, verdict, sure, texts), mask & ~sure
            chosen.skipped["counted"] += int(np.count_nonzero(sure))
    query, decided_leaves = _with_columns(whole.query, told.verdicts)
    return replace(
        whole,
        grouped=grouped,
        query=query,
        pieces=pieces(groups, mask, chosen.matches),
        view=_view(whole.view, query, decided_leaves, told.ids),
        counted=sum(counted_of.values()),
        counted_of=counted_of,
        asked=Asked(count, int(np.count_nonzero(verdict.may[:count])), len(told.ids) - count, told.words),
        skipped=+Counter(chosen.skipped),
        is_rare=bool(is_rare) and chosen.skipped["words"] > 0,
        certain=_certain(conditions, bounds, told, plain_of(whole.query, bounds)),
    )


def _certain(conditions: Sequence[ast.Expression], bounds: Bounds, told: _Told, plain: Plain | None) -> Certain | None:
    """What templates tell besides identity, which each record tells by itself."""
    if bounds.up_to_seq is not None or bounds.after_seq is not None:
        return None
    inside = {name: values for name, values in bounds.identity.items() if name in INSIDE}
    others = tuple(one for one in conditions if not analyse.is_identity(one))
    if not others:
        return Certain(inside, plain=plain)
    ids = np.append(told.ids, UNASSIGNED)
    verdict = combine(ast.And(others), told.verdicts, len(told.ids))
    must, is_open = verdict.must, verdict.may & ~verdict.must
    if len(told.ids) == len(told.texts.ids):
        return Certain(inside, ids[must], ids[is_open], plain)
    # A template that is told apart by segment has several numbers, of which some may be of no segment that is read.
    is_there = np.zeros(len(ids), np.bool_)
    is_there[told.groups.numbers] = True
    open_ids = np.unique(ids[is_open & is_there])
    return Certain(inside, np.setdiff1d(ids[must & is_there], open_ids), open_ids, plain)


def _view(view: View, query: ast.Query, decided_leaves: tuple[DecidedLeaf, ...], ids: Ints) -> View:
    columns = analyse.columns(query) | ({"message"} if decided_leaves else set())
    return replace(view, columns=columns, leaves=decided_leaves, ids=ids)


def _inside(groups: Groups, bounds: Bounds) -> Flags:
    """The groups all of whose records lie within the bounds of time."""
    mask = np.ones(groups.count, np.bool_)
    if bounds.start_ns is not None:
        mask &= groups.min_times_ns >= bounds.start_ns
    if bounds.end_ns is not None:
        mask &= groups.max_times_ns < bounds.end_ns
    return mask


def _counted_whole(whole: Reading, segments: Listing, bounds: Bounds) -> Reading:
    """Segments that lie within the bounds of time are counted by the catalog."""
    if INSIDE.intersection(bounds.identity):
        return whole
    inside = is_inside(segments, bounds)
    return replace(whole, pieces=Whole(segments.take(~inside)), counted=int(segments.rows[inside].sum()))


def is_count(query: ast.Query) -> bool:
    """Whether the query counts records, and nothing else."""
    *before, last = query.pipes or (None,)
    if not isinstance(last, ast.Stats) or last.by or not all(isinstance(pipe, ast.Where) for pipe in before):
        return False
    return all(aggregate.function == "count" and aggregate.argument is None for aggregate in last.aggregates)


def counts_alone(query: ast.Query) -> bool:
    """Whether the query counts all records within its bounds, which the catalog mostly knows."""
    return is_count(query) and all(map(analyse.is_exact_bound, analyse.conjuncts(query)))


def _attributes(query: ast.Query) -> tuple[str, ...]:
    """The attributes that the query names, its subqueries included."""
    found = map(attribute_of, analyse.record_names(query))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _with_columns(
    query: ast.Query, verdicts: Mapping[ast.Expression, Verdict]
) -> tuple[ast.Query, tuple[DecidedLeaf, ...]]:
    """The query with the conditions that templates know as columns, and what these mean."""
    columns = {condition: f"leaf {number}" for number, condition in enumerate(verdicts)}
    used = tuple(DecidedLeaf(columns[condition], condition, verdict) for condition, verdict in verdicts.items())

    def decided(condition: ast.Expression) -> ast.Expression | None:
        return ast.Decided(columns[condition]) if condition in columns else None

    return with_conditions(query, decided), used
