"""GELF over a stream: documents end with NUL; some senders end them with LF, which then follows a `}`."""

from typing import Final

from ingest.frames import take_ended
from ingest.messages import Message, packed, whole

_SPACE: Final = b" \t\r\n\0"


class Framer:
    """Cuts what one connection sends into documents; of a longer one `max_bytes` are kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._open = bytearray()
        self._open_bytes = 0
        self._ends_with_nul = False

    @property
    def held_bytes(self) -> int:
        """Bytes in memory of a document that is not complete."""
        return len(self._open)

    def feed(self, received: bytes | bytearray) -> bytes:
        """The documents that are complete with these bytes, packed."""
        chunk = bytes(received)
        self._ends_with_nul = self._ends_with_nul or b"\0" in chunk
        documents: list[bytes] = []
        at = self._take(chunk, 0, documents) if self._open_bytes else 0
        if self._ends_with_nul:
            taken = take_ended(chunk, at, self._max_bytes, last=0)
            documents.append(taken.packed)
            at = taken.end
        while at < len(chunk):
            at = self._take(chunk, at, documents)
        return b"".join(documents)

    def finish(self) -> bytes:
        """What is left when the sender has closed the connection."""
        documents: list[bytes] = []
        self._close(documents)
        return b"".join(documents)

    def _take(self, chunk: bytes, at: int, documents: list[bytes]) -> int:
        """Takes what there is of the document at `at`; returns where the next one begins."""
        end = self._find_end(chunk, at)
        is_complete = end >= 0
        end = end if is_complete else len(chunk)
        self._open += chunk[at : min(end, at + self._max_bytes - len(self._open))]
        self._open_bytes += end - at
        if is_complete:
            self._close(documents)
        return end + is_complete

    def _close(self, documents: list[bytes]) -> None:
        content, size_bytes = bytes(self._open), self._open_bytes
        self._open.clear()
        self._open_bytes = 0
        if stripped := content.strip(_SPACE):
            is_cut = size_bytes > len(content)
            documents.append(packed(Message(stripped, size_bytes) if is_cut else whole(stripped)))

    def _find_end(self, chunk: bytes, at: int) -> int:
        if self._ends_with_nul:
            return chunk.find(b"\0", at)
        end = chunk.find(b"\n", at)
        while end >= 0 and not self._is_after_brace(chunk, at, end):
            end = chunk.find(b"\n", end + 1)
        return end

    def _is_after_brace(self, chunk: bytes, at: int, end: int) -> bool:
        before = chunk[max(at, end - 2) : end]
        if len(before) < 2:
            before = bytes(self._open[-2:]) + before
        return before.removesuffix(b"\r").endswith(b"}")
