"""Verdicts on templates made surer by the words that all their messages have, in a segment, in the place of a wildcard:
of `GET /api/<*>/cart HTTP/<*>.<*>` the phrase "GET /api/v1/cart" is a *maybe*, but a *yes* where each has v1 there.

A condition's `must` is asked of the fuller texts as it is of templates: what it finds between wildcards stands in all
messages. Such a template of a segment gets a number of its own after the others, for this one question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logstore.errors import QueryTimeout, QueryTooExpensive
from logstore.indexes import Known, known_by
from logstore.order import Ints
from logstore.words import stands_free
from query import ast
from query.session import Session
from query.sql.filters import lower
from query.sql.verdicts import Leaf
from query.verdicts import Flags, Verdict

ASKED_MAX: Final = 8_192
"""Templates of segments that are asked at once; of more, all stay maybes."""

_NONE: Final = np.zeros(0, np.int64)

Told: TypeAlias = Mapping[ast.Expression, Verdict]


def surer(
    session: Session, leaves: Sequence[Leaf], told: Told, ids: Ints, known: list[Known | None]
) -> tuple[list[Known | None], Told, Ints]:
    """What is known of segments, the leaves' verdicts on numbered templates, and these templates' ids."""
    opens = {one: (told[one.condition].may & ~told[one.condition].must)[:-1] for one in leaves}
    open_leaves = [one for one, is_open in opens.items() if is_open.any()]
    places = _open_ones(known, np.logical_or.reduce(list(opens.values()))) if open_leaves else None
    if places is None:
        return known, told, ids
    numbers = np.concatenate([k.numbers[at] for k, at in zip(known, places, strict=True) if k is not None])
    texts = pa.concat_arrays(
        [k.index.fuller.take(pa.array(at)) for k, at in zip(known, places, strict=True) if k is not None]
    ).dictionary_encode()
    asked = [one for one in open_leaves if _may_be_in(one.condition, texts.dictionary)]
    if not asked:
        return known, told, ids
    try:
        musts = _musts(session, asked, texts)
    except (QueryTimeout, QueryTooExpensive):
        return known, told, ids
    is_surer = np.logical_or.reduce([must & ~told[leaf].must[numbers] for leaf, must in musts.items()])
    if not is_surer.any():
        return known, told, ids
    renumbered = np.where(is_surer, len(ids) + np.cumsum(is_surer) - 1, numbers)
    of_known = np.split(renumbered, np.cumsum([len(at) for at in places])[:-1])
    again: list[Known | None] = [
        None if k is None else _with_numbers(k, at, new) for k, at, new in zip(known, places, of_known, strict=True)
    ]
    old = numbers[is_surer]
    verdicts = {leaf: _with_more(one, old, musts.get(leaf), is_surer) for leaf, one in told.items()}
    return again, verdicts, np.concatenate((ids, ids[old]))


def _open_ones(known: Sequence[Known | None], is_open: Flags) -> list[Ints] | None:
    """Where each index has fuller texts of templates that are open; None where that is none, or are too many."""
    found: list[Ints] = []
    count = 0
    for one in known:
        found.append(_NONE if one is None else _fuller_ones(one, is_open))
        count += len(found[-1])
        if count > ASKED_MAX:
            return None
    return found if count else None


def _fuller_ones(known: Known, is_open: Flags) -> Ints:
    places = np.flatnonzero(is_open[known.numbers])
    if not len(places):
        return _NONE
    has_more: Flags = pc.not_equal(known.index.fuller.take(pa.array(places)), "").to_numpy(zero_copy_only=False)
    return places[has_more]


def _may_be_in(condition: ast.Expression, texts: pa.StringArray) -> bool:
    """Whether any of the texts can have what the condition looks for, so that asking them is worth a statement."""
    match condition:
        case ast.Phrase(_, text, prefix) if text and text.isascii():
            return bool(stands_free(texts, lower(text), is_prefix=prefix).any())
        case ast.Contains(_, _, text):
            return bool(pc.any(pc.match_substring(texts, text)).as_py())
    return True


def _musts(session: Session, leaves: Sequence[Leaf], texts: pa.DictionaryArray) -> dict[ast.Expression, Flags]:
    """Of each leaf, which of the texts it surely accepts."""
    distinct = texts.dictionary
    zeros = np.zeros(len(distinct), np.int64)
    session.register("templates", pa.table({"number": np.arange(len(distinct)), "message": distinct, "letters": zeros}))
    columns = ", ".join(f"({leaf.must.text}) AS m{at}" for at, leaf in enumerate(leaves))
    params = [param for leaf in leaves for param in leaf.must.params]
    rows = session.fetch_numbers(f"SELECT number, {columns} FROM templates", params)
    order = np.argsort(rows["number"], kind="stable")
    codes = texts.indices.to_numpy()
    return {leaf.condition: rows[f"m{at}"][order].astype(np.bool_)[codes] for at, leaf in enumerate(leaves)}


def _with_numbers(known: Known, places: Ints, numbers: Ints) -> Known:
    if np.array_equal(known.numbers[places], numbers):
        return known
    changed = known.numbers.copy()
    changed[places] = numbers
    return known_by(known.index, changed, known.generation)


def _with_more(verdict: Verdict, numbers: Ints, must: Flags | None, is_surer: Flags) -> Verdict:
    """With one more for each template of these numbers; that of records without a template stays the last."""
    musts = verdict.must[numbers] if must is None else verdict.must[numbers] | must[is_surer]
    return replace(
        verdict,
        must=np.concatenate((verdict.must[:-1], musts, verdict.must[-1:])),
        may=np.concatenate((verdict.may[:-1], verdict.may[numbers] | musts, verdict.may[-1:])),
    )
