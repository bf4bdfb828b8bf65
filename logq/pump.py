"""Sending one path's lines exactly once: remember the range, send it, move on."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from logq.errors import LogqError, Refusal
from logq.pieces import whole
from logq.position import Flight, PositionFile
from logq.sending import Receipt, Sender
from logq.source import Batch, Oversize, Replaced, Source
from logq.trail import Trail

BATCH_BYTES: Final = 1 << 20
BATCH_MIN_BYTES: Final = 1 << 12
TOO_LARGE: Final = 413
REST_WAIT_S: Final = 5.0
"""How long a piece of a line waits for the next one."""


@dataclass(frozen=True, slots=True)
class Route:
    """What is sent along with every batch."""

    params: Mapping[str, str]
    content_type: str


class Tally:
    """How many lines were accepted, and how many not; each of those is told of."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.accepted = 0
        self.refused = 0
        self.tell = tell

    def take(self, name: str, first_line: int, receipt: Receipt) -> None:
        """Counts an answered batch, naming each rejected line by its number in the input."""
        self.accepted += receipt.accepted
        self.refused += len(receipt.rejected)
        for line, error in receipt.rejected:
            self.tell(f"{name}:{first_line + line - 1}: rejected: {error}")

    def skip(self, name: str, line: int, why: str) -> None:
        """Counts a line that is not sent."""
        self.refused += 1
        self.tell(f"{name}:{line}: skipped: {why}")


class Pump:
    """One path's way to the server. `follow` goes on after the end, over rotation; else the end is the end."""

    def __init__(
        self,
        path: Path,
        remembered: PositionFile,
        sender: Sender,
        route: Route,
        tally: Tally,
        *,
        follow: bool,
        max_line: int,
        rotate_wait_s: float,
    ) -> None:
        self.path = path
        self._remembered = remembered
        self._sender = sender
        self._route = route
        self._tally = tally
        self._follow = follow
        self._max_line = max_line
        self._rotate_wait_s = rotate_wait_s
        self._batch_bytes = BATCH_BYTES
        self._long_bytes = 2 * max_line
        self._trail = Trail(path, tally.tell, follows=follow)
        self._is_stored = False

    def begin(self) -> None:
        """Starts, or resumes: what was in flight is sent again first, as it was."""
        position = self._remembered.load()
        if position is None:
            self._trail.begin()
            self._store()  # from here on, what is rotated away is wanted
        else:
            self._trail.resume(position)
            if position.flight is not None:
                self._send_again(position.flight)
        if not self._follow and not self._trail.sources:
            raise LogqError(f"cannot read {self.path}", "no such file, or it may not be read")

    def step(self) -> bool:
        """Sends one batch at most; False once there is nothing to send for now."""
        if self._follow:
            self._trail.look()
        for source in list(self._trail.sources):
            is_final = self._is_final(source)
            try:
                item = self._read(source, is_final=is_final)
            except Replaced:
                self._trail.replaced(source)
                return True
            if item is not None:
                self._deliver(source, item)
                return True
            if self._follow and is_final and source.is_rotated and source.is_at_end():
                self._trail.drop(source)
                self._is_stored = False
        self._store()
        return False

    def finish(self) -> None:
        """All is sent: nothing needs to be remembered."""
        self._trail.close()
        self._remembered.remove()

    def close(self) -> None:
        """Stops; the position stays."""
        self._trail.close()
        self._remembered.close()

    def _is_final(self, source: Source) -> bool:
        """Whether a last line without a newline will not get one any more."""
        if not self._follow or source.is_copy:
            return True
        return source.is_rotated and source.is_quiet(time.monotonic(), self._rotate_wait_s)

    def _read(self, source: Source, *, is_final: bool) -> Batch | Oversize | None:
        """The next lines; where the server joins pieces of lines, which it does within a batch, no batch ends between
        two of them, unless the rest does not come in time."""
        item = source.read(self._batch_bytes, self._max_line, is_final=is_final)
        if not isinstance(item, Batch) or self._route.params.get("unwrap", "off") == "off":
            return item
        count = whole(item.split_lines())
        if not count:  # a line of more pieces than one batch holds
            item = source.read(self._long_bytes, self._max_line, is_final=is_final)
            if not isinstance(item, Batch):
                return item
            count = whole(item.split_lines())
        if count:
            return item.first(count)
        now_s = time.monotonic()
        source.held_since = now_s if source.held_since is None else source.held_since
        is_over = is_final or now_s - source.held_since >= REST_WAIT_S
        return item if is_over else None

    def _deliver(self, source: Source, item: Batch | Oversize) -> None:
        self._is_stored = False
        if isinstance(item, Oversize):
            self._skip(source, item, f"longer than --max-line ({self._max_line:,} bytes)")
            return
        flight = Flight(
            source.inode,
            item.start,
            item.end,
            item.first_line,
            sha256(item.body).hexdigest(),
            f"logq-{uuid4().hex}",
            dict(self._route.params),
            self._route.content_type,
        )
        self._remembered.store(self._trail.position(flight))
        try:
            receipt = self._sender.send(item.body, flight.key, flight.params, flight.content_type)
        except Refusal as refusal:
            if refusal.http_status != TOO_LARGE:
                raise
            if item.lines > 1:
                self._batch_bytes = max(BATCH_MIN_BYTES, min(self._batch_bytes, len(item.body)) // 2)
                self._long_bytes = self._batch_bytes
                return
            self._skip(source, item, str(refusal))
            return
        source.sent(item)
        self._tally.take(str(self.path), item.first_line, receipt)

    def _skip(self, source: Source, item: Batch | Oversize, why: str) -> None:
        self._tally.skip(str(self.path), item.first_line, why)
        source.sent(item)

    def _send_again(self, flight: Flight) -> None:
        again = self._trail.range_again(flight)
        if again is None:
            self._tally.tell(
                f"{self.path}: bytes {flight.start:,} to {flight.end:,} were on their way when logq ended, and the "
                "file has been rotated and removed since: they may not have arrived"
            )
            return
        body, source = again
        try:
            receipt = self._sender.send(body, flight.key, flight.params, flight.content_type)
        except Refusal as refusal:
            if refusal.http_status != TOO_LARGE:
                raise
            return
        self._tally.take(str(self.path), flight.line, receipt)
        if source is not None:
            lines = body.count(b"\n") + (not body.endswith(b"\n"))
            source.sent(Batch(flight.start, flight.end, body, flight.line, lines))
        self._is_stored = False
        self._store()

    def _store(self) -> None:
        if not self._is_stored:
            self._remembered.store(self._trail.position(None))
            self._is_stored = True
