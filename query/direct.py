"""Rows made without SQL, of records that are known to match: stored columns, in the order of time."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from logstore.enrich import whole
from logstore.native.arrays import int64s
from logstore.record import COLUMNS, STORED
from query import ast
from query.picking import read_rows
from query.session import Session
from query.slices import Order, Slice
from query.sql import Compiled

_MADE_OF_OTHERS = frozenset(("trace_id", "span_id"))
"""Named in `fields`, they are what attributes or labels say where the sender left the column empty."""


def is_direct(query: ast.Query, compiled: Compiled) -> bool:
    """Whether the columns of the query's rows are those of its records as they are stored."""
    names = {column.name for column in compiled.columns}
    if not names <= set(COLUMNS):
        return False
    match query.pipes:
        case ():
            return True
        case (ast.Fields(),):
            return not names & _MADE_OF_OTHERS
    return False


def rows_of(session: Session, part: Slice, names: Sequence[str], order: Order) -> pa.RecordBatch:
    """These columns of a slice whose matching records are known."""
    assert part.rows is not None
    with session.reading():
        session.cost.slices_direct += 1
        needed = list(dict.fromkeys((*names, "time", "_seq")))
        buffered = (whole(part.buffer) if "attributes" in needed else part.buffer).select(needed)
        session.cost.rows += buffered.num_rows
        return in_order([buffered, *read_rows(session, part.rows, needed)], names, order)


def in_order(tables: Sequence[pa.Table], names: Sequence[str], order: Order) -> pa.RecordBatch:
    """These columns of records, in the order of time; each table has them, and those of its order."""
    needed = list(dict.fromkeys((*names, "time", "_seq")))
    parts = [_plain(table, needed) for table in tables if table.num_rows]
    batches = pa.concat_tables(parts).combine_chunks().to_batches() if parts else []
    if not batches:
        return pa.RecordBatch.from_pylist([], _schema(names))
    (batch,) = batches
    ascending = np.lexsort((int64s(batch.column("_seq")), int64s(batch.column("time"))))
    return batch.take(pa.array(ascending if order == "asc" else ascending[::-1])).select(names)


def _plain(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """These columns, without dictionaries."""
    schema = _schema(names)
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(table.select(names).columns, schema, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _schema(names: Sequence[str]) -> pa.Schema:
    kinds = {name: STORED.field(name).type for name in names}
    return pa.schema({name: pa.string() if pa.types.is_dictionary(kind) else kind for name, kind in kinds.items()})


def names_of(compiled: Compiled, *, with_place: bool) -> list[str]:
    """The columns of a query's rows, with the place of each where that is wanted."""
    return [column.name for column in compiled.columns] + (["time", "_seq"] if with_place else [])
