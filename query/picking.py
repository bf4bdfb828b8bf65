"""What a query takes into memory: row groups that are picked out of segments, and buffered records; of them
little more than what the query may want, where that can be told at once."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa

from logstore import segment as segments
from logstore.errors import LogstoreError
from logstore.order import Ints
from logstore.wanted import Wanted
from query.cost import Cost
from query.groups import SMALL_BYTES, Piece
from query.session import Session

PICKED_MAX_BYTES: Final = 24 << 20
"""Row groups that are picked out of segments and held in memory at once, before compression."""
AHEAD: Final = 2
"""Row groups beyond them that are read before DuckDB asks for them."""
STEP_BYTES: Final = 4 << 20
"""What it is given of their records at once."""
SMALL_STEP_BYTES: Final = 256 << 10
"""The same where memory is short."""
PICKED_MAX_SHARE: Final = 0.5
"""A segment of which more is wanted is read whole, unless it is small."""


def is_most(piece: Piece, share: float = PICKED_MAX_SHARE) -> bool:
    """Whether more than this share of a segment that is not small is wanted."""
    return piece.plain_bytes > max(share * piece.segment.plain_bytes, SMALL_BYTES)


def pick(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """The pieces whose row groups are read into memory, those for which there is no room there, so that these are read
    one after the other, and those whose segments are read whole."""
    picked: list[Piece] = []
    later: list[Piece] = []
    whole: list[Piece] = []
    left = PICKED_MAX_BYTES
    for piece in sorted(pieces, key=lambda piece: piece.plain_bytes):
        if piece.groups is None or is_most(piece):
            whole.append(piece)
        elif piece.plain_bytes > left:
            later.append(piece)
        else:
            picked.append(piece)
            left -= piece.plain_bytes
    return picked, later, whole


def read(
    session: Session,
    pieces: Sequence[Piece],
    names: Sequence[str],
    between_ns: tuple[int, int] | None,
    wanted: Wanted,
) -> list[pa.Table]:
    """Of each piece the records of its row groups, of those between two times that may be wanted."""

    def read_one(piece: Piece) -> pa.Table:
        return segments.read_groups(piece.segment, _groups(piece), names, between_ns, wanted)

    # One alone is read here, several in the threads for it.
    tables = list((map if len(pieces) < 2 else session.readers.map)(read_one, pieces))
    for piece, table in zip(pieces, tables, strict=True):
        _note(session.cost, piece, table, names)
    return tables


def _note(cost: Cost, piece: Piece, table: pa.Table, names: Sequence[str]) -> None:
    if cost.is_detailed:
        groups = _groups(piece)
        cost.add_read(len(groups), segments.chunk_bytes(piece.segment, groups, names))
        cost.rows += segments.group_rows(piece.segment, groups) - table.num_rows


def read_one_by_one(
    session: Session,
    piece: Piece,
    names: Sequence[str],
    between_ns: tuple[int, int] | None,
    wanted: Wanted,
) -> Iterator[pa.Table]:
    """The same of one piece, a row group at a time: the next ones are read meanwhile, unless memory is short."""
    each = [replace(piece, groups=(group,)) for group in _groups(piece.named)]
    try:
        if session.is_sparing:
            for one in each:
                yield from read(session, [one], names, between_ns, wanted)
            return
        yield from _read_ahead(session, each, names, between_ns, wanted)
    except LogstoreError as error:
        session.fail(error)
        raise


def _read_ahead(
    session: Session,
    each: Sequence[Piece],
    names: Sequence[str],
    between_ns: tuple[int, int] | None,
    wanted: Wanted,
) -> Iterator[pa.Table]:
    ahead: deque[Future[pa.Table]] = deque()
    for at in range(len(each) + AHEAD):
        if at < len(each):
            one = each[at]
            read_one = partial(segments.read_groups, one.segment, _groups(one), names, between_ns, wanted)
            ahead.append(session.readers.submit(read_one))
        if at >= AHEAD:
            table = ahead.popleft().result()
            _note(session.cost, each[at - AHEAD], table, names)
            yield table


class Steps:
    """Records that DuckDB reads one row group after the other, whenever a statement asks for them, and of each so many
    bytes at a time. It takes 2,048 rows at once of what it reads itself, and for a function of JSON several times their
    size, which where memory is short is more than there is."""

    def __init__(self, first: pa.Table, read_others: Callable[[], Iterator[pa.Table]], *, is_small: bool) -> None:
        self._first = first
        self._read_others = read_others
        self._step_bytes = SMALL_STEP_BYTES if is_small else STEP_BYTES

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._first.schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for table in chain([self._first], self._read_others()):
            rows = table.num_rows * self._step_bytes // max(table.nbytes, 1)
            yield from table.to_batches(max_chunksize=max(rows, 1))


def read_facts(session: Session, pieces: Sequence[Piece], identity: Collection[str]) -> list[pa.Table]:
    """Of each piece the templates' ids, the times, and these columns of identity of all records of its row groups."""
    if session.cost.is_detailed:
        names = (segments.TEMPLATE, "time", *identity)
        for piece in pieces:
            session.cost.add_read(0, segments.chunk_bytes(piece.segment, _groups(piece), names))
    return [segments.read_facts(piece.segment, _groups(piece), identity) for piece in pieces]


def read_rows(session: Session, rows: Sequence[tuple[Piece, Ints]], names: Sequence[str]) -> list[pa.Table]:
    """Of each piece the records that have these places among those of its row groups."""
    if session.cost.is_detailed:
        for piece, places in rows:
            groups = _groups(piece)
            session.cost.add_read(len(groups), segments.chunk_bytes(piece.segment, groups, names))
            session.cost.rows += len(places)
    return [segments.read_rows(piece.segment, _groups(piece), places, names) for piece, places in rows]


def _groups(piece: Piece) -> Sequence[int]:
    assert piece.groups is not None
    return piece.groups


def having(buffer: pa.Table, wanted: Wanted, cost: Cost) -> pa.Table:
    """The buffered records that may be wanted."""
    if not wanted:
        return buffer
    mask = wanted.mask(buffer)
    batches = buffer.to_batches()
    ends = np.cumsum([batch.num_rows for batch in batches])
    parts = zip(batches, np.split(mask, ends), strict=False)
    kept = pa.Table.from_batches(
        [batch.filter(pa.array(is_kept)) for batch, is_kept in parts if is_kept.any()], buffer.schema
    )
    cost.rows += buffer.num_rows - kept.num_rows
    return kept
