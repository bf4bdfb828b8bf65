"""The indexes of live segments, in memory: loaded when first asked for, the least used let go past a bound."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from logstore import index
from logstore.catalog import Segment
from logstore.errors import Damaged
from logstore.files import DataDirectory
from logstore.index import Index
from logstore.listing import Listing
from logstore.numbering import Numbering, Texts

log = structlog.get_logger("logstore.indexes")

FILLED_SHARE: Final = 0.75
"""Of the memory for indexes, what those may take that nobody asked for yet."""
FILTERS_MAX: Final = 16_384
"""Segments whose filters' places are known, about a kilobyte each; the filters themselves are the file system's."""


@dataclass(frozen=True, slots=True)
class Known:
    """An index, and the numbers of its templates in the numbering `generation`.

    `numbers` are those of `index.templates`, `entries` those of `index.presence`: -1 of records without a template.
    """

    index: Index
    numbers: npt.NDArray[np.int32]
    entries: npt.NDArray[np.int32]
    generation: int


def known_by(index: Index, numbers: npt.NDArray[np.int32], generation: int) -> Known:
    """The index, its templates known by these numbers."""
    return Known(index, numbers, np.append(numbers, np.int32(-1))[index.presence], generation)


@dataclass(frozen=True, slots=True)
class Filters:
    """The token filters of a segment's row groups, as `Index` has them: what is left of it once the rest is let go."""

    content: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    versions: npt.NDArray[np.uint8]

    @property
    def groups(self) -> int:
        return len(self.offsets) - 1


class Indexes:
    """All methods are safe in any thread."""

    def __init__(self, directory: DataDirectory, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._known: OrderedDict[int, Known] = OrderedDict()
        self._bytes = 0
        self._filters: OrderedDict[int, Filters] = OrderedDict()
        self._numbering = Numbering()
        self._unreadable: dict[int, Segment] = {}
        self._loads = 0
        self._rebuilds = 0

    def readings(self) -> dict[str, float]:
        """The numbers for /metrics."""
        with self._lock:
            return {
                "index_cache_bytes": self._bytes,
                "index_cache_segments": len(self._known),
                "index_loads": self._loads,
                "index_template_bytes": self._numbering.text_bytes,
                "index_rebuilds": self._rebuilds,
                "indexes_unreadable": len(self._unreadable),
            }

    def of(self, segments: Sequence[Segment]) -> tuple[list[Known | None], Texts]:
        """The index of each segment (None where it has none that can be read), and the texts of all their templates."""
        with self._lock:
            generation = self._numbering.generation
            found = [self._of(segment) for segment in segments]
            if self._numbering.generation != generation:  # numbered anew on the way
                found = [self._of(segment) for segment in segments]
            texts = self._numbering.texts
            return [
                known if known is not None and known.generation == texts.generation else None for known in found
            ], texts

    def filters(self, segments: Sequence[Segment]) -> list[Filters | None]:
        """The filters of each segment; None where it has no index that can be read. They take little memory, so that
        there may be far more of them than of whole indexes."""
        with self._lock:
            return [self._filters_of(segment) for segment in segments]

    def prepare(self, segments: Sequence[Segment]) -> None:
        """Loads the indexes of new segments, so that the next query need not."""
        for segment in segments:
            with self._lock:
                self._of(segment)
                self._filters_of(segment)

    def fill(self, segments: Listing, stopping: threading.Event) -> None:
        """Loads indexes, the newest first, while there is room for them, so that a first query need not. Where room is
        needed again, the oldest of them go first, before all that were asked for."""
        for segment in segments.take(np.argsort(-segments.max_time_ns)):
            with self._lock:
                if stopping.is_set() or self._bytes > self._max_bytes * FILLED_SHARE:
                    return
                is_new = segment.id not in self._known
                if self._of(segment) is not None and is_new:
                    self._known.move_to_end(segment.id, last=False)
                self._filters_of(segment)

    def load(self, segments: Sequence[Segment]) -> list[Index] | None:
        """All their indexes, not kept in memory; None where one cannot be read, which is noted."""
        with self._lock:
            found = [self._load(segment) for segment in segments]
        return None if None in found else [one for one in found if one is not None]

    def forget(self, segments: Sequence[Segment]) -> None:
        with self._lock:
            for segment in segments:
                self._filters.pop(segment.id, None)
                gone = self._known.pop(segment.id, None)
                self._bytes -= gone.index.bytes if gone else 0

    def rebuild(self, build: Callable[[Segment], bool], is_over: Callable[[], bool]) -> int:
        """Has those built again that could not be loaded, until it is over; returns of how many `build` said so.

        What `build` raises keeps no other from being built, and is raised at the end; that one's turn comes again when
        it is asked for again.
        """
        done = 0
        first: Exception | None = None
        while not is_over() and (segment := self._first_unreadable()) is not None:
            try:
                done += build(segment)
            except Exception as error:
                error.add_note(f"while building the index of {segment.path}")
                first = first or error
            with self._lock:  # not before, or whoever asks for it meanwhile would have it built twice
                self._unreadable.pop(segment.id, None)
        if done:
            with self._lock:
                self._rebuilds += done
                left = len(self._unreadable)
            log.info("indexes were built again", segments=done, left=left)
        if first is not None:
            raise first
        return done

    def _first_unreadable(self) -> Segment | None:
        with self._lock:
            return next(iter(self._unreadable.values()), None)

    def _of(self, segment: Segment) -> Known | None:
        known = self._known.get(segment.id)
        if known is None:
            loaded = self._load(segment)
            if loaded is None:
                return None
            self._bytes += loaded.bytes
        elif known.generation == self._numbering.generation:
            self._known.move_to_end(segment.id)
            return known
        else:
            loaded = known.index
        numbers = self._numbering.number(loaded.templates, loaded.texts, loaded.letters)
        known = known_by(loaded, numbers, self._numbering.generation)
        self._known[segment.id] = known
        while self._bytes > self._max_bytes and len(self._known) > 1:
            _, gone = self._known.popitem(last=False)
            self._bytes -= gone.index.bytes
        return known

    def _filters_of(self, segment: Segment) -> Filters | None:
        found = self._filters.get(segment.id)
        if found is not None:
            self._filters.move_to_end(segment.id)
            return found
        known = self._known.get(segment.id)
        loaded = known.index if known is not None else self._load(segment)
        if loaded is None:
            return None
        # Copied, so as not to hold on to all that the index has.
        offsets, versions = loaded.filter_offsets.copy(), loaded.filter_versions.copy()
        found = self._filters[segment.id] = Filters(loaded.filters, offsets, versions)
        if len(self._filters) > FILTERS_MAX:
            self._filters.popitem(last=False)
        return found

    def _load(self, segment: Segment) -> Index | None:
        if not segment.has_index:
            return None
        path = self._directory.index_of(segment.path)
        self._loads += 1
        try:
            return index.load(path)
        except (OSError, Damaged) as error:
            if not self._unreadable:  # the others are counted: all may be gone
                log.warning("an index is built again", path=str(path), error=str(error), until_then="all is read")
            self._unreadable[segment.id] = segment
            return None
