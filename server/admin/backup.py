"""`logstore backup`: a consistent copy of a data directory, also while a server writes to it."""

import argparse
import shutil
from pathlib import Path

from logstore.backup import backup
from logstore.errors import InvalidInput, InvalidSettings, Unavailable
from logstore.files import sync_directory
from server.admin.data import add_data, existing

EPILOG = """\
Everything acknowledged before the command began is in the copy. Parquet files are hard links where DIR is on the
same disk: they never change. DIR appears only when the copy is complete.

To restore: start the server with --data DIR, or copy DIR to where the data shall be and start it there.
`logstore check --data DIR` verifies the copy.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="DIR", type=Path, help="where the copy goes; must not exist, or be empty")
    add_data(parser)
    parser.epilog = EPILOG
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    source, target = existing(arguments), arguments.target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidSettings(f"{target} is there already and not empty: name a new directory")
    unfinished = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        size_bytes = backup(source.root, unfinished)
        if target.exists():
            target.rmdir()
        unfinished.rename(target)
        sync_directory(target.parent)
    except InvalidInput as error:
        raise InvalidSettings(str(error)) from error
    except OSError as error:
        raise Unavailable(f"the backup could not be written: {error}") from error
    print(f"{size_bytes} bytes of Parquet, the catalog and the log are in {target}")
    return 0
