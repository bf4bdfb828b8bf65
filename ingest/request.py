"""What a protocol's decoder is given and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from logstore.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request; each is named by the setting that moves it."""

    max_body_bytes: int = 64 << 20
    max_line_bytes: int = 16 << 20
    max_records: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """A body, already inflated, and what was said around it. `params` are the URL's query parameters; defaults of
    identity that they do not give come from `default_cluster` and `default_namespace`."""

    body: bytes
    now_ns: int
    content_type: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    default_cluster: str = "default"
    default_namespace: str = "default"


@dataclass(frozen=True, slots=True)
class Reject:
    """A line (or element of an array) that was not taken; `line` counts from 1."""

    line: int
    error: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The records of a body in `logstore.record.SCHEMA`, and the lines that were none: the first 10,000, of which
    the last then says how many followed."""

    batch: pa.RecordBatch
    rejects: tuple[Reject, ...] = ()


Decode = Callable[[Request], Decoded]
"""A protocol: bytes of one request to records. Raises InvalidInput or TooLarge for a body that is no such request."""


class NothingTaken(InvalidInput):
    """A body of which no line could be taken; `receipt` is the JSON that says why, line by line."""

    def __init__(self, message: str, rejects: tuple[Reject, ...], receipt: bytes) -> None:
        super().__init__(message)
        self.rejects = rejects
        self.receipt = receipt
