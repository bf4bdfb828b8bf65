"""What a protocol's decoder is given and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import pyarrow as pa

from ingest.identity_table import Table, default_table
from logstore.errors import TooLarge

TEXT_MAX_BYTES: Final = 500 << 20
"""Of messages and attributes of one request: offsets into a column's text are 32 bits wide."""
TEXT_OF_BODY: Final = 4
_MAPPED: Final = "::ffff:"
SENDER_NAME_MAX: Final = 80
OVERRIDES: Final = ("cluster", "namespace", "pod", "container", "stream")
"""What query parameters and headers may say of all records of a request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request; each is named by the setting that moves it."""

    max_body_bytes: int = 64 << 20
    max_line_bytes: int = 16 << 20
    max_records: int = 2_000_000
    max_singles: int = 400_000
    """Records that are not as they usually are, each of which is read by itself and takes far more memory."""

    @property
    def max_read_singly(self) -> int:
        """Records that one request may have of those."""
        return min(self.max_records, self.max_singles)

    @property
    def max_text_bytes(self) -> int:
        """Of messages and attributes of one request: what is said once of many records is an attribute of each."""
        return min(TEXT_MAX_BYTES, TEXT_OF_BODY * self.max_body_bytes)

    def check_text(self, size_bytes: int) -> None:
        """Raises TooLarge for more text than one request may become."""
        if size_bytes > self.max_text_bytes:
            raise TooLarge("the records of the body have too much text (max_body); send smaller batches")


@dataclass(frozen=True, slots=True)
class Head:
    """What was said around a body. Names of headers are in lower case."""

    method: str = "POST"
    path: str = "/"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    """What stands in the path for the `{name}`s of its pattern."""

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_of_fluent_bit(self) -> bool:
        """Whether the sender says that it is one."""
        return self.headers.get("user-agent", "").lower().startswith("fluent-bit")

    def override(self, name: str) -> str:
        """One of `OVERRIDES`, as the query parameter of this name or the header `Logstore-Name` says; '' if neither."""
        return self.params.get(name, "") or self.headers.get(f"logstore-{name}", "")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent something: its network address, and what it calls itself ('' if nothing)."""

    address: str = ""
    name: str = ""

    @classmethod
    def at(cls, peer: str, name: str = "") -> Self:
        """Who is at the other end of a socket; IPv4 that came over one of IPv6 is written as IPv4."""
        address = peer.removeprefix(_MAPPED)
        return cls(address, "" if name == address else name[:SENDER_NAME_MAX])


@dataclass(frozen=True, slots=True)
class Request:
    """A body, already inflated, and its head. Identity that nobody gives comes from `default_cluster` and
    `default_namespace`."""

    body: bytes
    now_ns: int
    head: Head = Head()
    limits: Limits = Limits()
    default_cluster: str = "default"
    default_namespace: str = "default"
    identity: Table = field(default_factory=default_table)
    """Where agents say where records come from."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that was not taken; `line`, or the record's place in its body, counts from 1. `reason` is one word, of
    few, by which such are counted."""

    line: int
    error: str
    reason: str = "invalid"


def all_told(rejects: Sequence[Reject], untold: int, what: str = "") -> tuple[Reject, ...]:
    """The rejects, of which the last also says how many `what` followed that are not told one by one."""
    if not untold:
        return tuple(rejects)
    *before, last = rejects
    return (*before, replace(last, error=f"{last.error}; {untold:,} {what}after this one were rejected too"))


@dataclass(frozen=True, slots=True)
class Decoded:
    """The records of a body in `logstore.record.SCHEMA`, and the lines that were none: the first 10,000, of which
    the last then says how many followed."""

    batch: pa.RecordBatch
    rejects: tuple[Reject, ...] = ()
    key: str = ""
    """The protocol's own name for this batch, if it has one: a repeat with the same body is stored once."""
    items: Any = None
    """What the protocol's own answer needs besides."""
    unread: int = 0
    """Records of the batch that were stored as they came, with the attribute `_ingest_error`."""
    digest: bytes = b""
    """What tells a repeat from another batch of this name, where that is not the body."""
    senders: Mapping[Sender, int] = field(default_factory=dict)
    """Who sent how many of the records, where messages say so: the hosts that a relay sends for."""


Decode = Callable[[Request], Decoded]
"""A protocol: bytes of one request to records. Raises InvalidInput or TooLarge for a body that is no such request."""
