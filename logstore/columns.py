"""Which attributes of a segment are columns of their own."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from logstore.attributes import KeyFacts, Kind
from logstore.record import COLUMNS

COLUMNS_MAX: Final = 64
"""Attribute columns of one segment that a flush makes."""
SHARE_MIN: Final = 0.01
"""The share of a segment's records that have a key from which on it is worth a column."""
KEY_MAX_BYTES: Final = 128
KINDS_MAX: Final = 4_096
"""Keys of a store that may be columns."""
_TAKEN: Final = frozenset((*COLUMNS, "_template", "date", "hour", "filename", "file_row_number", "file_index"))


@dataclass(frozen=True, slots=True)
class AttributeColumns:
    """Of one segment. A key's value is in its column, else in `attributes`; of an omitted key it may also be in the
    message alone, where the message is one JSON object and `attributes` is null."""

    kinds: tuple[tuple[str, Kind], ...] = ()
    omitted: tuple[str, ...] = ()
    in_rest: frozenset[str] = frozenset()
    """Keys with a column, of which `attributes` may hold values too."""

    def to_json(self) -> str:
        return json.dumps(
            {"kinds": dict(self.kinds), "omitted": list(self.omitted), "in_rest": sorted(self.in_rest)},
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @staticmethod
    @lru_cache(maxsize=1_024)
    def from_json(text: str) -> "AttributeColumns":
        """Equal texts are one object: many segments have the same columns."""
        found = json.loads(text)
        kinds = tuple((key, Kind(kind)) for key, kind in found["kinds"].items())
        return AttributeColumns(kinds, tuple(found["omitted"]), frozenset(found["in_rest"]))


NO_COLUMNS: Final = AttributeColumns()


def worth_a_column(facts: Sequence[KeyFacts], rows: int, at_least: int) -> list[KeyFacts]:
    """The keys that are frequent, in `at_least` records, and may be the name of a column, most frequent first."""
    return [key for key in facts if _is_frequent(key, rows, at_least) and may_name_a_column(key.key)][:COLUMNS_MAX]


def worth_omitting(facts: Sequence[KeyFacts], rows: int, at_least: int, kinds: Mapping[str, Kind]) -> list[str]:
    """The keys that are as frequent, have long texts that seldom come twice, and are texts wherever they have a column:
    by the kinds of the keys worth one, or because they can have none."""
    worth = [key.key for key in facts if _is_frequent(key, rows, at_least) and key.is_near_unique]
    return [key for key in worth if kinds.get(key) is Kind.TEXT or not may_name_a_column(key)][:COLUMNS_MAX]


def _is_frequent(key: KeyFacts, rows: int, at_least: int) -> bool:
    return key.rows >= max(at_least, rows * SHARE_MIN)


def may_name_a_column(key: str) -> bool:
    """Whether every reader can have a column of this name beside the others."""
    is_plain = bool(key) and key.isprintable() and "`" not in key and '"' not in key and key == key.strip()
    return is_plain and key.lower() not in _TAKEN and len(key.encode()) <= KEY_MAX_BYTES


def choose_kinds(facts: Sequence[KeyFacts], known: Mapping[str, Kind]) -> dict[str, Kind]:
    """The kinds of keys that have none yet: what most of their values fit. A key that equals another one but for case
    gets none."""
    chosen: dict[str, Kind] = {}
    taken = {key.lower() for key in known}
    for key in facts:
        if key.key.lower() in taken or len(taken) >= KINDS_MAX or not any(key.kinds.values()):
            continue
        chosen[key.key] = max(key.kinds, key=lambda kind: key.kinds[kind])
        taken.add(key.key.lower())
    return chosen


def merged(each: Collection[AttributeColumns]) -> AttributeColumns:
    """Of the records of several segments together."""
    kinds = dict(pair for one in each for pair in one.kinds)
    omitted = tuple(dict.fromkeys(key for one in each for key in one.omitted))
    in_rest = frozenset(key for key in kinds if any(key in one.in_rest or key not in dict(one.kinds) for one in each))
    return AttributeColumns(tuple(kinds.items()), omitted, in_rest)
