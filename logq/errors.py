"""What can end a command, each with what to do about it.

LogqError
├── UsageError      the command line is at fault
├── ConfigError     a configuration file or environment variable is at fault
├── Unreachable     no answer from the server: not running, wrong address, lost midway
├── Refusal         the server answered with an error status
├── Incomplete      the server said midway that it could not finish the answer
└── NothingFound    asked for something that is not there (exit status 1)
"""

from typing import Final

FOUND: Final = 0
NOTHING: Final = 1
FAILED: Final = 2
INTERRUPTED: Final = 130


class LogqError(Exception):
    """Base of all errors shown to the user; `str()` says what, `hint` how to mend it (maybe in lines)."""

    status = FAILED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(LogqError):
    """The command line cannot be understood."""


class ConfigError(LogqError):
    """A setting (file, environment, URL) that cannot be used."""


class Unreachable(LogqError):
    """The server could not be reached, or the connection broke before the answer was complete."""


class Incomplete(LogqError):
    """An answer that the server itself reported as failed after its first rows."""


class NothingFound(LogqError):
    """What was asked for does not exist."""

    status = NOTHING


class Refusal(LogqError):
    """An error status from the server.

    `position` is (line, column) in the query as it was sent, both from 1. `rejected` holds the (line, error)
    pairs of a refused batch.
    """

    def __init__(
        self,
        message: str,
        http_status: int,
        hint: str = "",
        position: tuple[int, int] | None = None,
        retry_after_s: float | None = None,
        rejected: tuple[tuple[int, str], ...] = (),
    ) -> None:
        super().__init__(message, hint)
        self.http_status = http_status
        self.position = position
        self.retry_after_s = retry_after_s
        self.rejected = rejected
