"""An NDJSON answer as it arrives: runs of whole record lines, with the server's own last words taken out."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

from logq.client import blocks
from logq.errors import Incomplete


class Answer:
    """Record lines of a query; after the last, `is_truncated` and `cursor` tell whether there is more."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.is_truncated = False
        self.cursor = ""

    def runs(self) -> Iterator[bytes]:
        """Bytes that are whole lines, each with its newline.

        Raises:
            Incomplete: the server reported that it could not finish.
            Unreachable: the connection broke.
        """
        for run in whole_lines(blocks(self._response)):
            if run.startswith(b'{"@') or b'\n{"@' in run:
                run = b"".join(line + b"\n" for line in run[:-1].split(b"\n") if not self._is_word(line))
            if run:
                yield run

    def _is_word(self, line: bytes) -> bool:
        if not line.startswith(b'{"@'):
            return False
        fields = json.loads(line)
        end, error = fields.get("@end"), fields.get("@error")
        if error is not None:
            raise Incomplete(_error_text(error), "the lines before are right, but not all there are")
        if isinstance(end, dict):
            self.is_truncated = bool(end.get("truncated"))
            self.cursor = str(end.get("cursor") or "")
            return True
        return False


def whole_lines(pieces: Iterator[bytes], *, keep_rest: bool = True) -> Iterator[bytes]:
    """The pieces cut anew after newlines; a last line without one gets it, or is dropped."""
    rest: list[bytes] = []
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join((*rest, piece[:end]))
            rest.clear()
        if end < len(piece):
            rest.append(piece[end:])
    if rest and keep_rest:
        yield b"".join((*rest, b"\n"))


def _error_text(error: Any) -> str:
    text = error.get("error") or error.get("message") if isinstance(error, dict) else error
    return f"the server could not finish: {text or error}"
