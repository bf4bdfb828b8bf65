"""How fast records may come while a flush makes room for them: so that the buffer is full when the flush ends, not
before. Many acknowledgements are somewhat late then, and none waits for a whole flush."""

from typing import Final

FIRST_BYTES_PER_S: Final = 8 << 20
"""What a flush is taken to manage before there was one."""
LEAST_BYTES: Final = 4 << 20
"""A flush of less tells little of how long one takes."""
OVERDUE: Final = 0.25
"""A flush that takes longer than it should is taken to need this share of its time so far once more."""
LONGEST_S: Final = 0.5


class Pace:
    """What flushes have told. One thread at a time may flush; any may ask."""

    def __init__(self) -> None:
        self._bytes_per_s: float = FIRST_BYTES_PER_S
        self._flush: tuple[float, int] | None = None
        """Since when one runs, and of how many bytes."""

    def begin(self, size_bytes: int, now_s: float) -> None:
        self._flush = (now_s, size_bytes)

    def end(self, now_s: float) -> None:
        """It ended, whether it managed or not; one that failed by far too early is not learnt from by half."""
        if self._flush is None:
            return
        began_s, size_bytes = self._flush
        self._flush = None
        if size_bytes >= LEAST_BYTES and now_s > began_s:
            self._bytes_per_s = size_bytes / (now_s - began_s)

    def spacing_s(self, batch_bytes: int, room_bytes: int, now_s: float) -> float:
        """How long after the one before a batch may come, where there is so much room; 0 while nothing is flushed."""
        flush = self._flush
        if flush is None:
            return 0
        began_s, size_bytes = flush
        passed_s = now_s - began_s
        left_s = max(size_bytes / self._bytes_per_s - passed_s, OVERDUE * passed_s)
        return min(left_s * batch_bytes / max(room_bytes, 1), LONGEST_S)
