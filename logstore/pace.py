"""How fast records may come while a flush makes room for them: so that the buffer is full when the flush ends, not
before. Many acknowledgements are somewhat late then, and none waits for a whole flush."""

from typing import Final

FIRST_BYTES_PER_S: Final = 8 << 20
"""What a flush is taken to manage before there was one."""
LEAST_BYTES: Final = 4 << 20
"""A flush of less tells little of how long one takes."""
OVERDUE: Final = 0.25
"""A flush that takes longer than it should is taken to need this share of its time so far once more."""
SORTING: Final = 0.2
"""The share of a flush before it writes."""
LONGEST_S: Final = 0.5


class Pace:
    """What flushes have told. One thread at a time may flush; any may ask."""

    def __init__(self) -> None:
        self._bytes_per_s: float = FIRST_BYTES_PER_S
        self._flush: tuple[float, int] | None = None
        """Since when one runs, and of how many bytes."""
        self._takes_s = 0.0
        """How long that one takes in all, as far as it is known."""

    def begin(self, size_bytes: int, now_s: float) -> None:
        self._takes_s = size_bytes / self._bytes_per_s
        self._flush = (now_s, size_bytes)

    def progress(self, share: float, now_s: float) -> None:
        """So much of it is written."""
        if self._flush is not None:
            self._takes_s = (now_s - self._flush[0]) / (SORTING + (1 - SORTING) * share)

    def end(self, now_s: float) -> None:
        """There is room."""
        if self._flush is not None:
            began_s, size_bytes = self._flush
            if size_bytes >= LEAST_BYTES and now_s > began_s:
                self._bytes_per_s = size_bytes / (now_s - began_s)
        self._flush = None

    def give_up(self) -> None:
        """The flush failed, which tells nothing of how long one takes."""
        self._flush = None

    def spacing_s(self, batch_bytes: int, room_bytes: int, now_s: float) -> float:
        """How long after the one before a batch may come, where there is so much room; 0 while nothing is flushed."""
        flush = self._flush
        if flush is None:
            return 0
        passed_s = now_s - flush[0]
        left_s = max(self._takes_s - passed_s, OVERDUE * passed_s)
        return min(left_s * batch_bytes / max(room_bytes, 1), LONGEST_S)
