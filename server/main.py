"""The `logstore` command. Each subcommand imports what it needs when it runs, so that help and errors are quick."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

DESCRIPTION: Final = "A home for container logs: durable ingest over HTTP, open Parquet files, a small query language."
EPILOG: Final = """\
examples:
  logstore serve                     listen on 127.0.0.1:7117, keep everything in ./logstore-data
  logstore files --data DIR          the Parquet files of one consistent snapshot, one a line
  logstore check --data DIR          verify the write-ahead log, the catalog and every file
  logstore backup DIR2 --data DIR    a consistent copy, also while the server runs

exit codes: 0 done, 1 failed or found damage, 2 wrong usage or settings
"""

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """Names what was wrong and where help is, instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {_kinder(message)}\n{self.prog}: see `{self.prog} --help`\n")
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit code."""
    # Arrow takes it from here once, as it is loaded, for what its C++ code allocates: see server/memory.py.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from logstore.errors import InvalidSettings, LogstoreError

    command = arguments[0] if arguments else ""
    parser = _parser(command)
    parsed = parser.parse_args(arguments)
    chosen: Command | None = getattr(parsed, "command", None)
    if chosen is None:
        parser.print_help()
        return 2
    try:
        return chosen(parsed)
    except InvalidSettings as error:
        print(f"logstore {command}: {error}", file=sys.stderr)
        return 2
    except LogstoreError as error:
        print(f"logstore {command}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="logstore", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for name, (summary, add) in COMMANDS.items():
        # Only the chosen command's flags are made: they cost the import of all settings.
        if name == command:
            add(_subparser(commands, name, summary))
        else:
            commands.add_parser(name, help=summary)
    return parser


def _subparser(commands: "argparse._SubParsersAction[_Parser]", name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=32, width=100),
    )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    from server.flags import EPILOG as SETTINGS_EPILOG
    from server.flags import add_settings

    parser.usage = "logstore serve [--data DIR] [--listen HOST:PORT] [--config FILE] [any setting below]"
    parser.epilog = SETTINGS_EPILOG
    add_settings(parser)
    parser.set_defaults(command=_serve)


def _serve(arguments: argparse.Namespace) -> int:
    from server.flags import given
    from server.settings import load, unknown_variables
    from server.telemetry import configure_logging

    settings = load(given(arguments))
    configure_logging(settings.log_level, settings.log_format)
    for name in unknown_variables(os.environ):
        print(f"logstore serve: {name} is no setting and is ignored", file=sys.stderr)

    from server.serve import serve

    return serve(settings)


def _add_admin(name: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        from server import admin
        from server.telemetry import configure_logging

        configure_logging("warning", "auto")
        admin.add(name, parser)

    return add


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_version)


def _version(_arguments: argparse.Namespace) -> int:
    from importlib.metadata import version

    print(f"logstore {version('logstore')}")
    return 0


COMMANDS: Final[dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]]] = {
    "serve": ("serve HTTP: take records, answer queries", _add_serve),
    "check": ("verify everything stored; the server must not run", _add_admin("check")),
    "files": ("list the Parquet files of one consistent snapshot", _add_admin("files")),
    "compact": ("merge small files now; the server must not run", _add_admin("compact")),
    "import": ("read records from NDJSON or Parquet files; the server must not run", _add_admin("import")),
    "export": ("write records of a query to standard output; the server must not run", _add_admin("export")),
    "backup": ("copy everything stored to a new directory, also while the server runs", _add_admin("backup")),
    "healthcheck": ("ask a running server whether it is ready", _add_admin("healthcheck")),
    "rules": ("try the rules of --rules-file on lines", _add_admin("rules")),
    "version": ("print the version", _add_version),
}


def _kinder(message: str) -> str:
    if not message.startswith("unrecognized arguments: "):
        return message
    from server.settings import nearest

    first = message.removeprefix("unrecognized arguments: ").split()[0]
    if not first.startswith("--"):
        return f"unexpected argument {first!r}"
    name = first.removeprefix("--").partition("=")[0]
    return f"unknown flag --{name}{nearest(name).replace('_', '-').replace('mean ', 'mean --')}"


if __name__ == "__main__":
    main()
