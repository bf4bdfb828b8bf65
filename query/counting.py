"""Questions that only count, answered of segments' cells (logstore/cells.py) instead of their records.

Each cell is a row of `records` that stands for as many records as its weight says; the SQL that decides and groups is
the same, and sums weights where it would count rows.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from logstore.cells import MINUTE_NS, WEIGHT, By
from logstore.record import STORED
from query import analyse, ast
from query.groups import Piece
from query.sql.fields import stored_columns
from query.walk import names, walk

_OF_SEGMENT = frozenset(("cluster", "namespace"))


def cells_for(query: ast.Query) -> By | None:
    """The cells that a query of records which lie within its bounds can be answered of; None: of none.

    It has to count records and no more, and see nothing of them but what the cells tell.
    """
    stats = _statistics(query)
    if stats is None or any(one.function != "count" or one.argument is not None for one in stats.aggregates):
        return None
    seen = [one for one in analyse.conjuncts(query) if not analyse.is_exact_bound(one)]
    keys = [key.expression for key in stats.by]
    columns = {column for node in (*seen, *keys) if not _is_minutes(node) for column in _columns(node)}
    if any(map(_is_minutes, keys)):
        return By.TIME if columns <= _told(By.TIME) else None
    return next((by for by in By if columns <= _told(by)), None)


def _statistics(query: ast.Query) -> ast.Stats | None:
    """The statistics of the query, if they are of records as these are stored."""
    for pipe in query.pipes:
        match pipe:
            case ast.Where():
                continue
            case ast.Stats():
                return pipe
            case ast.Top(_, fields):
                keys = tuple(ast.Key(name, name.name, name.at) for name in fields)
                return ast.Stats((ast.Aggregate("count", None, "count"),), keys)
        return None
    return None


def _told(by: By) -> frozenset[str]:
    return frozenset((*by.columns, *_OF_SEGMENT)) - {"time"}


def _columns(node: ast.Node) -> set[str]:
    """What this part of a query sees of a record."""
    has_time = any(isinstance(part, ast.Call) and part.function == "bucket" for part in walk(node))
    return {column for name in names(node) for column in stored_columns(name.name)} | ({"time"} if has_time else set())


def _is_minutes(node: ast.Expression) -> bool:
    """Whether it sees nothing of a record but the minute of its time."""
    match node:
        case ast.Call("bucket", (ast.Quantity(dimension=ast.Dimension.DURATION, amount=size_ns), *rest)):
            return size_ns > 0 and size_ns % MINUTE_NS == 0 and rest in ([], [ast.Name("time")])
    return False


def as_records(pieces: Sequence[Piece], columns: Sequence[str]) -> pa.Table:
    """The cells of these pieces as records with a weight, of which columns that tell nothing are those of no record."""
    cells = pa.Table.from_batches([piece.cells for piece in pieces])
    counts = [piece.rows for piece in pieces]
    found = [_column(name, cells, pieces, counts) for name in columns]
    schema = pa.schema([*(STORED.field(name) for name in columns), pa.field(WEIGHT, pa.int64())])
    return pa.table([*found, cells[WEIGHT]], schema=schema)


def _column(name: str, cells: pa.Table, pieces: Sequence[Piece], counts: list[int]) -> pa.ChunkedArray | pa.Array:
    if name in cells.column_names:
        return cells[name]
    kind = STORED.field(name).type
    if name in ("time", "_seq"):
        values = [piece.segment.min_time_ns if name == "time" else piece.segment.min_seq for piece in pieces]
        return pa.array(np.repeat(np.array(values, np.int64), counts)).cast(kind)
    if name not in _OF_SEGMENT:
        return pa.nulls(len(cells), kind)
    words = pa.array([getattr(piece.segment, name) for piece in pieces], pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(np.repeat(words.indices.to_numpy(), counts), words.dictionary)
