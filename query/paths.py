"""What the path of a segment's file says of its records.

A directory's name is percent-encoded and, past 200 bytes, cut; so a value in the path is not always the value itself.
Where it is not, the catalog or the file's own metadata has it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from logstore.catalog import Segment
from logstore.record import IDENTITY
from logstore.segment import partition

_CUT_NAME: Final = re.compile(r".{45,183}-[0-9a-f]{16}")


def path_columns(segment: Segment) -> tuple[str, ...]:
    """The columns that the path names, the innermost last."""
    return tuple(column for column, _ in _path_values(_directory(segment)))


def cut_values(segments: Iterable[Segment]) -> dict[str, dict[str, str]]:
    """For each column with values that are cut in paths: what stands there, and what it stands for."""
    restored: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for directory, segment in {_directory(segment): segment for segment in segments}.items():
        for column, encoded in _path_values(directory):
            if column in IDENTITY and _CUT_NAME.fullmatch(f"{column}={encoded}"):
                restored[column][unquote(encoded)] = _whole_value(segment, column)
    return restored


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


def _whole_value(segment: Segment, column: str) -> str:
    if column == "cluster":
        return segment.cluster
    if column == "namespace":
        return segment.namespace
    return partition(segment.path)[column]
