"""Segments and buffer at one instant."""

from collections.abc import Callable
from typing import Final, Self

import pyarrow as pa

from logstore.listing import Listing
from logstore.record import STORED

_NOTHING: Final = STORED.empty_table()


class Snapshot:
    """Segments and buffer at one instant. A context manager: while it is open, no file of it goes away."""

    def __init__(
        self,
        segments: Listing,
        buffer: pa.Table,
        last_seq: int,
        label_keys: frozenset[str] | None,
        release: Callable[[], None],
    ) -> None:
        self.segments = segments
        self.buffer = buffer
        """Records that are in no segment yet, enriched (logstore/enrich.py), in the stored schema, in `_seq` order."""
        self.last_seq = last_seq
        """No record after this number is in it."""
        self.label_keys = label_keys
        """All keys that its records' labels have; None where there are too many to tell."""
        self._release = release
        self._is_open = True

    def let_go_of_buffer(self) -> None:
        """For who has taken of it what he needs: records that are flushed meanwhile need not stay in memory."""
        self.buffer = _NOTHING

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
