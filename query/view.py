"""What `records` means in a query's SQL: buffered records, row groups that were picked, and whole segments.

Records in memory are as they were accepted. A segment has its frequent attributes in columns of their own; so the view
has, beside the record's columns, one for each attribute that the query names and for each condition that templates
decide, each said as these files allow. DuckDB computes only those that the query uses.

A directory's name is percent-encoded and, past 200 bytes, cut; so a value in the path is not always the value itself.
Where it is not, the catalog or the file's own metadata has it, and the view over the files puts it back.
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from logstore import segment as segments
from logstore.attributes import Kind
from logstore.catalog import Segment
from logstore.columns import AttributeColumns
from logstore.record import COLUMNS, IDENTITY, STORED
from query import ast, extension, sql
from query.engine import Session
from query.groups import Piece
from query.sql import fields
from query.sql.fields import Path
from query.sql.fragment import Sql
from query.sql.value import Value, number
from query.verdicts import Verdict

PICKED_MAX_BYTES: Final = 24 << 20
"""Row groups that are picked out of segments and held in memory at once, before compression."""
PICKED_MAX_SHARE: Final = 0.5
"""A segment of which more is wanted is read whole."""
IDS_MAX: Final = 64
"""Templates' ids that stand in the SQL itself."""
_QUOTED_OR_MARK: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")
_CUT_NAME: Final = re.compile(r".{45,183}-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class DecidedLeaf:
    """A condition of the query's filter, called `column` in it, and what templates say of it."""

    column: str
    condition: ast.Expression
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class View:
    """What a query reads of records.

    `columns`: the stored columns; `paths`: the attributes that have columns of their own in the view; `leaves`: the
    conditions that have; `ids`: those of the numbered templates.
    """

    columns: frozenset[str] = frozenset(COLUMNS)
    paths: tuple[Path, ...] = ()
    leaves: tuple[DecidedLeaf, ...] = ()
    ids: "np.ndarray[tuple[int], np.dtype[np.int64]]" = field(default_factory=lambda: np.zeros(0, np.int64))


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
    picked, whole = _picked(pieces)
    names = [name for name in COLUMNS if name in view.columns]
    tables = [buffer.select(names), *(_read(piece, names, between_ns) for piece in picked)]
    # A column of words may have a dictionary for each chunk; DuckDB reads one chunk at a time.
    in_memory = pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
    session.register("in_memory", in_memory)
    parts = [_select_memory(names, view)] if in_memory.num_rows or not whole else []
    for index, files in enumerate(_by_layout(whole, view)):
        session.execute(f"SET VARIABLE files_{index} = ?", [[str(file.segment.path) for file in files.pieces]])
        parts.append(_select_files(session, index, files, view))
    records = " UNION ALL ".join(parts)
    if between_ns is not None:
        first_ns, last_ns = between_ns
        within = f"make_timestamp_ns({first_ns:d}) AND make_timestamp_ns({last_ns:d})"
        records = f"FROM ({records}) WHERE time BETWEEN {within}"
    session.execute(f"CREATE OR REPLACE TEMP VIEW records AS {records}")


def _picked(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """The pieces whose row groups are read into memory, and those whose segments are read whole."""
    picked: list[Piece] = []
    whole: list[Piece] = []
    left = PICKED_MAX_BYTES
    for piece in sorted(pieces, key=lambda piece: piece.plain_bytes):
        share = piece.plain_bytes / max(piece.segment.plain_bytes, 1)
        if piece.groups is None or share > PICKED_MAX_SHARE or piece.plain_bytes > left:
            whole.append(piece)
            continue
        picked.append(piece)
        left -= piece.plain_bytes
    return picked, whole


def _read(piece: Piece, names: Sequence[str], between_ns: tuple[int, int] | None) -> pa.Table:
    """The records of the piece's row groups, of those that overlap the time between."""
    assert piece.known is not None
    assert piece.groups is not None
    groups = np.array(piece.groups)
    if between_ns is not None:
        index = piece.known.index
        overlaps = (index.max_times_ns[groups] >= between_ns[0]) & (index.min_times_ns[groups] <= between_ns[1])
        groups = groups[overlaps]
    if not len(groups):
        return STORED.empty_table().select(names)
    return segments.read_groups(piece.segment, groups.tolist(), names)


def _select_memory(names: Sequence[str], view: View) -> str:
    columns = [name if name in names else f"CAST(NULL AS {_type(name)}) AS {name}" for name in COLUMNS]
    for path in view.paths:
        key = fields.in_json(Sql("attributes"), path)
        columns += _aliases(path, _filled(key.text), _filled(key.json), _number_in(_filled(key.text)))
    for leaf in view.leaves:
        columns.append(f'{_by_text(leaf)} AS "{leaf.column}"')
    return f"SELECT {', '.join(columns)} FROM in_memory"


def _type(name: str) -> str:
    return {"time": "TIMESTAMP_NS", "_seq": "BIGINT"}.get(name, "VARCHAR")


def _filled(piece: Sql) -> str:
    """A piece with its parameters written out, for a view has none."""
    params = iter(piece.params)
    return _QUOTED_OR_MARK.sub(lambda found: _literal(next(params)) if found[0] == "?" else found[0], piece.text)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return f"'{_quoted(str(value))}'"


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _aliases(path: Path, text: str, as_json: str, number: str) -> list[str]:
    forms = {"text": text, "json": as_json, "number": number}
    return [f"{said} AS {fields.column_name(path, form).text}" for form, said in forms.items()]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Files:
    """Whole segments that the view can read by one SELECT: their paths name the same columns, the attributes that the
    query names are in the same places, and templates decide the same conditions."""

    pieces: list[Piece]
    columns: tuple[str, ...]
    keys: tuple["_Key", ...]
    decided: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Key:
    """Where an attribute is in a segment."""

    kind: Kind | None = None
    is_in_rest: bool = True
    is_omitted: bool = False


def _by_layout(pieces: Sequence[Piece], view: View) -> list[_Files]:
    layouts: defaultdict[tuple[tuple[str, ...], tuple[_Key, ...], tuple[bool, ...]], list[Piece]] = defaultdict(list)
    for piece in pieces:
        columns = tuple(column for column, _ in _path_values(_directory(piece.segment)))
        keys = tuple(_key(path, piece.segment.columns) for path in view.paths)
        decided = tuple(_is_decided(piece, leaf.verdict) for leaf in view.leaves)
        layouts[columns, keys, decided].append(piece)
    return [_Files(members, *layout) for layout, members in layouts.items()]


def _key(path: Path, columns: AttributeColumns) -> _Key:
    if len(path) > 1:
        return _Key()
    kind = dict(columns.kinds).get(path[0])
    return _Key(kind, kind is None or path[0] in columns.in_rest, path[0] in columns.omitted)


def _is_decided(piece: Piece, verdict: Verdict) -> bool:
    """Whether templates say yes or no for every record of the segment."""
    if piece.known is None:
        return False
    entries = piece.known.entries
    return bool((verdict.must[entries] == verdict.may[entries]).all())


def _select_files(session: Session, index: int, files: _Files, view: View) -> str:
    restored = _restored_values(files)
    for column, values in restored.items():
        session.execute(f"SET VARIABLE cut_{column}_{index} = ?", [list(values)])
        session.execute(f"SET VARIABLE whole_{column}_{index} = ?", [list(values.values())])
    columns = [_restored(column, index) if column in restored else column for column in COLUMNS]
    kinds = _kinds_of(files) if "attributes" in view.columns else {}
    omitted = _omitted_of(files) if "attributes" in view.columns else []
    columns[COLUMNS.index("attributes")] = _whole_attributes(kinds, omitted)
    for path, key in zip(view.paths, files.keys, strict=True):
        columns += _aliases(path, *_forms(path, key))
    for at, (leaf, is_decided) in enumerate(zip(view.leaves, files.decided, strict=True)):
        said = _by_template(session, f"ids_{index}_{at}", files, leaf, view) if is_decided else _by_text(leaf)
        columns.append(f'{said} AS "{leaf.column}"')
    is_mixed = any(piece.segment.columns.kinds != files.pieces[0].segment.columns.kinds for piece in files.pieces)
    union = ", union_by_name = true" if is_mixed and kinds else ""
    return (
        f"SELECT {', '.join(columns)} FROM read_parquet(getvariable('files_{index}'), "
        f"hive_partitioning = true, hive_types_autocast = false{union})"
    )


def _kinds_of(files: _Files) -> dict[str, Kind]:
    return {key: kind for piece in files.pieces for key, kind in piece.segment.columns.kinds}


def _omitted_of(files: _Files) -> list[str]:
    return list(dict.fromkeys(key for piece in files.pieces for key in piece.segment.columns.omitted))


def _whole_attributes(kinds: dict[str, Kind], omitted: list[str]) -> str:
    """The record's attributes as they were, of what is left of them, their columns and the message."""
    if not kinds and not omitted:
        return "attributes"
    columns = "".join(f", {_name(key)}" for key in kinds)
    told = _quoted(extension.told(list(kinds), omitted))
    return f"whole_attributes(attributes, message, '{told}'{columns}) AS attributes"


def _forms(path: Path, key: _Key) -> tuple[str, str, str]:
    """An attribute's text form, JSON text and number."""
    texts: list[str] = []
    jsons: list[str] = []
    numbers: list[str] = []
    if key.kind is not None:
        name = _name(path[0])
        text = name if key.kind is Kind.TEXT else f"CAST({name} AS VARCHAR)"
        texts.append(text)
        jsons.append(f"CAST(to_json({name}) AS VARCHAR)" if key.kind is Kind.TEXT else text)
        numbers.append(_number_of(name, key.kind))
    if key.is_in_rest:
        found = fields.in_json(Sql("attributes"), path)
        texts.append(_filled(found.text))
        jsons.append(_filled(found.json))
        numbers.append(_number_in(_filled(found.text)))
    if key.is_omitted:
        member = f"'{_quoted(path[0])}'"
        texts.append(f"CASE WHEN attributes IS NULL THEN line_text(message, {member}) END")
        jsons.append(f"CASE WHEN attributes IS NULL THEN line_json(message, {member}) END")
        numbers.append(_number_in(texts[-1]))
    return _first(texts), _first(jsons), _first_number(texts, numbers)


def _number_of(name: str, kind: Kind) -> str:
    match kind:
        case Kind.TEXT:
            return _number_in(name)
        case Kind.BOOLEAN:
            return "CAST(NULL AS DOUBLE)"
        case _:
            return f"CAST({name} AS DOUBLE)"


def _number_in(text: str) -> str:
    return number(Value(Sql(text), sql.Kind.TEXT)).text


def _first(pieces: list[str]) -> str:
    return pieces[0] if len(pieces) == 1 else f"coalesce({', '.join(pieces)})"


def _first_number(texts: list[str], numbers: list[str]) -> str:
    found = numbers[-1]
    for text, said in zip(reversed(texts[:-1]), reversed(numbers[:-1]), strict=True):
        found = f"CASE WHEN {text} IS NOT NULL THEN {said} ELSE {found} END"
    return found


def _name(key: str) -> str:
    return '"' + key.replace('"', '""') + '"'


def _by_text(leaf: DecidedLeaf) -> str:
    return f"({_filled(sql.predicate(leaf.condition))})"


def _by_template(session: Session, name: str, files: _Files, leaf: DecidedLeaf, view: View) -> str:
    present = np.unique(np.concatenate([piece.known.entries for piece in files.pieces if piece.known is not None]))
    ids = view.ids[present[leaf.verdict.must[present]]]
    if not len(ids):
        return "false"
    if len(ids) <= IDS_MAX:
        return f"({segments.TEMPLATE} IN ({', '.join(map(str, ids.tolist()))}))"
    session.register(name, pa.table({"id": ids}))
    return f"({segments.TEMPLATE} IN (SELECT id FROM {name}))"


@lru_cache(maxsize=65_536)
def _path_values(directory: str) -> tuple[tuple[str, str], ...]:
    """The columns that a directory's path names and their values, percent-encoded, the innermost last."""
    pairs: list[tuple[str, str]] = []
    for name in reversed(directory.split("/")):
        column, is_pair, encoded = name.partition("=")
        if not is_pair:
            break
        pairs.append((column, encoded))
        if column == "cluster":
            break
    return tuple(reversed(pairs))


def _directory(segment: Segment) -> str:
    return str(segment.path).rpartition("/")[0]


def _restored(column: str, index: int) -> str:
    position = f"list_position(getvariable('cut_{column}_{index}'), {column})"
    return f"coalesce(getvariable('whole_{column}_{index}')[{position}], {column}) AS {column}"


def _restored_values(files: _Files) -> dict[str, dict[str, str]]:
    """For each path column with cut values: what stands in the path, and what it stands for."""
    restored: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for directory, segment in {_directory(piece.segment): piece.segment for piece in files.pieces}.items():
        for column, encoded in _path_values(directory):
            if column in IDENTITY and _CUT_NAME.fullmatch(f"{column}={encoded}"):
                restored[column][unquote(encoded)] = _whole_value(segment, column)
    return restored


def _whole_value(segment: Segment, column: str) -> str:
    if column == "cluster":
        return segment.cluster
    if column == "namespace":
        return segment.namespace
    return _partition(str(segment.path))[column]


@lru_cache(maxsize=4_096)
def _partition(path: str) -> dict[str, str]:
    """The partition's values as the file's own metadata has them."""
    metadata = pq.read_metadata(path).metadata
    values: dict[str, str] = json.loads(metadata[b"logstore.partition"])
    return values
