"""The segments of one instant, as columns: what is asked of all of them is asked of arrays, and a `Segment` is made of
those that are left. A hundred thousand take some 20 MB, and one Python object each, the file's name."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

from logstore.catalog import Catalog, Partition, Segment
from logstore.columns import AttributeColumns
from logstore.order import Ints

CODES_SPARE: Final = 1_024
"""Values that no segment has any more are kept until there are so many more values than segments."""
_MADE_AT_ONCE: Final = 1_024

Value = TypeVar("Value", bound=Hashable)
Names = npt.NDArray[np.object_]


class Codes(Generic[Value]):
    """Numbers of distinct values, in the order in which they came. It only grows."""

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self.values: list[Value] = []
        self._numbers: dict[Value, int] = {}
        self.of(values)

    def of(self, values: Iterable[Value]) -> Ints:
        return np.array([self._number(value) for value in values], np.int64)

    def _number(self, value: Value) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def used(self, codes: Ints) -> "tuple[Codes[Value], Ints]":
        """The codes in other numbers, without the values that none of them means, where those are many."""
        if len(self.values) <= len(codes) + CODES_SPARE:
            return self, codes
        kept, numbers = np.unique(codes, return_inverse=True)
        return Codes(self.values[code] for code in kept.tolist()), numbers.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Listing(Sequence[Segment]):
    """Immutable. The columns are called as the values of a Segment that they have, of each segment one.

    `partition`, `directory` and `columns` are codes: of a `partitions`, of a `directories` (a path relative to `root`)
    and of a `layouts`; `name` is the file's in its directory.
    """

    root: Path
    partitions: Codes[Partition]
    directories: Codes[str]
    layouts: Codes[AttributeColumns]
    name: Names
    numbers: Ints
    """All columns below, one a row: as one array, a change copies them thirty times faster than one by one."""
    partition: Ints = field(init=False)
    directory: Ints = field(init=False)
    columns: Ints = field(init=False)
    id: Ints = field(init=False)
    window_ns: Ints = field(init=False)
    min_time_ns: Ints = field(init=False)
    max_time_ns: Ints = field(init=False)
    min_seq: Ints = field(init=False)
    max_seq: Ints = field(init=False)
    rows: Ints = field(init=False)
    bytes: Ints = field(init=False)
    plain_bytes: Ints = field(init=False)
    received_ns: Ints = field(init=False)
    format: Ints = field(init=False)

    def __post_init__(self) -> None:
        for column, values in zip(_COLUMNS, self.numbers, strict=True):
            object.__setattr__(self, column, values)

    @staticmethod
    def empty(root: Path) -> "Listing":
        numbers = np.zeros((len(_COLUMNS), 0), np.int64)
        return Listing(root, Codes(), Codes(), Codes(), np.zeros(0, np.object_), numbers)

    @staticmethod
    def of(root: Path, segments: Sequence[Segment]) -> "Listing":
        """Of segments that lie below `root`."""
        return Listing.empty(root).changed(segments, ())

    @staticmethod
    def read(root: Path, catalog: Catalog) -> "Listing":
        """Of all segments of the catalog, in the order of their ids."""
        listing = Listing.empty(root)
        return listing._joined([listing, *map(listing._of_values, catalog.segment_columns())])

    def changed(self, added: Sequence[Segment], removed: Sequence[Segment]) -> "Listing":
        """Without the removed ones, and with the added ones at the end.

        New values get their codes in what this listing has: no two threads may change it, or what came of it, at once.
        """
        kept = self._without(removed) if removed else self
        if not added:
            return kept
        values: dict[str, Sequence[Any]] = {
            name: [getattr(segment, name) for segment in added]
            for name in ("path", "cluster", "namespace", "columns", *_NUMBERS)
        }
        values["path"] = [path.relative_to(self.root).as_posix() for path in values["path"]]
        return kept._joined([kept, kept._of_values(values)])

    def take(self, which: npt.NDArray[np.bool_] | Ints) -> "Listing":
        """Those at these positions, or those that the mask has, in their order."""
        at = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return replace(self, name=self.name[at], numbers=self.numbers.take(at, axis=1))

    def paths(self) -> list[str]:
        """Of the files, relative to `root`."""
        directories = self.directories.values
        names = zip(self.directory.tolist(), self.name.tolist(), strict=True)
        return [f"{directories[directory]}/{name}" for directory, name in names]

    def __len__(self) -> int:
        return len(self.name)

    @overload
    def __getitem__(self, at: int) -> Segment: ...
    @overload
    def __getitem__(self, at: slice) -> "Listing": ...
    def __getitem__(self, at: int | slice) -> "Segment | Listing":
        if isinstance(at, slice):
            return replace(self, name=self.name[at], numbers=self.numbers[:, at])
        return self._segment(self.name[at], *self.numbers[:, at].tolist())

    def __iter__(self) -> Iterator[Segment]:
        for start in range(0, len(self), _MADE_AT_ONCE):
            part = slice(start, start + _MADE_AT_ONCE)
            yield from map(self._segment, self.name[part].tolist(), *self.numbers[:, part].tolist())

    def _segment(self, name: str, partition: int, directory: int, columns: int, *numbers: int) -> Segment:
        path = _directory(self.root, self.directories.values[directory]) / name
        segment_id, *others = numbers
        return _BY_PLACE(segment_id, path, *self.partitions.values[partition], *others, self.layouts.values[columns])

    def _of_values(self, values: Mapping[str, Sequence[Any]]) -> "Listing":
        """Of a Segment's values by name; `path` as it is relative to `root`."""
        directories, _, names = zip(*(path.rpartition("/") for path in values["path"]), strict=True)
        numbers = [
            self.partitions.of(zip(values["cluster"], values["namespace"], strict=True)),
            self.directories.of(directories),
            self.layouts.of(values["columns"]),
            *(values[column] for column in _NUMBERS),
        ]
        return replace(self, name=np.array(names, np.object_), numbers=np.array(numbers, np.int64))

    def _without(self, removed: Sequence[Segment]) -> "Listing":
        at = np.flatnonzero(np.isin(self.id, [segment.id for segment in removed]))
        numbers = np.delete(self.numbers, at, axis=1)
        partitions, numbers[0] = self.partitions.used(numbers[0])
        directories, numbers[1] = self.directories.used(numbers[1])
        layouts, numbers[2] = self.layouts.used(numbers[2])
        return Listing(self.root, partitions, directories, layouts, np.delete(self.name, at), numbers)

    def _joined(self, parts: Sequence["Listing"]) -> "Listing":
        """Parts whose codes are of this one, one after the other."""
        name = np.concatenate([part.name for part in parts])
        return replace(self, name=name, numbers=np.concatenate([part.numbers for part in parts], axis=1))


@lru_cache(maxsize=4_096)
def _directory(root: Path, directory: str) -> Path:
    return root / directory


_COLUMNS: Final = tuple(one.name for one in fields(Listing) if not one.init)
_NUMBERS: Final = _COLUMNS[3:]
"""Those that are no codes."""
_BY_PLACE: Final[Callable[..., Segment]] = Segment
"""By name takes half as long again, and thousands may be left."""
