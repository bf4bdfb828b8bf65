"""What a tail sends, and how it is written as NDJSON and as server-sent events."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from logstore.errors import LogstoreError


@dataclass(frozen=True)
class Records:
    """NDJSON lines, and the number of each one's record; none where their order is not that of their numbers."""

    lines: bytes
    rows: int
    seqs: tuple[int, ...] = ()

    @cached_property
    def events(self) -> bytes:
        """As server-sent events; an event's id is the cursor that covers all up to it."""
        lines = self.lines.splitlines()
        if not self.seqs:
            return b"".join(b"data: %b\n\n" % line for line in lines)
        return b"".join(b"id: %d\ndata: %b\n\n" % pair for pair in zip(self.seqs, lines, strict=True))


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything up to this cursor has been sent. `missed`: so many records after it have not, and will not be."""

    cursor: str
    missed: int = 0

    @property
    def line(self) -> bytes:
        told = {"cursor": self.cursor} | ({"missed": self.missed} if self.missed else {})
        return json.dumps({"@tail": told}).encode()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing to tell, but alive."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The tail ends here."""

    error: LogstoreError


Event: TypeAlias = Records | Mark | Heartbeat | Failed


def as_ndjson(event: Event) -> bytes:
    """Lines; an empty one is a heartbeat."""
    match event:
        case Records():
            return event.lines
        case Mark():
            return event.line + b"\n"
        case Heartbeat():
            return b"\n"
        case Failed(error):
            return _error(error) + b"\n"


def as_sse(event: Event) -> bytes:
    """Server-sent events (WHATWG HTML §9.2); records are of the default type, cursors of type `tail`."""
    match event:
        case Records():
            return event.events
        case Mark(cursor):
            return b"id: %b\nevent: tail\ndata: %b\n\n" % (cursor.encode(), event.line)
        case Heartbeat():
            return b":\n\n"
        case Failed(error):
            return b"event: error\ndata: %b\n\n" % _error(error)


def _error(error: LogstoreError) -> bytes:
    return json.dumps({"@error": {"error": str(error)}}, ensure_ascii=False).encode()
