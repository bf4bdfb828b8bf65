"""One upload: its entries in batches, of which none is stored twice.

An uploader notes how far it got only when a whole upload was answered. After a broken one it sends everything again
from there, cut into other batches than before. So each batch is stored under the cursor of its first entry, with a
receipt that tells how many entries it had and the cursor of the last. An entry that is sent again as the first of a
batch finds that receipt: the entries that it covers are dropped, and the next one is looked up in the same way.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Final, Self

from ingest.protocols.journald.export import Entries, Export
from ingest.protocols.journald.records import cursor_of, decode
from ingest.request import OVERRIDES, Decoded, Head, Limits, Request
from logstore.errors import TooLarge

_DIGEST_BYTES: Final = 32
_GROWTH: Final = 13
"""A record is less than so many times as long as its entry, which may stand in its message and in its attributes, each
byte of it as an escape of six."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What a stored batch covers: so many entries, of which the last has this cursor."""

    entries: int
    last: str

    @classmethod
    def of(cls, entries: Entries) -> Self:
        return cls(len(entries), cursor_of(entries[len(entries) - 1]))

    @classmethod
    def read(cls, receipt: bytes) -> Self:
        entries, _, last = receipt.decode().partition(" ")
        return cls(int(entries), last)

    @property
    def receipt(self) -> bytes:
        return f"{self.entries} {self.last}".encode()


class Upload:
    """Reads one body (see `ingest.reader.Reader`). Entries wait here until they are stored: those of one batch, and of
    a second while it is not known whether they are a repeat."""

    def __init__(self, head: Head, limits: Limits) -> None:
        self._export = Export(limits.max_line_bytes, limits.max_text_bytes // _GROWTH)
        self._given = "\n".join(head.override(name) for name in OVERRIDES)
        self._fed: list[bytes] = []
        self._entries = Entries()
        self._is_over = False
        self._covered: Extent | None = None
        """A batch that begins as ours does is stored."""
        self._is_new = False
        """It was another one than ours, although it began so: no key tells them apart."""
        self._sent: Extent | None = None

    @property
    def held_bytes(self) -> int:
        return self._export.held_bytes + sum(map(len, self._fed))

    def feed(self, data: bytes) -> None:
        self._fed.append(data)

    def end(self) -> None:
        self._is_over = True

    def read(self, request: Request) -> Decoded:
        """The entries that are complete and not known to be stored."""
        self._parse()
        self._drop_covered()
        if not self._entries or self._covered:
            self._sent = None
            return decode(Entries(), request)
        decoded, count = self._decode_some(request)
        self._sent = Extent.of(self._entries.first(count))
        first = cursor_of(self._entries[0])
        if self._is_new or not first or not self._sent.last:
            return decoded
        digest = hashlib.blake2b(f"{self._given}\n{first}".encode(), digest_size=_DIGEST_BYTES)
        return replace(decoded, key=digest.hexdigest(), items=self._sent.receipt, digest=digest.digest())

    def stored(self, receipt: bytes) -> bool:
        """Whether the receipt is that of another extent than ours, so that there is more to read."""
        if self._sent is None:
            return False
        known = Extent.read(receipt) if receipt else self._sent
        if known == self._sent:
            self._entries = self._entries.after(known.entries)
            self._is_new = False
            return bool(self._entries)
        self._covered = known
        return self._is_decided

    @property
    def _is_decided(self) -> bool:
        return self._covered is None or self._is_over or len(self._entries) >= self._covered.entries

    def _parse(self) -> None:
        fed, self._fed = self._fed, []
        self._entries = self._entries.and_then(self._export.feed(b"".join(fed)))
        if self._is_over:
            self._entries = self._entries.and_then(self._export.end())

    def _decode_some(self, request: Request) -> tuple[Decoded, int]:
        """The first entries, as many as may be one batch, and their number."""
        count = len(self._entries)
        while True:
            try:
                return decode(self._entries.first(count), request), count
            except TooLarge:
                if count == 1:
                    raise
                count //= 2

    def _drop_covered(self) -> None:
        covered = self._covered
        if covered is None or not self._is_decided:
            return
        self._covered = None
        has_all = len(self._entries) >= covered.entries
        if has_all and cursor_of(self._entries[covered.entries - 1]) == covered.last:
            self._entries = self._entries.after(covered.entries)
        else:
            self._is_new = True
