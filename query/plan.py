"""Which files and buffered records a query reads, and what `records` then means in its SQL.

A directory's name is percent-encoded and, past 200 bytes, cut; so a value in the path is not always the value itself.
Where it is not, the catalog or the file's own metadata has it, and the view over the files puts it back.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from logstore.catalog import Segment
from logstore.pruning import Bounds, prune
from logstore.record import COLUMNS, IDENTITY, STORED
from query.engine import Session

_CUT_NAME: Final = re.compile(r".{45,183}-[0-9a-f]{16}")
_EMPTY: Final = STORED.empty_table()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a query reads."""

    segments: tuple[Segment, ...]
    buffer: pa.Table
    skipped: Mapping[str, int]

    @property
    def bytes(self) -> int:
        """Compressed bytes of the files, all columns of them."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def plain_bytes(self) -> int:
        """The same before compression."""
        return sum(segment.plain_bytes for segment in self.segments)


def plan(segments: Sequence[Segment], buffer: pa.Table, bounds: Bounds) -> Plan:
    """Leaves out the segments, and the buffer, that cannot hold a matching record."""
    pruned = prune(segments, bounds)
    return Plan(pruned.segments, buffer if overlaps(buffer, bounds) else _EMPTY, pruned.skipped)


def overlaps(buffer: pa.Table, bounds: Bounds) -> bool:
    """Whether some buffered record lies within the bounds of time."""
    span = time_span(buffer)
    if span is None:
        return False
    is_before = bounds.start_ns is not None and span[1] < bounds.start_ns
    is_after = bounds.end_ns is not None and span[0] >= bounds.end_ns
    return not (is_before or is_after)


def time_span(buffer: pa.Table) -> tuple[int, int] | None:
    """First and last time (ns, inclusive) of buffered records; None where there are none."""
    if not buffer.num_rows:
        return None
    ends = pc.min_max(buffer["time"].cast(pa.int64()))
    return ends["min"].as_py(), ends["max"].as_py()


def define_records(
    session: Session, segments: Sequence[Segment], buffer: pa.Table, between_ns: tuple[int, int] | None = None
) -> None:
    """Makes `records` mean these segments and buffered records, in this session; of them only those `between_ns` two
    times, both inclusive, where given."""
    # A column of words may have a dictionary for each chunk; DuckDB reads one chunk at a time.
    session.register("buffered", buffer)
    parts = [f"SELECT {', '.join(COLUMNS)} FROM buffered"] if buffer.num_rows or not segments else []
    for index, files in enumerate(_by_layout(segments)):
        session.execute(f"SET VARIABLE files_{index} = ?", [[str(file.path) for file in files.segments]])
        parts.append(_select_files(session, index, files))
    records = " UNION ALL ".join(parts)
    if between_ns is not None:
        first_ns, last_ns = between_ns
        within = f"make_timestamp_ns({first_ns:d}) AND make_timestamp_ns({last_ns:d})"
        records = f"FROM ({records}) WHERE time BETWEEN {within}"
    session.execute(f"CREATE OR REPLACE TEMP VIEW records AS {records}")


@dataclass(frozen=True, slots=True)
class _Files:
    """Segments whose paths name the same columns, so that their files have the same columns too."""

    segments: list[Segment]
    columns: tuple[str, ...]


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


def _by_layout(segments: Sequence[Segment]) -> Iterator[_Files]:
    layouts: defaultdict[tuple[str, ...], list[Segment]] = defaultdict(list)
    for segment in segments:
        layouts[tuple(column for column, _ in _path_values(_directory(segment)))].append(segment)
    for columns, members in layouts.items():
        yield _Files(members, columns)


def _select_files(session: Session, index: int, files: _Files) -> str:
    restored = _restored_values(files)
    for column, values in restored.items():
        session.execute(f"SET VARIABLE cut_{column}_{index} = ?", [list(values)])
        session.execute(f"SET VARIABLE whole_{column}_{index} = ?", [list(values.values())])
    columns = ", ".join(_restored(column, index) if column in restored else column for column in COLUMNS)
    return (
        f"SELECT {columns} FROM read_parquet(getvariable('files_{index}'), "
        "hive_partitioning = true, hive_types_autocast = false)"
    )


def _restored(column: str, index: int) -> str:
    position = f"list_position(getvariable('cut_{column}_{index}'), {column})"
    return f"coalesce(getvariable('whole_{column}_{index}')[{position}], {column}) AS {column}"


def _restored_values(files: _Files) -> dict[str, dict[str, str]]:
    """For each path column with cut values: what stands in the path, and what it stands for."""
    restored: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for directory, segment in {_directory(segment): segment for segment in files.segments}.items():
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
