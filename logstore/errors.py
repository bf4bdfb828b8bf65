"""What can go wrong, by who must act: the caller (4xx), the operator (5xx), or a bug (anything else).

LogstoreError
├── CallerError          the request is at fault
│   ├── InvalidInput         400
│   ├── InvalidQuery         400, with position and hint
│   ├── KeyConflict          409
│   ├── TooLarge             413
│   ├── QueryTooExpensive    422, out of memory
│   └── Busy                 429, with the seconds after which to try again
└── OperatorError        the server's surroundings are at fault
    ├── Unavailable          503
    ├── QueryTimeout         504
    ├── InvalidSettings      the program does not start
    └── Damaged              stored bytes are not what was written
"""

from dataclasses import dataclass


class LogstoreError(Exception):
    """Base of all errors that this project raises on purpose; `str()` says what, where and how to mend it."""


class CallerError(LogstoreError):
    """The request is at fault; sending it again unchanged does not help, but for `Busy`."""


class OperatorError(LogstoreError):
    """The server's surroundings are at fault (disk, settings, stored bytes)."""


class InvalidInput(CallerError):
    """A body or parameter that cannot be read."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a query text; both count from 1, columns in characters."""

    line: int
    column: int


class InvalidQuery(CallerError):
    """A query that cannot be understood, with the place and, where there is one, a hint how to mend it."""

    def __init__(self, message: str, position: Position | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.position = position
        self.hint = hint


class KeyConflict(CallerError):
    """An `Idempotency-Key` that was used before with another body."""


class TooLarge(CallerError):
    """A body or line over its limit; the message names the limit and its setting."""


class QueryTooExpensive(CallerError):
    """A query that ran out of memory; the message names the limit and its setting."""


class Busy(CallerError):
    """A full queue; try again after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(OperatorError):
    """Nothing can be accepted now: the disk is full or below its reserve, or a write to it failed."""


class QueryTimeout(OperatorError):
    """A query that ran longer than its limit; the message names the limit and its setting."""


class InvalidSettings(OperatorError):
    """Settings that do not fit together; the message names them."""


class Damaged(OperatorError):
    """Stored bytes that are not what was written; the message names the file and the place."""
