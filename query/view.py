"""What `records` means in a query's SQL: buffered records, row groups that were picked, and whole segments.

Records in memory are as they were enriched (logstore/enrich.py). A segment has its frequent attributes in columns of
their own; so the view has, beside the record's columns, one for each attribute that the query names, for each condition
that templates decide and for the templates' ids, each said as these files allow. DuckDB computes only those that the
query uses.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logstore import segment as segments
from logstore.cells import WEIGHT
from logstore.enrich import AS_MESSAGE, OPEN_END
from logstore.record import COLUMNS
from logstore.templates import UNASSIGNED
from logstore.wanted import Wanted
from query import ast, sql
from query.cost import Cost, Stage
from query.counting import as_records
from query.groups import Piece
from query.keys import Forms, Key, forms_in_files, forms_in_json, key_of
from query.paths import cut_values, path_columns
from query.picking import PICKED_MAX_SHARE, Steps, having, is_most, pick, read, read_one_by_one
from query.session import Readable, Session
from query.sql.fields import TEMPLATE, column_name
from query.sql.fragment import written
from query.sql.parts import SEGMENT
from query.verdicts import Verdict
from query.whole_attributes import whole_attributes

LITTLE: Final = 0.1
"""Of a segment whose attributes are asked for: putting those of a row group together takes as long as DuckDB does to
read the column of one out of many."""
IDS_MAX: Final = 256
"""Templates' ids that stand in the SQL itself."""

_WHOLE: Final = (
    f"CASE WHEN attributes = '{AS_MESSAGE}' THEN message "
    f"WHEN suffix(attributes, '{OPEN_END}') THEN attributes || substr(message, 2) ELSE attributes END"
)
_IN_MEMORY: Final = f"(SELECT * REPLACE ({_WHOLE} AS attributes) FROM in_memory)"

_BEFORE_FILTERS: Final = f"LIMIT {np.iinfo(np.int64).max // 2}"
"""Keeps DuckDB from filtering first: it gathers what filters leave to thousands of rows before it goes on."""

Numbers: TypeAlias = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class DecidedLeaf:
    """A condition of the query's filter, called `column` in it, and what templates say of it."""

    column: str
    condition: ast.Expression
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class View:
    """What a query reads of records.

    `columns`: the stored columns; `attributes`: those that have columns of their own in the view; `leaves`: the
    conditions that have; `ids`: those of the numbered templates; `has_templates`: whether the view has each record's;
    `has_weights`: whether it has how many records a row stands for; `has_segments`: whether it has the path of each
    record's segment, '' of those in none; `wanted`: records may be missing that are not.
    """

    columns: frozenset[str] = frozenset(COLUMNS)
    attributes: tuple[str, ...] = ()
    leaves: tuple[DecidedLeaf, ...] = ()
    ids: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    has_templates: bool = False
    has_weights: bool = False
    has_segments: bool = False
    wanted: Wanted = field(default_factory=Wanted)

    @property
    def has_more(self) -> bool:
        """Whether it has columns that are made of the stored ones."""
        return bool(self.attributes or self.leaves or self.has_templates)


EVERYTHING: Final = View()


def define_records(
    session: Session,
    pieces: Sequence[Piece],
    buffer: pa.Table,
    view: View = EVERYTHING,
    between_ns: tuple[int, int] | None = None,
) -> None:
    """Makes `records` mean these pieces of segments and buffered records, in this session; of them only those
    `between_ns` two times, both inclusive, where given."""
    pieces = reached(pieces, view, between_ns)
    counted = [piece for piece in pieces if piece.cells is not None] if view.has_weights else []
    others = [piece for piece in pieces if piece.cells is None] if counted else pieces
    picked, later, whole = ([], others, []) if session.is_sparing else pick(others)
    names = [name for name in COLUMNS if name in view.columns or (name == "message" and "attributes" in view.columns)]
    with session.cost.stage(Stage.READ):
        buffered = having(buffer, view.wanted, session.cost).select(names)
        tables = [buffered, *read(session, picked, names, between_ns, view.wanted)]
    paths = ["", *(str(piece.segment.path) for piece in picked)]
    tables = [_with_more(table, path, view) for table, path in zip(tables, paths, strict=True)]
    if counted:
        tables.append(_counted(counted, names, view))
    # A column of words may have a dictionary for each chunk; DuckDB reads one chunk at a time.
    in_memory = pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
    if session.cost.is_detailed:
        _note(session.cost, in_memory, whole)
    readable: Readable = in_memory
    if later:
        read_later = partial(_one_by_one, session, later, names, between_ns, view)
        readable = Steps(in_memory, read_later, is_small=session.is_sparing)
    is_as_read = "attributes" not in names or not buffered.num_rows
    if not whole and not view.has_more and between_ns is None and is_as_read:
        session.register("records", readable)
        return
    session.keep_footers([piece.segment for piece in whole])
    session.register("in_memory", readable)
    parts = [_select_memory(names, view)] if in_memory.num_rows or later or not whole else []
    parts = [f"({part} {_BEFORE_FILTERS})" for part in parts] if session.is_sparing else parts
    for index, files in enumerate(_by_layout(whole, view)):
        session.execute(f"SET VARIABLE files_{index} = ?", [[str(file.segment.path) for file in files.pieces]])
        parts.append(_select_files(session, index, files, names, view))
    records = " UNION ALL ".join(parts)
    if between_ns is not None:
        first_ns, last_ns = between_ns
        within = f"make_timestamp_ns({first_ns:d}) AND make_timestamp_ns({last_ns:d})"
        records = f"FROM ({records}) WHERE time BETWEEN {within}"
    session.define_records(records)


def reached(pieces: Sequence[Piece], view: View, between_ns: tuple[int, int] | None) -> Sequence[Piece]:
    """What of the pieces may have records between two times, both inclusive, where given. If attributes are asked for
    that have columns, segments are read whole unless little of them is wanted: DuckDB reads these, and leaves other
    times out."""
    if view.attributes:
        pieces = [replace(piece, groups=None) if is_most(piece, _share(piece, view)) else piece for piece in pieces]
    if between_ns is None:
        return pieces
    each = ((piece,) if view.attributes and piece.groups is None else piece.between(*between_ns) for piece in pieces)
    return list(chain.from_iterable(each))


def _share(piece: Piece, view: View) -> float:
    """What is little of a segment."""
    keys = (key_of(attribute, piece.segment.columns) for attribute in view.attributes)
    return PICKED_MAX_SHARE if any(key.in_line for key in keys) else LITTLE


def _note(cost: Cost, in_memory: pa.Table, whole: Sequence[Piece]) -> None:
    cost.rows += in_memory.num_rows
    cost.set_files(
        sum(segments.row_groups(piece.segment) for piece in whole), sum(piece.segment.rows for piece in whole)
    )


def _one_by_one(
    session: Session, pieces: Sequence[Piece], names: Sequence[str], between_ns: tuple[int, int] | None, view: View
) -> Iterator[pa.Table]:
    for piece in pieces:
        for table in read_one_by_one(session, piece, names, between_ns, view.wanted):
            session.cost.rows += table.num_rows if session.cost.is_detailed else 0
            yield _with_more(table, str(piece.segment.path), view)


def _with_more(table: pa.Table, path: str, view: View) -> pa.Table:
    """Records of one segment with what the view has beside their own columns."""
    if view.has_weights:
        table = table.append_column(WEIGHT, pa.array(np.ones(table.num_rows, np.int64)))
    return _with_segments(table, [path], [table.num_rows]) if view.has_segments else table


def _counted(pieces: Sequence[Piece], names: Sequence[str], view: View) -> pa.Table:
    table = as_records(pieces, names)
    if not view.has_segments:
        return table
    paths = [str(piece.segment.path) for piece in pieces]
    return _with_segments(table, paths, [piece.rows for piece in pieces])


def _with_segments(table: pa.Table, paths: Sequence[str], rows: Sequence[int]) -> pa.Table:
    """With the path of each row's segment: the segments' rows follow each other."""
    of_rows = np.repeat(np.arange(len(paths), dtype=np.int32), rows)
    return table.append_column(SEGMENT, pa.DictionaryArray.from_arrays(of_rows, pa.array(paths, pa.string())))


def _select_memory(names: Sequence[str], view: View) -> str:
    columns = list(names)
    for attribute in view.attributes:
        columns += _aliases(attribute, forms_in_json(attribute))
    for leaf in view.leaves:
        columns.append(f'{_by_text(leaf)} AS "{leaf.column}"')
    if view.has_templates:
        columns.append(f"template_id(message) AS {TEMPLATE}")
    if view.has_weights:
        columns.append(WEIGHT)
    if view.has_segments:
        columns.append(SEGMENT)
    return f"SELECT {', '.join(columns)} FROM {_IN_MEMORY if 'attributes' in names else 'in_memory'}"


def _aliases(attribute: str, forms: Forms) -> list[str]:
    return [
        f"{forms.text} AS {column_name(attribute, 'text').text}",
        f"{forms.json} AS {column_name(attribute, 'json').text}",
        f"{forms.number} AS {column_name(attribute, 'number').text}",
        f"{forms.present} AS {column_name(attribute, 'present').text}",
    ]


@dataclass(frozen=True, slots=True)
class _Files:
    """Whole segments that the view can read by one SELECT: their paths name the same columns, the attributes that the
    query names are in the same places, and templates decide the same conditions. `has_ids`: all their records have a
    template's id, where the view wants it; `of_line`: their attributes are those of their messages alone, where it
    wants these."""

    pieces: list[Piece]
    columns: tuple[str, ...]
    keys: tuple["Key", ...]
    decided: tuple[bool, ...]
    has_ids: bool
    of_line: bool


_Layout: TypeAlias = tuple[tuple[str, ...], tuple[Key, ...], tuple[bool, ...], bool, bool]
"""All of `_Files` but its pieces."""


def _by_layout(pieces: Sequence[Piece], view: View) -> list[_Files]:
    layouts: defaultdict[_Layout, list[Piece]] = defaultdict(list)
    for piece in pieces:
        columns = path_columns(piece.segment)
        keys = tuple(key_of(attribute, piece.segment.columns) for attribute in view.attributes)
        decided = tuple(_is_decided(piece, leaf.verdict) for leaf in view.leaves)
        has_ids = view.has_templates and _has_ids(piece)
        of_line = "attributes" in view.columns and piece.segment.columns.of_line
        layouts[columns, keys, decided, has_ids, of_line].append(piece)
    return [_Files(members, *layout) for layout, members in layouts.items()]


def _has_ids(piece: Piece) -> bool:
    """Whether the segment has a template's id for every record."""
    return piece.known is not None and bool((piece.known.entries != -1).all())


def _is_decided(piece: Piece, verdict: Verdict) -> bool:
    """Whether templates say yes or no for every record of the segment."""
    if piece.known is None:
        return False
    entries = piece.known.entries
    return bool((verdict.must[entries] == verdict.may[entries]).all())


def _select_files(session: Session, index: int, files: _Files, names: Sequence[str], view: View) -> str:
    restored = cut_values(piece.segment for piece in files.pieces)
    for column, values in restored.items():
        session.execute(f"SET VARIABLE cut_{column}_{index} = ?", [list(values)])
        session.execute(f"SET VARIABLE whole_{column}_{index} = ?", [list(values.values())])
    columns = [_restored(column, index) if column in restored else column for column in names]
    is_by_name = False
    if "attributes" in names:
        whole, is_by_name = whole_attributes([piece.segment.columns for piece in files.pieces])
        columns[names.index("attributes")] = f"{whole} AS attributes"
    for attribute, key in zip(view.attributes, files.keys, strict=True):
        columns += _aliases(attribute, forms_in_files(attribute, key))
    for at, (leaf, is_decided) in enumerate(zip(view.leaves, files.decided, strict=True)):
        name = f"ids_{index}_{at}"
        said = _by_template(session, name, files, leaf, view) if is_decided else _by_template_or_text(files, leaf, view)
        columns.append(f'{said} AS "{leaf.column}"')
    if view.has_templates:
        columns.append(f"{_template_id(files)} AS {TEMPLATE}")
    if view.has_weights:
        columns.append(f"CAST(1 AS BIGINT) AS {WEIGHT}")
    if view.has_segments:
        columns.append(f"filename AS {SEGMENT}")
    union = ", union_by_name = true" if is_by_name else ""
    return (
        f"SELECT {', '.join(columns)} FROM read_parquet(getvariable('files_{index}'), "
        f"hive_partitioning = true, hive_types_autocast = false{union})"
    )


def _template_id(files: _Files) -> str:
    if files.has_ids:
        return segments.TEMPLATE
    if any(piece.known is None for piece in files.pieces):
        return "template_id(message)"
    return f"CASE WHEN {segments.TEMPLATE} <> {UNASSIGNED} THEN {segments.TEMPLATE} ELSE template_id(message) END"


def _by_text(leaf: DecidedLeaf) -> str:
    return f"({written(sql.predicate(leaf.condition))})"


def _by_template(session: Session, name: str, files: _Files, leaf: DecidedLeaf, view: View) -> str:
    """The condition where templates decide it."""
    present = _present(files)
    ids = view.ids[present[leaf.verdict.must[present]]]
    if not len(ids):
        return "false"
    if len(ids) <= IDS_MAX:
        return _is_one_of(ids)
    session.register(name, pa.table({"id": ids}))
    return f"({segments.TEMPLATE} IN (SELECT id FROM {name}))"


def _by_template_or_text(files: _Files, leaf: DecidedLeaf, view: View) -> str:
    """The condition where templates leave it open for some records: the messages of these alone are read."""
    text = _by_text(leaf)
    if any(piece.known is None for piece in files.pieces):
        return text
    present = _present(files)
    open_ids = view.ids[present[leaf.verdict.may[present] & ~leaf.verdict.must[present]]]
    must = np.setdiff1d(view.ids[present[leaf.verdict.must[present]]], open_ids)
    if len(must) + len(open_ids) > IDS_MAX:
        return text
    open_ids = np.append(open_ids, UNASSIGNED)
    said = f"({_is_one_of(open_ids)} AND {text})"
    return said if not len(must) else f"({_is_one_of(must)} OR {said})"


def _present(files: _Files) -> Numbers:
    """The templates of these segments."""
    entries = np.concatenate([piece.known.entries for piece in files.pieces if piece.known is not None])
    return np.unique(entries[entries >= 0])


def _is_one_of(ids: Numbers) -> str:
    return f"({segments.TEMPLATE} IN ({', '.join(map(str, ids.tolist()))}))"


def _restored(column: str, index: int) -> str:
    position = f"list_position(getvariable('cut_{column}_{index}'), {column})"
    return f"coalesce(getvariable('whole_{column}_{index}')[{position}], {column}) AS {column}"
