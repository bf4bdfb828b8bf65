"""Which attributes of a segment are columns of their own."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from logstore.attributes import PATH_SEPARATOR, Kind, Path
from logstore.record import COLUMNS
from logstore.survey import KeyFacts

COLUMNS_MAX: Final = 64
"""Attribute columns of one segment that a flush makes."""
SHARE_MIN: Final = 0.01
"""The share of a segment's records that have a key from which on it is worth a column."""
KEY_MAX_BYTES: Final = 128
KINDS_MAX: Final = 4_096
"""Keys of a store that may be columns."""
_TAKEN: Final = frozenset((*COLUMNS, "_template", "date", "hour", "filename", "file_row_number", "file_index"))


@dataclass(frozen=True, slots=True)
class Nested:
    """A column with the values at a path inside of the attributes' objects (logstore/nested.py), which stay there.

    `is_all`: where the column is null, the record has nothing there, or null. `has_dots`: the column's name may mean
    another path in some record.
    """

    path: Path
    kind: Kind
    is_all: bool = False
    has_dots: bool = True

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class AttributeColumns:
    """Of one segment. A key's value is in its column, else in `attributes`; of an omitted key it may also be in the
    message alone, where the message is one JSON object and `attributes` is null."""

    kinds: tuple[tuple[str, Kind], ...] = ()
    omitted: tuple[str, ...] = ()
    in_rest: frozenset[str] = frozenset()
    """Keys with a column, of which `attributes` may hold values too."""
    nested: tuple[Nested, ...] = ()
    of_line: bool = False
    """Whether each record's attributes are those of its message alone (`attributes.of_line`)."""

    @property
    def is_split(self) -> bool:
        """Whether a record's attributes are to be put together."""
        return bool(self.kinds or self.omitted)

    @property
    def stored(self) -> dict[str, Kind]:
        """All columns, by their names in the file."""
        return dict(self.kinds) | {one.name: one.kind for one in self.nested}

    def to_json(self) -> str:
        nested = [[list(one.path), one.kind, one.is_all, one.has_dots] for one in self.nested]
        return json.dumps(
            {
                "kinds": dict(self.kinds),
                "omitted": list(self.omitted),
                "in_rest": sorted(self.in_rest),
                "nested": nested,
                "of_line": self.of_line,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @staticmethod
    @lru_cache(maxsize=1_024)
    def from_json(text: str) -> "AttributeColumns":
        """Equal texts are one object: many segments have the same columns."""
        found = json.loads(text)
        kinds = tuple((key, Kind(kind)) for key, kind in found["kinds"].items())
        nested = tuple(Nested(tuple(path), Kind(kind), *told) for path, kind, *told in found.get("nested", ()))
        omitted, in_rest = tuple(found["omitted"]), frozenset(found["in_rest"])
        return AttributeColumns(kinds, omitted, in_rest, nested, found.get("of_line", False))


NO_COLUMNS: Final = AttributeColumns()


def worth_a_column(facts: Sequence[KeyFacts], rows: int, at_least: int) -> list[KeyFacts]:
    """The keys that are frequent, in `at_least` records, and may be the name of a column, most frequent first."""
    worth = (key for key in facts if _is_frequent(key, rows, at_least) and may_name_a_column(key.key))
    return list(islice(worth, COLUMNS_MAX))


def worth_copying(facts: Sequence[KeyFacts], rows: int, at_least: int, at_most: int) -> list[KeyFacts]:
    """The paths inside of objects that are as frequent and may name a column, and have single values that come again:
    a copy of ids would be as large as the original."""
    frequent = (key for key in facts if _is_frequent(key, rows, at_least) and _is_path(key))
    return list(islice((key for key in frequent if not key.is_near_unique and not is_composite(key)), at_most))


def _is_path(key: KeyFacts) -> bool:
    """Keys of digits alone could be places in an array."""
    path = key.path
    is_plain = all("." not in part and any(map(str.isalpha, part)) and "\ufffd" not in part for part in path)
    return len(path) > 1 and is_plain and may_name_a_column(".".join(path))


def worth_omitting(facts: Sequence[KeyFacts], rows: int, at_least: int, kinds: Mapping[str, Kind]) -> list[str]:
    """The keys that are as frequent, are mostly objects and arrays or have long texts that seldom come twice, and are
    texts wherever they have a column: by the kinds of the keys worth one, or because they can have none."""
    worth = (key for key in facts if _is_frequent(key, rows, at_least) and PATH_SEPARATOR not in key.key)
    large = (key.key for key in worth if key.is_near_unique or is_composite(key))
    return [key for key in large if kinds.get(key) is Kind.TEXT or not may_name_a_column(key)][:COLUMNS_MAX]


def is_composite(key: KeyFacts) -> bool:
    """Whether most values are objects and arrays."""
    return key.composite * 2 > key.rows


def _is_frequent(key: KeyFacts, rows: int, at_least: int) -> bool:
    return key.rows >= max(at_least, rows * SHARE_MIN)


def may_name_a_column(key: str) -> bool:
    """Whether every reader can have a column of this name beside the others."""
    is_plain = bool(key) and key.isprintable() and "`" not in key and '"' not in key and key == key.strip()
    return is_plain and key.lower() not in _TAKEN and len(key.encode()) <= KEY_MAX_BYTES


def choose_kinds(facts: Sequence[KeyFacts], known: Mapping[str, Kind]) -> dict[str, Kind]:
    """The kinds of keys, and of paths, that have none yet: what most of their values fit; of what is mostly objects and
    arrays, which fit none, text. What would be called as another one but for case gets none."""
    chosen: dict[str, Kind] = {}
    taken = set(map(_name_of, known))
    for key in facts:
        name = _name_of(key.key)
        if name in taken or len(taken) >= KINDS_MAX or not (any(key.kinds.values()) or is_composite(key)):
            continue
        chosen[key.key] = Kind.TEXT if is_composite(key) else max(key.kinds, key=lambda kind: key.kinds[kind])
        taken.add(name)
    return chosen


def _name_of(key: str) -> str:
    return key.replace(PATH_SEPARATOR, ".").lower()


def merged(each: Collection[AttributeColumns]) -> AttributeColumns:
    """Of the records of several segments together."""
    kinds = dict(pair for one in each for pair in one.kinds)
    omitted = tuple(dict.fromkeys(key for one in each for key in one.omitted))
    in_rest = frozenset(key for key in kinds if any(key in one.in_rest or key not in dict(one.kinds) for one in each))
    paths = dict.fromkeys((nested.path, nested.kind) for one in each for nested in one.nested)
    nested = tuple(_together(path, kind, each) for path, kind in paths)
    return AttributeColumns(tuple(kinds.items()), omitted, in_rest, nested, all(one.of_line for one in each))


def _together(path: Path, kind: Kind, each: Collection[AttributeColumns]) -> Nested:
    found = [nested for one in each for nested in one.nested if nested.path == path]
    is_all = len(found) == len(each) and all(nested.is_all for nested in found)
    has_dots = len(found) < len(each) or any(nested.has_dots for nested in found)
    return Nested(path, kind, is_all, has_dots)
