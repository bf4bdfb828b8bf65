"""The lines around a record, in its own stream: the same container of the same pod with the same labels."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import pyarrow as pa

from logstore.errors import InvalidInput
from logstore.pruning import Bounds
from logstore.record import COLUMNS, IDENTITY, TIME_MAX_NS, TIME_MIN_NS
from logstore.store import Store
from query.answer import End, schema
from query.engine import Engine
from query.place import find_place
from query.plan import Plan, plan
from query.session import Session
from query.slices import slices
from query.sql import Column, Kind, Place
from query.view import define_records

DEFAULT_LINES: Final = 10
MAX_LINES: Final = 1_000

_KINDS: Final = {"time": Kind.TIME, "_seq": Kind.INTEGER, "labels": Kind.JSON, "attributes": Kind.JSON}
_SELECTED: Final = ", ".join(COLUMNS)
_SAME_STREAM: Final = f"{' AND '.join(f'{name} = ?' for name in IDENTITY)} AND labels IS NOT DISTINCT FROM ?"


class Context:
    """An answer like that of a query, small and whole."""

    def __init__(self, table: pa.Table, *, with_seq: bool) -> None:
        names = [name for name in COLUMNS if name != "_seq" or with_seq]
        self.columns = tuple(Column(name, _KINDS.get(name, Kind.TEXT)) for name in names)
        self.is_grouped = False
        self.schema = schema(self.columns)
        self.end = End(truncated=False, cursor="")
        self._table = table.select(names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from self._table.to_batches()


def context(store: Store, engine: Engine, seq: int, before: int, after: int, *, with_seq: bool = False) -> Context:
    """The record of this number with at most so many lines before and after it, oldest first.

    Raises:
        InvalidInput: there is no such record, or too many lines asked for.
    """
    if not (0 <= before <= MAX_LINES and 0 <= after <= MAX_LINES):
        raise InvalidInput(f"`before` and `after` have to be from 0 to {MAX_LINES}")
    with store.snapshot() as snapshot, engine.session() as session:
        segments, buffer = snapshot.segments, snapshot.buffer
        place = find_place(session, segments, buffer, seq)
        # `records` is now what may hold the record.
        record = session.fetch(f"SELECT {_SELECTED} FROM records WHERE _seq = ?", [seq]).slice(0, 1)
        stream = [record[name][0].as_py() for name in (*IDENTITY, "labels")]
        identity = {name: frozenset([value]) for name, value in zip(IDENTITY, stream, strict=False)}
        older = plan(segments, buffer, Bounds(end_ns=place.time_ns + 1, identity=identity))
        newer = plan(segments, buffer, Bounds(start_ns=place.time_ns, identity=identity))
        tables = [
            _side(session, older, "desc", place, stream, before),
            record,
            _side(session, newer, "asc", place, stream, after),
        ]
    lines = pa.concat_tables(tables).sort_by([("time", "ascending"), ("_seq", "ascending")])
    return Context(lines, with_seq=with_seq)


def _side(
    session: Session,
    planned: Plan,
    order: Literal["asc", "desc"],
    place: Place,
    stream: Sequence[object],
    lines: int,
) -> pa.Table:
    """The nearest lines before (`desc`) or after (`asc`) a place."""
    is_further, direction = ("<", "DESC") if order == "desc" else (">", "ASC")
    statement = (
        f"SELECT {_SELECTED} FROM records WHERE {_SAME_STREAM}"
        f" AND (time {is_further} make_timestamp_ns(?) OR time = make_timestamp_ns(?) AND _seq {is_further} ?)"
        f" ORDER BY time {direction}, _seq {direction} LIMIT ?"
    )
    found: list[pa.RecordBatch] = []
    left = lines
    within_ns = (TIME_MIN_NS, place.time_ns) if order == "desc" else (place.time_ns, TIME_MAX_NS)
    for part in slices(planned.pieces, planned.buffer, order, is_bounded=True, within_ns=within_ns):
        if not left:
            break
        define_records(session, part.pieces, part.buffer, between_ns=part.between_ns)
        params = [*stream, place.time_ns, place.time_ns, place.seq, left]
        with contextlib.closing(session.stream(statement, params)) as batches:
            for batch in batches:
                found.append(batch)
                left -= batch.num_rows
    return pa.Table.from_batches(found) if found else _nothing(session)


def _nothing(session: Session) -> pa.Table:
    return session.fetch(f"SELECT {_SELECTED} FROM records LIMIT 0")
