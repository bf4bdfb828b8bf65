"""Which values a field has, and how often."""

from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logstore.errors import InvalidInput
from logstore.record import IDENTITY
from logstore.store import Store
from query import ast
from query.engine import Engine
from query.execute import collect
from query.parser import parse
from query.request import Request, record_part

DEFAULT_VALUES: Final = 100
MAX_VALUES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field, what its values begin with (case counts), and how many are wanted."""

    field: str
    prefix: str = ""
    limit: int = DEFAULT_VALUES


def values(store: Store, engine: Engine, request: Request, wanted: Wanted) -> dict[str, object]:
    """The most frequent values among the records that the query finds, as texts; nulls and empty ones left out.

    Raises:
        InvalidInput: no field, or too many values asked for.
    """
    if not wanted.field:
        raise InvalidInput("`field` is missing: the name of a column, attribute or label")
    if not 1 <= wanted.limit <= MAX_VALUES:
        raise InvalidInput(f"`limit` has to be from 1 to {MAX_VALUES}")
    query = record_part(parse(request.text, request.now_ns))
    if _is_in_catalog(query, request, wanted):
        counted = _from_catalog(store, wanted)
    else:
        counted = _from_records(store, engine, query, request, wanted)
    found = counted.slice(0, wanted.limit).to_pylist()
    return {"values": found, "truncated": counted.num_rows > wanted.limit}


def _is_in_catalog(query: ast.Query, request: Request, wanted: Wanted) -> bool:
    is_everything = isinstance(query.filter, ast.All) and not query.pipes
    has_range = request.start_ns is not None or request.end_ns is not None
    return is_everything and not has_range and wanted.field in IDENTITY


def _from_catalog(store: Store, wanted: Wanted) -> pa.Table:
    streams = store.streams()
    counted = pa.table([streams[wanted.field].cast(pa.string()), streams["records"]], names=["value", "records"])
    counted = counted.filter(pc.starts_with(counted["value"], wanted.prefix)).filter(pc.field("value") != "")
    grouped = counted.group_by("value").aggregate([("records", "sum")]).rename_columns(["value", "count"])
    return grouped.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, wanted.limit + 1)


def _from_records(store: Store, engine: Engine, query: ast.Query, request: Request, wanted: Wanted) -> pa.Table:
    name = ast.Name(wanted.field)
    condition: ast.Expression = ast.Present(name)
    if wanted.prefix:
        condition = ast.And((condition, ast.Contains(name, ast.Affix.START, wanted.prefix)))
    pipes = (*query.pipes, ast.Where(condition), ast.Top(wanted.limit + 1, (name,)))
    table = collect(store, engine, replace(query, pipes=pipes), replace(request, dynamic="text"))
    return table.rename_columns(["value", "count"]).set_column(0, "value", table.column(0).cast(pa.string()))
