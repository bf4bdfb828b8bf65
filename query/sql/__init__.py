"""A query as DuckDB SQL.

The relation. Compiled SQL reads `FROM records`, wherever it needs records (subqueries too). The caller makes
that name mean what the query shall see: a registered Arrow table, a view, or a CTE put before the SQL. It has the
columns of `logstore.record.STORED`: `time` TIMESTAMP_NS, `_seq` BIGINT, the rest VARCHAR (`labels` and
`attributes` JSON object texts or null).

The answer. The SQL's columns are those of `Compiled.columns`, by position: two fields whose names differ only in
case cannot both be named so in SQL. Times come as TIMESTAMP_NS.
"""

from query.sql.answer import Column, Compiled, Kind, Place, Window
from query.sql.compiler import compile_first_groups, compile_parts, compile_query, predicate
from query.sql.fragment import Sql
from query.sql.parts import Parts

compile = compile_query  # noqa: A001 - the module's name says of what

__all__ = [
    "Column",
    "Compiled",
    "Kind",
    "Parts",
    "Place",
    "Sql",
    "Window",
    "compile",
    "compile_first_groups",
    "compile_parts",
    "predicate",
]
