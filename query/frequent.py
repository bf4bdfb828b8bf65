"""The pipe `patterns`, answered of what indexes tell of each template in each row group: how many records have it, from
when to when, and the number of the first. Only what they do not tell is read: records in memory, row groups that the
range cuts or whose templates leave something open, and the messages of the few that come out as examples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logstore import segment as segments
from logstore.catalog import Segment
from logstore.numbering import Texts
from logstore.order import Ints, run_starts
from logstore.templates import WILDCARD
from query import ast, sql
from query.cost import Cost, Stage
from query.extension import SHOWN_WILDCARD
from query.groups import Groups, Piece, joined
from query.session import Session
from query.sql import Compiled
from query.sql.fields import TEMPLATE
from query.sql.patterns import COLUMNS, FIRST, GROUPED
from query.verdicts import Flags, Verdict
from query.view import View, define_records
from query.walk import names

_EXAMPLE: Final = ("_seq", "message")
_SCHEMA: Final = pa.schema(zip(GROUPED, (pa.int64(), pa.int64(), *[pa.timestamp("ns")] * 2, pa.int64()), strict=True))
_FIRST_SCHEMA: Final = pa.schema([*_SCHEMA, pa.field("total", pa.int64())])


@dataclass(frozen=True, slots=True)
class Known:
    """Row groups whose records are grouped without being read: their `entries` of templates that are a *yes*."""

    groups: Groups
    texts: Texts
    entries: Ints
    of_entries: Ints
    """The row group of each of these."""
    numbers: Ints
    """Its template's number."""
    first_seqs: Ints


@dataclass(frozen=True, slots=True)
class Left:
    """What is read beside."""

    pieces: Sequence[Piece]
    buffer: pa.Table
    view: View


def is_asked(query: ast.Query) -> bool:
    """Whether the query asks for the patterns of records as they are stored."""
    for pipe in query.pipes:
        if not isinstance(pipe, ast.Where):
            return isinstance(pipe, ast.Patterns)
    return False


def has_seqs(groups: Groups) -> Flags:
    """The groups of which the index tells of each record what is asked."""
    known = np.repeat([one.index.has_seqs for _, one in groups.known], np.diff(groups.starts)).astype(np.bool_)
    return known & ~np.logical_or.reduceat(groups.numbers == -1, groups.entries[:-1]) if groups.count else known


def known_of(groups: Groups, verdict: Verdict, mask: Flags, texts: Texts) -> Known:
    """The records in these groups that the templates say yes to."""
    of_entries = np.repeat(np.arange(groups.count), np.diff(groups.entries))
    entries = np.flatnonzero(mask[of_entries] & verdict.must[groups.numbers])
    each = (one.index for _, one in groups.known)
    seqs = joined([one.first_seqs if one.has_seqs else np.zeros(len(one.presence), np.int64) for one in each])
    return Known(groups, texts, entries, of_entries[entries], groups.numbers[entries], seqs[entries])


def rows(
    session: Session, known: Known, left: Left, query: ast.Query, first: sql.Sql, whole: Compiled
) -> Iterator[pa.RecordBatch]:
    """The rows of the answer: `first` is the statement that finds the first groups, `whole` that of the answer."""
    shown = _shown(query)
    counted = _groups(known)
    if left.pieces or left.buffer.num_rows:
        define_records(session, left.pieces, left.buffer, left.view)
        session.register("counted", counted)
        frequent = session.fetch(first.text, first.params)
    else:
        frequent = _first(counted, _patterns_of(query).rows)
    if shown.intersection(("first_time", "last_time")):
        with session.cost.stage(Stage.READ):
            frequent = _with_times(frequent, _times(session.cost, known, frequent[TEMPLATE]))
    patterns = _patterns(frequent, known.texts)
    seqs = frequent["_seq"].to_numpy()
    wanted = seqs if "example" in shown else seqs[pc.is_null(patterns).to_numpy(zero_copy_only=False)]
    messages = _messages(session, known, wanted)
    examples = pa.array([messages.get(seq) for seq in seqs.tolist()], pa.string())
    session.register("frequent", frequent.append_column("pattern", patterns).append_column("message", examples))
    yield from session.stream(whole.sql, whole.params)


def _patterns_of(query: ast.Query) -> ast.Patterns:
    return next(pipe for pipe in query.pipes if isinstance(pipe, ast.Patterns))


def _shown(query: ast.Query) -> frozenset[str]:
    """The columns of patterns that the answer has, or what comes after them names."""
    after = query.pipes[query.pipes.index(_patterns_of(query)) + 1 :]
    if not any(isinstance(pipe, ast.Fields | ast.Stats | ast.Top) for pipe in after):
        return frozenset(COLUMNS)
    return frozenset(column for pipe in after for name in names(pipe) for column in (name.name.partition(".")[0],))


def _groups(known: Known) -> pa.Table:
    """What the indexes tell, as the statement of groups would, without times."""
    count = len(known.texts.ids)
    rows = np.bincount(known.numbers, known.groups.rows[known.entries], count).astype(np.int64)
    seqs = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(seqs, known.numbers, known.first_seqs)
    present = np.flatnonzero(rows)
    times = pa.nulls(len(present), pa.timestamp("ns"))
    ids, rows, seqs = (pa.array(column[present]) for column in (known.texts.ids, rows, seqs))
    return pa.table([ids, rows, times, times, seqs], schema=_SCHEMA)


def _first(groups: pa.Table, at_most: int) -> pa.Table:
    """The first of all groups, the most frequent and of equally frequent ones those whose first record is; in any
    order."""
    counts, seqs = groups["n"].to_numpy(), groups["_seq"].to_numpy()
    first = groups.take(np.lexsort((seqs, -counts))[:at_most])
    return first.append_column("total", pa.array(np.full(len(first), counts.sum())))


def _with_times(groups: pa.Table, spans: pa.Table) -> pa.Table:
    """These groups, with the times of `spans` too."""
    both = pa.concat_tables(
        [groups.cast(_FIRST_SCHEMA), spans.append_column("total", pa.nulls(len(spans), pa.int64()))]
    )
    aggregates = [("n", "sum"), ("first_time", "min"), ("last_time", "max"), ("_seq", "min"), ("total", "max")]
    return both.group_by(TEMPLATE).aggregate(aggregates).rename_columns(list(FIRST))


def _patterns(groups: pa.Table, texts: Texts) -> pa.Array:
    """What the groups' templates are shown as; null where the indexes do not know them."""
    places = pc.index_in(groups[TEMPLATE].combine_chunks(), pa.array(texts.ids))
    known = pa.chunked_array(list(texts.chunks), pa.string()).take(places)
    return pc.replace_substring(known, WILDCARD, SHOWN_WILDCARD).combine_chunks()


def _times(cost: Cost, known: Known, templates: pa.ChunkedArray) -> pa.Table:
    """From when to when known groups have these templates, as groups of no records."""
    ids = templates.to_numpy()
    mask = np.zeros(known.groups.count, np.bool_)
    is_wanted = np.isin(known.texts.ids, ids)
    entries = np.flatnonzero(is_wanted[known.numbers])
    of_template = entries[np.argsort(known.numbers[entries], kind="stable")]
    for part in np.split(of_template, run_starts(known.numbers[of_template])[1:]) if len(entries) else []:
        mask[_at_the_ends(known.groups, known.of_entries[part])] = True
    found = []
    for segment, at in _places(known.groups, mask):
        _note(cost, segment, at, (segments.TEMPLATE, "time"))
        part = segments.read_facts(segment, at)
        found.append(part.filter(pc.is_in(part[segments.TEMPLATE], pa.array(ids))))
    if not found:
        return _SCHEMA.empty_table()
    spans = pa.concat_tables(found).group_by(segments.TEMPLATE).aggregate([("time", "min"), ("time", "max")])
    count = len(spans)
    columns = [pa.array(np.zeros(count, np.int64)), spans["time_min"], spans["time_max"], pa.nulls(count, pa.int64())]
    return pa.table([spans[segments.TEMPLATE], *columns], schema=_SCHEMA)


def _at_the_ends(groups: Groups, some: Ints) -> Ints:
    """Those of these row groups that may have the first or the last of the records which are in each of them."""
    first, last = groups.min_times_ns[some], groups.max_times_ns[some]
    ends: Ints = some[(first <= last.min()) | (last >= first.max())]
    return ends


def _places(groups: Groups, mask: Flags) -> Iterator[tuple[Segment, list[int]]]:
    """These row groups, by segment."""
    for (segment, _), start, end in zip(groups.known, groups.starts[:-1], groups.starts[1:], strict=True):
        if len(at := np.flatnonzero(mask[start:end])):
            yield segment, at.tolist()


def _note(cost: Cost, segment: Segment, groups: Sequence[int], columns: Sequence[str]) -> None:
    if cost.is_detailed:
        cost.add_read(len(groups), segments.chunk_bytes(segment, groups, columns))


def _messages(session: Session, known: Known, seqs: Ints) -> dict[int, str]:
    """The messages of these first records."""
    is_known = np.isin(known.first_seqs, seqs)
    mask = np.zeros(known.groups.count, np.bool_)
    mask[known.of_entries[is_known]] = True
    found = []
    for segment, at in _places(known.groups, mask):
        _note(session.cost, segment, at, _EXAMPLE)
        for group in at:  # one by one, since messages are large
            part = segments.read_groups(segment, [group], _EXAMPLE)
            found.append(part.filter(pc.is_in(part["_seq"], pa.array(seqs))))
    others = np.setdiff1d(seqs, known.first_seqs[is_known])
    if len(others):
        session.register("wanted", pa.table({"_seq": others}))
        found.append(session.fetch("SELECT _seq, message FROM records WHERE _seq IN (SELECT _seq FROM wanted)"))
    pairs = (zip(part["_seq"].to_pylist(), part["message"].to_pylist(), strict=True) for part in found)
    return dict(chain.from_iterable(pairs))
