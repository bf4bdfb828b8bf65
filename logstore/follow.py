"""Following the store: records as they are accepted, in `_seq` order, from a bounded ring."""

import threading

import pyarrow as pa

from logstore.buffer import Buffer


class Follow:
    """A reader of what comes. Not thread-safe; make one for each reader.

    The ring is bounded: records that left it before they were read are counted in `missed`.
    """

    def __init__(self, buffer: Buffer, after_seq: int, stopping: threading.Event) -> None:
        self._buffer = buffer
        self._stopping = stopping
        self.after_seq = after_seq
        """The number of the last record that was handed out or missed."""
        self.missed = 0

    def next(self, timeout_s: float) -> pa.Table | None:
        """The records since the last call; waits up to `timeout_s` for one, then or when the store closes: None."""
        self.wait(timeout_s)
        return self.poll()

    def wait(self, timeout_s: float) -> None:
        """Returns when there are records to poll, after `timeout_s`, or when the store closes."""
        with self._buffer.changed:
            self._buffer.changed.wait_for(
                lambda: self._buffer.newest_seq > self.after_seq or self._stopping.is_set(), timeout_s
            )

    def poll(self) -> pa.Table | None:
        """The records since the last call as the buffer keeps them (logstore/enrich.py), without waiting."""
        records, forgotten_seq = self._buffer.recent(self.after_seq)
        if records is None or not records.num_rows:
            return None
        self.missed += max(forgotten_seq - self.after_seq, 0)
        self.after_seq = int(records["_seq"][-1].as_py())
        return records
