"""The segments that are live, and which snapshots still read those that no longer are."""

import threading
from collections import Counter
from collections.abc import Sequence

from logstore.catalog import Segment
from logstore.files import DataDirectory
from logstore.listing import Listing


class LiveSegments:
    """An immutable listing of segments that is replaced as a whole. A replaced segment's file goes when the last
    snapshot that may read it is closed. Callers hold `lock` where several changes must be seen as one."""

    def __init__(self, directory: DataDirectory) -> None:
        self._directory = directory
        self._segments = Listing.empty(directory.segments)
        self._generation = 0
        self._readers: Counter[int] = Counter()
        self._replaced: list[tuple[int, Segment]] = []
        self.lock = threading.RLock()

    @property
    def segments(self) -> Listing:
        return self._segments

    def begin(self, segments: Listing) -> None:
        """Takes what the catalog has when the store is opened."""
        with self.lock:
            self._segments = segments

    def change(self, added: Sequence[Segment], removed: Sequence[Segment]) -> None:
        with self.lock:
            self._segments = self._segments.changed(added, removed)
            self._generation += 1
            self._replaced += [(self._generation, segment) for segment in removed]

    def begin_read(self) -> int:
        """Keeps the files of the segments that are live now until `end_read` of the same number."""
        with self.lock:
            self._readers[self._generation] += 1
            return self._generation

    def end_read(self, generation: int) -> None:
        with self.lock:
            self._readers[generation] -= 1
            if not self._readers[generation]:
                del self._readers[generation]
        self.sweep()

    def sweep(self) -> None:
        """Deletes the files that no snapshot can still read."""
        with self.lock:
            oldest = min(self._readers, default=self._generation)
            free = [segment for generation, segment in self._replaced if generation <= oldest]
            self._replaced = [(generation, segment) for generation, segment in self._replaced if generation > oldest]
        for segment in free:
            self._directory.remove_segment(segment.path)
