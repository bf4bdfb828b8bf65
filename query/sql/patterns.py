"""The pipe `patterns`: records grouped by their messages' templates.

Groups are of ids alone, which segments have in a column; which are the first is told by their counts and by the
numbers of their first records, so that of messages only those that come out as examples are read. Where the caller
finds the first groups itself (`Stored.groups`), it makes `frequent` mean these, with their `pattern`, or null, and
`message`, which may be null where it is not asked for.
"""

from dataclasses import replace
from typing import Final

from query import ast
from query.errors import invalid
from query.sql.answer import Kind
from query.sql.expressions import NULL
from query.sql.fields import TEMPLATE, Scope, resolve
from query.sql.fragment import Sql, join, sql
from query.sql.relation import RECORDS, Relation, order_keys, stored_as
from query.sql.value import Value, text

COLUMNS: Final = {
    "pattern": Value(Sql("template_text(message)"), Kind.TEXT, verbatim=True),
    "count": Value(Sql("n"), Kind.INTEGER, nullable=False),
    "share": Value(Sql("n / total"), Kind.FLOAT, nullable=False),
    "first_time": Value(Sql("first_time"), Kind.TIME),
    "last_time": Value(Sql("last_time"), Kind.TIME),
    "example": Value(Sql("message"), Kind.TEXT, verbatim=True),
}
GROUPED: Final = (TEMPLATE, "n", "first_time", "last_time", "_seq")
"""The columns of groups whose messages are the records' own."""
FIRST: Final = (*GROUPED, "total")
"""Those of the first groups: with how many records there are in all groups."""
_PATTERN_KNOWN: Final = Value(Sql("coalesce(pattern, template_text(message))"), Kind.TEXT, verbatim=True)
_EXAMPLE_SEQ: Final = Value(Sql("_seq"), Kind.INTEGER, nullable=False)
_OWN_MESSAGE: Final = Sql("message")
_TOTAL: Final = "(SELECT CAST(sum(n) AS BIGINT) FROM grouped) AS total"
_ALL_GROUPS: Final = (
    f"SELECT {TEMPLATE}, CAST(sum(n) AS BIGINT) AS n, min(first_time) AS first_time, max(last_time) AS last_time, "
    f"min(_seq) AS _seq FROM ({{}} UNION ALL SELECT {', '.join(GROUPED)} FROM counted) GROUP BY 1"
)


def patterns(pipe: ast.Patterns, before: Relation) -> Relation:
    """One row a pattern, the most frequent first, equally frequent ones by their first records' numbers; that record is
    the example of each."""
    message, time = _needed("message", pipe, before), _needed("time", pipe, before)
    if time.kind is not Kind.TIME:
        raise invalid('"patterns" needs the field "time" to be a time', pipe.at, "give the other field another name")
    has_groups = before.scope.stored.groups
    shown = {**COLUMNS, "pattern": _PATTERN_KNOWN} if has_groups else COLUMNS
    stored, columns, made = stored_as((*shown.values(), _EXAMPLE_SEQ), before.made)
    fields = {name: replace(value, name=name) for name, value in zip(COLUMNS, stored, strict=False)}
    count, seq = fields["count"], stored[-1]
    return replace(
        before,
        source=sql("(SELECT {} FROM frequent)", join(", ", columns))
        if has_groups
        else sql(
            "(WITH grouped AS MATERIALIZED ({}) SELECT {} FROM ({}){})",
            _grouped(message, time, before),
            join(", ", columns),
            _first(pipe.rows),
            _examples(message),
        ),
        conditions=(),
        scope=Scope(fields, is_open=False),
        names=tuple(fields),
        order=(
            *order_keys(count, descending=True),
            *order_keys(seq, descending=False),
        ),
        rows=pipe.rows,
        made=made,
        of_records=False,
        in_total_order=False,
        is_rowwise=False,
        own_limit=True,
    )


def first_groups(pipe: ast.Patterns, before: Relation) -> Sql:
    """The statement that finds the first groups of records and of `counted` ones; its columns are `FIRST`, and those of
    `counted` are `GROUPED`."""
    own = _grouped(_needed("message", pipe, before), _needed("time", pipe, before), before)
    return sql("WITH grouped AS MATERIALIZED ({}) {}", sql(_ALL_GROUPS, own), _first(pipe.rows))


def _needed(name: str, pipe: ast.Patterns, before: Relation) -> Value:
    if not before.of_records:
        raise invalid('"patterns" needs records, and these rows are none', pipe.at, "put it before stats or top")
    value = resolve(before.scope, name)
    if value is None or value.sql == NULL.sql:
        raise invalid(f'"patterns" needs the field "{name}"', pipe.at, "keep it, as in | fields time, message")
    return value


def _grouped(message: Value, time: Value, before: Relation) -> Sql:
    """A group's id, size, times, and the number of its first record, with the message unless that can be looked up."""
    is_own = message.sql == _OWN_MESSAGE
    has_ids = is_own and before.scope.stored.templates
    columns = [
        Sql(TEMPLATE) if has_ids else sql(f"template_id({{}}) AS {TEMPLATE}", text(message)),
        Sql("count(*) AS n"),
        sql("min({}) AS first_time", time.sql),
        sql("max({}) AS last_time", time.sql),
        Sql("min(_seq) AS _seq"),
    ]
    if not is_own:
        columns.append(sql("arg_min({}, _seq) AS message", text(message)))
    return replace(before, order=()).select(join(", ", columns), "GROUP BY 1")


def _first(rows: int) -> Sql:
    return Sql(f"SELECT *, {_TOTAL} FROM grouped ORDER BY n DESC, _seq LIMIT {rows}")


def _examples(message: Value) -> Sql:
    """What puts to groups the messages of their examples, unless they have these."""
    if message.sql != _OWN_MESSAGE:
        return Sql("")
    return sql(" JOIN (SELECT _seq, message FROM {}) USING (_seq)", RECORDS)
