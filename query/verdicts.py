"""What conditions on a message say of its template, before any message is read: yes, no, or maybe.

A condition's two bounds (`must`: all messages of the template satisfy it; `may`: some might) are SQL over the texts of
templates, so that there is one evaluator; a whole filter's follow from those of its parts.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore.numbering import Texts
from query import ast
from query.sql.filters import ids_among
from query.sql.verdicts import Leaf, leaf
from query.walk import children

if TYPE_CHECKING:
    from query.session import Session

LEAVES_MAX: Final = 16
"""Conditions of one query that are decided by templates; the others are read."""
REMEMBERED: Final = 256

Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of each numbered template, and last (so that its number is -1) of records without a template."""

    must: Flags
    may: Flags


class Verdicts:
    """Works verdicts out, and remembers them; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, ...], Verdict] = OrderedDict()

    def of(self, session: "Session", leaves: Sequence[Leaf], texts: Texts) -> dict[ast.Expression, Verdict]:
        """The verdict of each leaf on all templates."""
        count = len(texts.ids)
        keys = [(texts.generation, texts.version, one.must, one.may) for one in leaves]
        with self._lock:
            known = [self._known.get(key) for key in keys]
            for key in self._known.keys() & keys:
                self._known.move_to_end(key)
        found: dict[ast.Expression, Verdict] = {}
        for key, one, old in zip(keys, leaves, known, strict=True):
            done = len(old.must) - 1 if old is not None else 0
            if old is not None and done >= count:
                found[one.condition] = _of_first(old, count)
                continue
            verdict = found[one.condition] = _extended(session, one, old, texts, done)
            with self._lock:
                self._known[key] = verdict
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return found


def _of_first(verdict: Verdict, count: int) -> Verdict:
    """The verdict on so many templates; another query may have asked for more of them meanwhile."""
    if len(verdict.must) == count + 1:
        return verdict
    return Verdict(np.append(verdict.must[:count], False), np.append(verdict.may[:count], True))


def _extended(session: "Session", one: Leaf, old: Verdict | None, texts: Texts, done: int) -> Verdict:
    """The verdict on templates from number `done` on, after what is known already."""
    messages = pa.chunked_array(list(texts.chunks), pa.string()).slice(done)
    numbers = pa.array(np.arange(len(messages)))
    letters = pa.array(texts.letters[done:])
    session.register("templates", pa.table({"number": numbers, "message": messages, "letters": letters}))
    sql = f"SELECT number, ({one.must.text}) AS must, ({one.may.text}) AS may FROM templates"
    rows = session.fetch_numbers(sql, [*one.must.params, *one.may.params])
    order = np.argsort(rows["number"], kind="stable")
    must, may = rows["must"][order].astype(np.bool_), rows["may"][order].astype(np.bool_)
    before = (old.must[:-1], old.may[:-1]) if old is not None else (np.zeros(0, np.bool_), np.zeros(0, np.bool_))
    return Verdict(np.concatenate((before[0], must, [False])), np.concatenate((before[1], may, [True])))


def leaves(conditions: Sequence[ast.Expression]) -> list[Leaf]:
    """The conditions on messages alone in these, each once."""
    found: dict[ast.Expression, Leaf] = {}
    for condition in conditions:
        for part in _parts(condition):
            one = leaf(part)
            if one is not None and len(found) < LEAVES_MAX:
                found[part] = one
    return list(found.values())


def _parts(condition: ast.Expression) -> Iterator[ast.Expression]:
    if isinstance(condition, ast.And | ast.Or | ast.Not):
        # Of many ids at once templates would say nothing that filters do not.
        parts = ids_among(condition.items)[1] if isinstance(condition, ast.Or) else children(condition)
        for child in parts:
            if not isinstance(child, ast.Query):
                yield from _parts(child)  # type: ignore[arg-type]
        return
    yield condition


def combine(condition: ast.Expression, known: Mapping[ast.Expression, Verdict], count: int) -> Verdict:
    """The verdict of a whole condition on `count` templates; what no leaf decides is a maybe."""
    if (found := known.get(condition)) is not None:
        return found
    match condition:
        case ast.All():
            return Verdict(np.ones(count + 1, np.bool_), np.ones(count + 1, np.bool_))
        case ast.Not(item):
            inner = combine(item, known, count)
            return Verdict(~inner.may, ~inner.must)
        case ast.And(items) | ast.Or(items):
            each = [combine(item, known, count) for item in items]
            if len(each) == 1:
                return each[0]
            both = np.logical_and.reduce if isinstance(condition, ast.And) else np.logical_or.reduce
            return Verdict(both([one.must for one in each]), both([one.may for one in each]))
    return Verdict(np.zeros(count + 1, np.bool_), np.ones(count + 1, np.bool_))
