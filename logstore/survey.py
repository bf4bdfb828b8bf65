"""What keys the attributes of a segment have, told by a sample of its rows."""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from logstore.attributes import KINDS, PATH_SEPARATOR, Kind, check
from logstore.native import ColumnBuffer, TextColumn, kernel
from logstore.native.arrays import ArrayInput


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a sample tells of a key; the counts are estimates for the whole array.

    `key` may be a path. `rows` have it with a value that is not null; of these, `kinds` fit each kind, and `composite`
    are objects or arrays. `is_near_unique`: it has long texts that seldom come twice, as ids do.
    """

    key: str
    rows: int
    kinds: Mapping[Kind, int]
    composite: int
    is_near_unique: bool

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.key.split(PATH_SEPARATOR))


class _KeyFacts(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("kinds", ctypes.c_int64 * len(KINDS)),
        ("composite", ctypes.c_int64),
        ("is_near_unique", ctypes.c_int64),
    )


class _SurveyResult(ctypes.Structure):
    _fields_ = (
        ("surveyed", ctypes.c_int64),
        ("keys", ctypes.c_int64),
        ("facts", ColumnBuffer),
        ("names", TextColumn),
    )


_survey: Final = kernel(
    "kernel_attributes_survey",
    ctypes.c_int64,
    ctypes.POINTER(ArrayInput),
    ctypes.POINTER(ArrayInput),
    ctypes.POINTER(_SurveyResult),
)


def survey(attributes: pa.StringArray, at_most: int, messages: pa.StringArray) -> list[KeyFacts]:
    """What keys there are, the most frequent first, those inside of objects too, by their paths down to the fourth key.
    Empty attributes are the message's text.

    Looks at 1,024 rows spread evenly, fewer if these are over 32 MiB, and remembers 4,096 keys: of more, the rarest
    are forgotten.
    """
    result = _SurveyResult()
    check(
        _survey(
            len(attributes),
            ctypes.byref(ArrayInput.of(attributes)),
            ctypes.byref(ArrayInput.of(messages)),
            ctypes.byref(result),
        )
    )
    names = result.names.to_array(result.keys).slice(0, at_most).to_pylist()
    facts = (_KeyFacts * result.keys).from_buffer_copy(result.facts.take_bytes())

    rows, surveyed = len(attributes), int(result.surveyed)

    def estimate(count: int) -> int:
        return count * rows // surveyed

    return [
        KeyFacts(
            name,
            estimate(fact.rows),
            {kind: estimate(count) for kind, count in zip(KINDS, fact.kinds, strict=True)},
            estimate(fact.composite),
            bool(fact.is_near_unique),
        )
        for name, fact in zip(names, facts, strict=False)
    ]
