"""Pieces of one line, as container runtimes cut them: where a batch may end without cutting a line once more.

CRI: `<time> <stdout|stderr> <P or F> …`, where P goes on. Docker's json-file: `{"log":"…"…}`, where a log that does not
end in a newline goes on.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

_CRI: Final = re.compile(rb"\d{4}-\S{15,36} (stdout|stderr) ([PF])[ :\r\n]")


def whole(lines: Iterable[bytes]) -> int:
    """How many of the lines, from the first, end with no line that goes on."""
    is_open: set[bytes] = set()
    whole_count = 0
    for count, line in enumerate(lines, start=1):
        stream, goes_on = _piece(line)
        if goes_on:
            is_open.add(stream)
        else:
            is_open.discard(stream)
        if not is_open:
            whole_count = count
    return whole_count


def _piece(line: bytes) -> tuple[bytes, bool]:
    """The stream, and whether its line goes on."""
    if found := _CRI.match(line):
        return found[1], found[2] == b"P"
    if line.startswith(b'{"log":"'):
        try:
            entry = json.loads(line)
            return str(entry["stream"]).encode(), not entry["log"].endswith("\n")
        except (ValueError, KeyError, AttributeError):
            pass
    return b"", False
