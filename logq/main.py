"""The `logq` program: finds the command, runs it, turns what ends it into a message and an exit status."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from logq.errors import FAILED, FOUND, INTERRUPTED, LogqError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Returns:
        0 found, 1 nothing found, 2 error, 130 interrupted.
    """
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return status
    except LogqError as error:
        from logq.notes import report

        _flush_quietly()
        report(error)
        return error.status
    except KeyboardInterrupt:
        _flush_quietly()
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return FOUND
    except OSError as error:
        from logq.notes import report

        _discard_stdout()
        report(LogqError(f"cannot write: {error.strerror or error}"))
        return FAILED


def _run(argv: Sequence[str]) -> int:
    from logq.arguments import COMMANDS, parse

    options = parse(argv)
    status: int = import_module(COMMANDS[options.command].module).run(options)
    return status


def _flush_quietly() -> None:
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        _discard_stdout()


def _discard_stdout() -> None:
    """Whatever Python would still flush at its exit goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
