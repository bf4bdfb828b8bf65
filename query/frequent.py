"""The pipe `patterns`, answered of what indexes tell of each template in each row group: how many records have it, from
when to when, and the number of the first. Only what they do not tell is read: records in memory, row groups that the
range cuts or whose templates leave something open, and the messages of the few that come out as examples.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logstore import segment as segments
from logstore.catalog import Segment
from logstore.indexes import Texts
from logstore.order import Ints, run_starts
from logstore.templates import WILDCARD
from query import ast, sql
from query.engine import Session
from query.extension import SHOWN_WILDCARD
from query.groups import Groups, Piece, joined
from query.sql import Compiled
from query.sql.fields import TEMPLATE
from query.sql.patterns import GROUPED
from query.verdicts import Flags, Verdict
from query.view import View, define_records
from query.walk import names

_TIME: Final = pa.timestamp("ns")
Place: TypeAlias = tuple[Segment, int]
"""A segment and a row group of it."""


@dataclass(frozen=True, slots=True)
class Known:
    """Records that are grouped without being read."""

    groups: pa.Table
    """As the statement of groups gives them: template, n, first_time, last_time, _seq."""
    texts: Texts
    places: Mapping[int, Place]
    """Where each group's first record is, by its number."""


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


def has_spans(groups: Groups) -> Flags:
    """The groups of which the index tells all that is asked, for each record."""
    known = np.repeat([one.index.has_spans for _, one in groups.known], np.diff(groups.starts)).astype(np.bool_)
    return known & ~np.logical_or.reduceat(groups.numbers == -1, groups.entries[:-1]) if groups.count else known


def known_of(groups: Groups, verdict: Verdict, mask: Flags, texts: Texts) -> Known:
    """What the indexes tell of the records in these groups that the templates say yes to."""
    of_entries = np.repeat(np.arange(groups.count), np.diff(groups.entries))
    chosen = np.flatnonzero(mask[of_entries] & verdict.must[groups.numbers])
    seqs = _spans(groups, "first_seqs")
    chosen = chosen[np.lexsort((seqs[chosen], groups.numbers[chosen]))]
    numbers = groups.numbers[chosen]
    starts = run_starts(numbers) if len(numbers) else numbers
    first = chosen[starts]
    columns = [
        pa.array(texts.ids[numbers[starts]]),
        pa.array(_of_runs(np.add, groups.rows[chosen], starts)),
        pa.array(_of_runs(np.minimum, _spans(groups, "first_times_ns")[chosen], starts)).cast(_TIME),
        pa.array(_of_runs(np.maximum, _spans(groups, "last_times_ns")[chosen], starts)).cast(_TIME),
        pa.array(seqs[first]),
    ]
    owners = np.searchsorted(groups.starts, of_entries[first], side="right") - 1
    within = of_entries[first] - groups.starts[owners]
    places = zip(seqs[first].tolist(), owners.tolist(), within.tolist(), strict=True)
    return Known(
        pa.table(columns, names=GROUPED),
        texts,
        {seq: (groups.known[owner][0], group) for seq, owner, group in places},
    )


def _spans(groups: Groups, name: str) -> Ints:
    """Of each entry; of those that are not known, anything."""
    each = ((getattr(one.index, name), one.index) for _, one in groups.known)
    return joined([values if index.has_spans else np.zeros(len(index.presence), np.int64) for values, index in each])


def _of_runs(function: np.ufunc, values: Ints, starts: Ints) -> Ints:
    reduced: Ints = function.reduceat(values, starts) if len(values) else values
    return reduced


def rows(
    session: Session, known: Known, left: Left, query: ast.Query, groups: sql.Sql, whole: Compiled
) -> Iterator[pa.RecordBatch]:
    """The rows of the answer: `groups` is the statement that groups records, `whole` that of the answer."""
    found = known.groups
    if left.pieces or left.buffer.num_rows:
        define_records(session, left.pieces, left.buffer, left.view)
        found = _merged(found, session.fetch(groups.text, groups.params))
    frequent = _frequent(found, _patterns_of(query).rows)
    patterns = _patterns(frequent, known.texts)
    seqs = frequent["_seq"].to_numpy()
    wanted = seqs if _shows_examples(query) else seqs[pc.is_null(patterns).to_numpy(zero_copy_only=False)]
    messages = _examples(session, wanted.tolist(), known.places)
    examples = pa.array([messages.get(seq) for seq in seqs.tolist()], pa.string())
    session.register("grouped", found)
    session.register("frequent", frequent.append_column("pattern", patterns).append_column("message", examples))
    yield from session.stream(whole.sql, whole.params)


def _patterns_of(query: ast.Query) -> ast.Patterns:
    return next(pipe for pipe in query.pipes if isinstance(pipe, ast.Patterns))


def _shows_examples(query: ast.Query) -> bool:
    """Whether the answer, or what comes after the patterns, names the examples."""
    after = query.pipes[query.pipes.index(_patterns_of(query)) + 1 :]
    is_cut = any(isinstance(pipe, ast.Fields | ast.Stats | ast.Top) for pipe in after)
    return not is_cut or any(name.name.startswith("example") for pipe in after for name in names(pipe))


def _merged(known: pa.Table, read: pa.Table) -> pa.Table:
    aggregates = [("n", "sum"), ("first_time", "min"), ("last_time", "max"), ("_seq", "min")]
    both = pa.concat_tables([known, read.cast(known.schema)])
    return both.group_by(TEMPLATE).aggregate(aggregates).rename_columns(list(GROUPED))


def _frequent(groups: pa.Table, at_most: int) -> pa.Table:
    """The groups that may be among the first: all with as many records as the last of them."""
    counts = groups["n"].to_numpy()
    if len(counts) <= at_most:
        return groups
    return groups.filter(pa.array(counts >= np.partition(counts, -at_most)[-at_most]))


def _patterns(groups: pa.Table, texts: Texts) -> pa.Array:
    """What the groups' templates are shown as; null where the indexes do not know them."""
    ids = groups[TEMPLATE].combine_chunks()
    places = pc.index_in(ids, pa.array(texts.ids))
    known = pa.chunked_array(list(texts.chunks), pa.string()).take(places)
    return pc.replace_substring(known, WILDCARD, SHOWN_WILDCARD).combine_chunks()


def _examples(session: Session, seqs: list[int], places: Mapping[int, Place]) -> dict[int, str]:
    """The messages of these records."""
    of_groups: defaultdict[Place, list[int]] = defaultdict(list)
    others: list[int] = []
    for seq in seqs:
        place = places.get(seq)
        (others if place is None else of_groups[place]).append(seq)
    found = [_read(segment, group, wanted) for (segment, group), wanted in of_groups.items()]
    if others:
        session.register("wanted", pa.table({"_seq": others}))
        found.append(session.fetch("SELECT _seq, message FROM records WHERE _seq IN (SELECT _seq FROM wanted)"))
    rows = (zip(part["_seq"].to_pylist(), part["message"].to_pylist(), strict=True) for part in found)
    return dict(chain.from_iterable(rows))


def _read(segment: Segment, group: int, seqs: list[int]) -> pa.Table:
    table = segments.read_groups(segment, [group], ["_seq", "message"])
    return table.filter(pc.is_in(table["_seq"], pa.array(seqs)))
