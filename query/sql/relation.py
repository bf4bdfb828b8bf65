"""What a pipeline has come to so far: rows, the fields that they have, and their order."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from query import ast
from query.sql.answer import Column, Kind
from query.sql.expressions import NULL, Context
from query.sql.fields import Scope, own_column, resolve
from query.sql.fragment import Sql, join, joined, sql
from query.sql.value import Condition, Value, json, number, text

RECORD: Final = (
    "time",
    "cluster",
    "namespace",
    "pod",
    "container",
    "stream",
    "severity",
    "message",
    "trace_id",
    "span_id",
    "labels",
    "attributes",
)
"""What a record comes out as."""

RECORDS: Final = Sql("records")


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of `source` under `conditions`, in `order`, at most `rows` of them.

    `names` are the fields that come out. While `of_records`, each row is a record, and the source has all its columns;
    `in_total_order` then says that its place in the total order is the row's.
    """

    source: Sql
    now_ns: int
    subquery: Callable[[ast.Query], Sql]
    scope: Scope = field(default_factory=Scope)
    names: tuple[str, ...] = RECORD
    conditions: tuple[Sql, ...] = ()
    order: tuple[Sql, ...] = ()
    rows: int | None = None
    made: int = 0
    of_records: bool = True
    in_total_order: bool = True
    is_rowwise: bool = True
    own_limit: bool = False

    @property
    def context(self) -> Context:
        return Context(self.scope, self.now_ns, self.subquery)

    def value(self, name: str) -> Value:
        return resolve(self.scope, name) or NULL

    def where(self, condition: Condition) -> "Relation":
        return replace(self, conditions=(*self.conditions, condition.sql))

    def naming(self, names: tuple[str, ...]) -> "Relation":
        """Records come out with these fields too."""
        if not self.scope.is_open:
            return self
        return replace(self, names=tuple(dict.fromkeys((*self.names, *names))))

    def settled(self) -> "Relation":
        """The same rows, with a row limit applied, so that more can be asked of them."""
        if self.rows is None:
            return self
        layer = self.select(Sql("*"))
        return replace(self, source=sql("({})", layer), conditions=(), rows=None, is_rowwise=False)

    def with_columns(self, values: tuple[Value, ...]) -> tuple["Relation", tuple[Value, ...]]:
        """The same rows with more columns, and these columns as values."""
        stored, columns, made = stored_as(values, self.made)
        selected = join(", ", [Sql("*"), *columns])
        layer = replace(self, order=()).select(selected)
        return replace(self, source=sql("({})", layer), conditions=(), made=made), stored

    def select(self, columns: Sql, tail: str = "") -> Sql:
        """SELECT columns of these rows; `tail` stands between WHERE and ORDER BY."""
        text_ = sql("SELECT {} FROM {}", columns, self.source)
        if self.conditions:
            text_ = sql("{} WHERE {}", text_, _all(self.conditions))
        if tail:
            text_ = sql("{} " + tail, text_)
        if self.order:
            text_ = sql("{} ORDER BY {}", text_, join(", ", self.order))
        return text_ if self.rows is None else sql(f"{{}} LIMIT {self.rows}", text_)


def stored_as(values: tuple[Value, ...], made: int) -> tuple[tuple[Value, ...], list[Sql], int]:
    """Values as columns of a layer of their own: how to read them there, what selects them, how many were ever made."""
    stored: list[Value] = []
    columns: list[Sql] = []
    for value in values:
        made += 1
        name = f"x{made}"
        columns.append(sql("{} AS " + name, value.sql))
        as_json = None
        if value.kind is Kind.JSON:
            as_json = Sql(f"{name}_json")
            columns.append(sql("{} AS " + as_json.text, json(value)))
        stored.append(replace(value, sql=Sql(name), json=as_json, number=None, present=None))
    return tuple(stored), columns, made


def order_keys(value: Value, *, descending: bool) -> tuple[Sql, ...]:
    """ORDER BY terms: numbers by size, before texts; nulls last. None for what is null in every row."""
    if value.sql == NULL.sql:
        return ()
    direction = "DESC" if descending else "ASC"
    term = "{} " + direction + " NULLS LAST"
    if value.kind not in (Kind.TEXT, Kind.JSON) or value.verbatim:
        return (sql(term, value.sql),)
    integer = sql("TRY_CAST(regexp_extract({}, '^-?[0-9]+$') AS BIGNUM)", value.sql)
    return (sql(term, number(value)), sql(term, integer), sql(term, text(value)))


def total_order(order: str) -> tuple[Sql, ...]:
    direction = "ASC" if order == "asc" else "DESC"
    return (Sql(f"time {direction}"), Sql(f"_seq {direction}"))


def column(relation: Relation, name: str, dynamic: str) -> tuple[Column, Sql]:
    """A field as it comes out; of a record's own columns that is what the sender put there."""
    is_own = relation.scope.is_open and name in RECORD and name not in relation.scope.made
    value = own_column(name) if is_own else relation.value(name)
    if value.kind is not Kind.JSON:
        return Column(name, value.kind), value.sql
    if dynamic == "text":
        return Column(name, Kind.TEXT), value.sql
    return Column(name, Kind.JSON), json(value)


def _all(conditions: tuple[Sql, ...]) -> Sql:
    if len(conditions) == 1:
        return conditions[0]
    return joined("AND", [sql("({})", condition) for condition in conditions])
