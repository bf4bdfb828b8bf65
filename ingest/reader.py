"""Bodies that go on: what reads one while it comes, so that its records need not wait for its end."""

from typing import Protocol

from ingest.request import Decoded, Request


class Reader(Protocol):
    """Reads one body. Not for several threads at once."""

    def feed(self, data: bytes) -> None:
        """What came of the body; it is only kept."""

    def end(self) -> None:
        """The body is over: what was begun is complete."""

    def read(self, request: Request) -> Decoded:
        """The records that are complete and not known to be stored: the same again until `stored` is told.

        `items` is the receipt that is kept with the batch if it has a key, and told instead of a repeat's own.
        """

    def stored(self, receipt: bytes) -> bool:
        """What `read` gave last is durable, or was a repeat, as the receipt tells. Whether there is more to read."""

    @property
    def held_bytes(self) -> int:
        """Bytes that were fed and are in no record yet, bounded by the reader itself."""
