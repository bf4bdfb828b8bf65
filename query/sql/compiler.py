"""A whole query as one SELECT."""

from dataclasses import replace
from functools import reduce
from typing import Final, Literal

from logstore.record import COLUMNS
from query import ast
from query.errors import invalid
from query.sql.answer import Compiled, Place, Window
from query.sql.expressions import Context, condition_of
from query.sql.fields import ANYTHING, Scope, Stored
from query.sql.fragment import Sql, aliased, bind, join, sql
from query.sql.parts import Parts, in_parts, split
from query.sql.patterns import first_groups
from query.sql.pipes import apply, check_one_column
from query.sql.relation import RECORDS, Relation, column, total_order
from query.sql.value import Condition, text

SEQ: Final = "_seq"
ALL_TIME: Final = Window()


def compile_query(
    query: ast.Query,
    window: Window = ALL_TIME,
    *,
    order: Literal["asc", "desc"] = "desc",
    limit: int | None = None,
    after: Place | None = None,
    with_seq: bool = False,
    with_place: bool = False,
    after_seq: int | None = None,
    up_to_seq: int | None = None,
    dynamic: Literal["json", "text"] = "json",
    stored: Stored = ANYTHING,
) -> Compiled:
    """Compile a query; every error that its text can cause is raised here, before anything is read.

    Args:
        window: bounds the records of the query and of its subqueries.
        order: the order that pipes see and the answer has, until `sort` or `stats` gives another.
        limit: at most so many rows; None: all.
        after: only what comes after it in `order`; only for row-wise queries.
        with_seq: adds `_seq`, where rows are records and it is not there anyway.
        with_place: see Compiled; only for row-wise queries.
        after_seq: only records with a greater `_seq` (not in subqueries).
        up_to_seq: only records with at most this `_seq` (in subqueries too).
        dynamic: whether values of attributes and labels come as JSON (kind `json`) or as their text form (`text`).
        stored: what is known of the records that are read.

    Raises:
        InvalidQuery: with position and hint.
    """
    visible = (*_in_window(window), *_up_to(up_to_seq))
    rows = _Pipeline(order, visible, query.now_ns, stored).run(query, (*_after_seq(after_seq), *_after(after, order)))
    if (after is not None or with_place) and not rows.is_rowwise:
        raise ValueError("only row-wise queries have places")
    names = rows.names if not with_seq or not rows.of_records else tuple(dict.fromkeys((*rows.names, SEQ)))
    if with_seq and rows.of_records and not rows.scope.is_open and SEQ not in rows.scope.made:
        rows = replace(rows, scope=rows.scope.with_field(SEQ, replace(rows, scope=Scope()).value(SEQ)))
    return _selected(rows, names, limit, with_place, dynamic)


def compile_parts(
    query: ast.Query,
    window: Window = ALL_TIME,
    *,
    limit: int | None = None,
    up_to_seq: int | None = None,
    dynamic: Literal["json", "text"] = "json",
    stored: Stored = ANYTHING,
) -> Parts | None:
    """A query without subqueries in two steps, of which the first is one segment at a time; the arguments are those of
    `compile_query`. None where it is not one of statistics that can be merged.

    Raises:
        InvalidQuery: with position and hint.
    """
    found = split(query)
    if found is None:
        return None
    visible = (*_in_window(window), *_up_to(up_to_seq))
    records = _Pipeline("desc", visible, query.now_ns, stored).run(found.before)
    select, columns, groups = in_parts(found.stats, records)
    whole = reduce(lambda rows, pipe: apply(pipe, rows), found.after, groups)
    return Parts(select.text, select.params, columns, _selected(whole, whole.names, limit, False, dynamic))


def compile_first_groups(
    query: ast.Query, window: Window = ALL_TIME, *, up_to_seq: int | None = None, stored: Stored = ANYTHING
) -> Sql:
    """The statement of `first_groups`, of the query's first pipe but `where`, which is `patterns`."""
    at, pipe = next((at, pipe) for at, pipe in enumerate(query.pipes) if isinstance(pipe, ast.Patterns))
    visible = (*_in_window(window), *_up_to(up_to_seq))
    before = replace(query, pipes=query.pipes[:at])
    return first_groups(pipe, _Pipeline("desc", visible, query.now_ns, stored).run(before))


def predicate(filter: ast.Filter, now_ns: int = 0) -> Sql:  # noqa: A002
    """A filter as a SQL condition over the columns of `records`; never null.

    Raises:
        InvalidQuery: with position and hint.
    """
    condition = condition_of(filter, Context(Scope(), now_ns, _no_subquery))
    return sql("coalesce({}, false)", condition.sql) if condition.nullable else condition.sql


def _no_subquery(query: ast.Query) -> Sql:
    raise invalid("a query in a list cannot be used here", query.filter.at, "list the values")


class _Pipeline:
    """Compiles a query and its subqueries, which see the same records in the same order."""

    def __init__(self, order: Literal["asc", "desc"], visible: tuple[Sql, ...], now_ns: int, stored: Stored) -> None:
        self._order = order
        self._stored = stored
        self._visible = visible
        self._now_ns = now_ns

    def run(self, query: ast.Query, more: tuple[Sql, ...] = ()) -> Relation:
        records = Relation(
            RECORDS, self._now_ns, self._subquery, Scope(stored=self._stored), conditions=(*self._visible, *more)
        )
        ordered = replace(records, order=total_order(self._order))
        return reduce(lambda rows, pipe: apply(pipe, rows), query.pipes, _filtered(query.filter, ordered))

    def _subquery(self, query: ast.Query) -> Sql:
        rows = self.run(query)
        check_one_column(query, rows)
        value = text(rows.value(rows.names[0]))
        listed = rows.where(Condition(sql("{} IS NOT NULL", value))) if rows.rows is None else rows
        if rows.rows is None:
            return replace(listed, order=()).select(value)
        return sql("SELECT v FROM ({}) WHERE v IS NOT NULL", listed.select(sql("{} AS v", value)))


def _filtered(filter_: ast.Filter, rows: Relation) -> Relation:
    if isinstance(filter_, ast.All):
        return rows
    items = filter_.items if isinstance(filter_, ast.And) else (filter_,)
    for item in items:
        rows = rows.where(condition_of(item, rows.context))
    return rows


def _selected(rows: Relation, names: tuple[str, ...], limit: int | None, with_place: bool, dynamic: str) -> Compiled:
    columns = [column(rows, name, dynamic) for name in names]
    reserved = frozenset(COLUMNS) if rows.of_records else frozenset[str]()
    pieces = aliased([(shown.name, piece) for shown, piece in columns], reserved)
    if with_place:
        pieces += [Sql("time AS place_time"), Sql("_seq AS place_seq")]
    fewest = min((n for n in (limit, rows.rows) if n is not None), default=None)
    select = replace(rows, rows=fewest).select(join(", ", pieces))
    return Compiled(
        sql=select.text,
        params=list(select.params),
        columns=tuple(shown for shown, _ in columns),
        ordered_by_time=rows.of_records and rows.in_total_order,
        is_rowwise=rows.is_rowwise,
        own_limit=rows.own_limit,
        with_place=with_place,
    )


def _in_window(window: Window) -> tuple[Sql, ...]:
    start = () if window.start_ns is None else (sql("time >= make_timestamp_ns({})", bind(window.start_ns)),)
    end = () if window.end_ns is None else (sql("time < make_timestamp_ns({})", bind(window.end_ns)),)
    return (*start, *end)


def _up_to(seq: int | None) -> tuple[Sql, ...]:
    return () if seq is None else (sql("_seq <= {}", bind(seq)),)


def _after_seq(seq: int | None) -> tuple[Sql, ...]:
    return () if seq is None else (sql("_seq > {}", bind(seq)),)


def _after(place: Place | None, order: str) -> tuple[Sql, ...]:
    if place is None:
        return ()
    beyond = ">" if order == "asc" else "<"
    moment = sql("make_timestamp_ns({})", bind(place.time_ns))
    later = sql(f"(time {beyond} {{}} OR _seq {beyond} {{}})", moment, bind(place.seq))
    return (sql(f"time {beyond}= {{}}", moment), later)
