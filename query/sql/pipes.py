"""What each pipe makes of the rows before it."""

from dataclasses import replace

from query import ast, walk
from query.errors import invalid, shown
from query.sql.answer import Kind
from query.sql.expressions import NULL, condition_of, value_of
from query.sql.fragment import sql
from query.sql.patterns import patterns
from query.sql.relation import Relation, order_keys
from query.sql.stats import stats
from query.sql.value import text


def apply(pipe: ast.Pipe, before: Relation) -> Relation:
    """The rows after a pipe."""
    named = before.naming(tuple(name.name for name in walk.names(pipe)))
    match pipe:
        case ast.Where():
            return where(pipe, named)
        case ast.Fields():
            return fields(pipe, named)
        case ast.Extend():
            return extend(pipe, named)
        case ast.Stats():
            return stats(pipe, before.settled())
        case ast.Sort():
            return sort(pipe, named)
        case ast.Limit():
            return limit(pipe, named)
        case ast.Top():
            return top(pipe, before.settled())
        case ast.Uniq():
            return uniq(pipe, named)
        case ast.Patterns():
            return patterns(pipe, before.settled())


def where(pipe: ast.Where, before: Relation) -> Relation:
    rows = before.settled()
    return rows.where(condition_of(pipe.condition, rows.context))


def fields(pipe: ast.Fields, before: Relation) -> Relation:
    made = {name.name: replace(before.value(name.name), name=name.name) for name in pipe.names}
    return replace(before, scope=replace(before.scope, made=made, is_open=False), names=tuple(made))


def extend(pipe: ast.Extend, before: Relation) -> Relation:
    rows = before
    for assignment in pipe.assignments:
        rows = _assigned(assignment, rows)
    return rows


def _assigned(assignment: ast.Assignment, before: Relation) -> Relation:
    value = value_of(assignment.expression, before.context)
    rows = before
    if not isinstance(assignment.expression, ast.Name):
        rows, (value,) = before.settled().with_columns((value,))
    names = tuple(dict.fromkeys((*rows.names, assignment.name)))
    return replace(rows, scope=rows.scope.with_field(assignment.name, value), names=names)


def sort(pipe: ast.Sort, before: Relation) -> Relation:
    """Equal rows keep the order that they have."""
    rows = before.settled()
    keys = [order_keys(rows.value(key.name.name), descending=key.descending) for key in pipe.keys]
    order = dict.fromkeys((*(term for terms in keys for term in terms), *rows.order))
    return replace(rows, order=tuple(order), in_total_order=False, is_rowwise=False)


def limit(pipe: ast.Limit, before: Relation) -> Relation:
    rows = pipe.rows if before.rows is None else min(pipe.rows, before.rows)
    return replace(before, rows=rows, own_limit=True)


def top(pipe: ast.Top, before: Relation) -> Relation:
    counts = ast.Aggregate("count", None, "count", pipe.at)
    keys = tuple(ast.Key(name, name.name, name.at) for name in pipe.names)
    grouped = stats(ast.Stats((counts,), keys, pipe.at), before)
    most_first = order_keys(grouped.value("count"), descending=True)
    return replace(grouped, order=(*most_first, *grouped.order), rows=pipe.rows)


def uniq(pipe: ast.Uniq, before: Relation) -> Relation:
    """Grouping by the fields alone, with the values as the first row of each group has them."""
    return fields(ast.Fields(pipe.names), _first_of_each(pipe, before.settled()))


def _first_of_each(pipe: ast.Uniq, rows: Relation) -> Relation:
    keys = [key for key in (rows.value(name.name) for name in pipe.names) if key.sql != NULL.sql]
    if not keys:
        return replace(rows, rows=1).settled()
    groups = [key.sql if key.kind is Kind.TIME else text(key) for key in keys]
    marks = ", ".join("{}" for _ in groups)
    layer = rows.select(sql(f"DISTINCT ON ({marks}) *", *groups))
    return replace(rows, source=sql("({})", layer), conditions=(), is_rowwise=False)


def check_one_column(query: ast.Query, relation: Relation) -> None:
    """Raise InvalidQuery unless a subquery's answer has one column."""
    if len(relation.names) == 1:
        return
    last = query.pipes[-1]
    columns = ", ".join(shown(name) for name in relation.names[:4])
    hint = "end it with | fields and one name"
    raise invalid(f"the query in the list has {len(relation.names)} columns ({columns}…)", last.at, hint)
