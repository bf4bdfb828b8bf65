"""What `logq push` remembers of one file, in a file that a crash cannot tear.

A flight is a range of bytes that was being sent: it is on disk before the first byte goes out, so that after a
crash the same bytes can be sent under the same key, and the server can tell that it has them already.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from logq.errors import LogqError

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was sent: `offset` bytes, `line` lines.

    A file is known by its inode, its first bytes (`head`) and the bytes before `offset` (`guard`), both hex.
    """

    inode: int
    offset: int
    line: int
    head: str
    guard: str
    is_rotated: bool
    is_at_end: bool


@dataclass(frozen=True, slots=True)
class Flight:
    """The range [start, end) of a file as it was sent, with all that a repeat needs to be the same."""

    inode: int
    start: int
    end: int
    line: int
    sha256: str
    key: str
    params: Mapping[str, str]
    content_type: str


@dataclass(frozen=True, slots=True)
class Position:
    """Everything remembered of one path; `seen` are the rotated files that need no sending: inode to head."""

    places: tuple[Place, ...]
    seen: Mapping[int, str]
    flight: Flight | None


class PositionFile:
    """One position on disk, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise LogqError("this file is being pushed by another logq push already", f"its position: {path}") from None

    def load(self) -> Position | None:
        """What was stored last; None if nothing.

        Raises:
            LogqError: the file is not one of ours.
        """
        try:
            return _position(json.loads(self.path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise LogqError(
                f"cannot read the position {self.path}: {error!r}",
                "remove it to send the file again from its beginning",
            ) from None

    def store(self, position: Position) -> None:
        """On disk, safe against a crash, when it returns."""
        document = {
            "version": VERSION,
            "places": [asdict(place) for place in position.places],
            "seen": {str(inode): head for inode, head in position.seen.items()},
            "flight": asdict(position.flight) if position.flight else None,
        }
        beside = self.path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def remove(self) -> None:
        """Forgets everything: the file is sent completely."""
        self.path.unlink(missing_ok=True)
        self.close()
        self.path.with_suffix(".lock").unlink(missing_ok=True)

    def close(self) -> None:
        """Lets another process have it."""
        os.close(self._lock)


def _position(document: Mapping[str, Any]) -> Position:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']}, this logq reads {VERSION}")
    flight = document["flight"]
    return Position(
        tuple(Place(**place) for place in document["places"]),
        {int(inode): head for inode, head in document["seen"].items()},
        Flight(**flight) if flight else None,
    )
