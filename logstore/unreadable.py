"""Segments whose files cannot be read: damaged by the disk, changed or taken away by somebody."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from logstore.errors import Damaged


def unreadable(path: Path, reason: object) -> Damaged:
    """The error that says so."""
    return Damaged(
        f"{path} cannot be read: {in_one_line(reason)}. `logstore check` names all that is damaged while the server is "
        "stopped. Put the file back from a backup, or move it away to go on without its records, and start the server "
        "again; questions that need none of them are answered"
    )


def in_one_line(reason: object) -> str:
    """What a reader of Parquet says may have lines, and bytes of the file."""
    printable = "".join(character if character.isprintable() else " " for character in str(reason))
    return " ".join(printable.split()).rstrip(".")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What fails to read within is the fault of this file; its footer may name other columns, or none.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        yield
    except pa.ArrowMemoryError:
        raise
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise unreadable(path, error) from error
