"""The command line: which command it names, and that command's options."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from logq.errors import UsageError
from logq.help import EXAMPLES, OVERVIEW

FORMATS: Final = ("table", "ndjson", "raw", "json", "csv", "arrow", "parquet")
LINE_FORMATS: Final = ("table", "ndjson", "raw", "json")


class Parser(argparse.ArgumentParser):
    """argparse, with Go's `--flag=true`, errors raised instead of printed, and examples first in the help."""

    def __init__(self, command: str) -> None:
        name = "logq" if command == "query" else f"logq {command}"
        super().__init__(
            prog=name,
            add_help=False,
            allow_abbrev=False,
            formatter_class=_Formatter,
            description=EXAMPLES[command],
        )
        self.switches: set[str] = set()
        self.valued: set[str] = set()

    def switch(self, *names: str, text: str) -> None:
        """An option that is on or off; `--name=true` and `--name=false` too."""
        self.switches.update(names)
        self.add_argument(*names, action="store_true", help=text)

    def value(
        self, *names: str, metavar: str, text: str, default: str | None = "", choices: Sequence[str] = ()
    ) -> None:
        """An option with a text value."""
        self.valued.update(names)
        self.add_argument(*names, metavar=metavar, help=text, default=default, choices=choices or None)

    def number(self, *names: str, metavar: str, text: str, default: int | None = None) -> None:
        """An option with a whole number."""
        self.valued.update(names)
        self.add_argument(*names, metavar=metavar, help=text, default=default, type=_whole)

    def format_help(self) -> str:
        """Usage, examples, options."""
        return OVERVIEW if self.prog == "logq" else super().format_help()

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            first = unknown.split()[0]
            hint = f"to search for it: logq -- '{first}'" if self.prog == "logq" else f"see {self.prog} --help"
            raise UsageError(f"unknown option {first}", hint)
        raise UsageError(message.removeprefix("argument "), f"see {self.prog} --help")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=96)


@dataclass(frozen=True, slots=True)
class Command:
    """A word that `logq` knows: the module whose `run(options)` does it, and how its options are added."""

    module: str
    usage: str
    add_options: Callable[[Parser], None]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of the command that `argv` names (`query` where it names none); `words` are its operands.

    Raises:
        UsageError: an option is unknown or its value no good.
    """
    name, arguments, after = _split(argv)
    parser = parser_of(name)
    options = parser.parse_intermixed_args(_without_go_values(arguments, parser.switches))
    if options.help or (name == "query" and not options.words and not after):
        sys.stdout.write(parser.format_help())
        raise SystemExit(0 if options.help else 2)
    options.words.extend(after)
    options.command = name
    return options


def parser_of(name: str) -> Parser:
    """The complete parser of one command."""
    command = COMMANDS[name]
    parser = Parser(name)
    parser.usage = command.usage
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    command.add_options(parser)
    _add_common(parser)
    return parser


def _split(argv: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """The command, its arguments, and the words after `--`, which are never a command nor an option."""
    end = argv.index("--") if "--" in argv else len(argv)
    before, after = list(argv[:end]), list(argv[end + 1 :])
    index = 0
    while index < len(before):
        argument = before[index]
        if argument.startswith("-") and argument != "-":
            index += 2 if argument in LEADING_VALUED else 1
            continue
        if argument in COMMANDS and argument != "query":
            return argument, before[:index] + before[index + 1 :], after
        break
    return "query", before, after


def _without_go_values(arguments: Sequence[str], switches: set[str]) -> list[str]:
    kept: list[str] = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in switches:
            kept.append(argument)
        elif value.lower() in ("true", "t", "1"):
            kept.append(name)
        elif value.lower() not in ("false", "f", "0"):
            raise UsageError(f"{name}: {value!r} is neither true nor false")
    return kept


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _add_common(parser: Parser) -> None:
    parser.value("--server", metavar="URL", text="the server (LOGQ_SERVER; default http://127.0.0.1:7117)")
    parser.value("--context", metavar="NAME", text="a server by its name in the configuration file (LOGQ_CONTEXT)")
    parser.value("--token", metavar="TOKEN", text="bearer token (better: LOGQ_TOKEN, or a context's token-file)")
    parser.value("--ca-file", metavar="FILE", text="authority that signed the server's certificate (LOGQ_CA_FILE)")
    parser.value("--client-cert", metavar="FILE", text="client certificate (LOGQ_CLIENT_CERT)")
    parser.value("--client-key", metavar="FILE", text="its private key (LOGQ_CLIENT_KEY)")
    parser.value(
        *("--color",),
        metavar="WHEN",
        default="auto",
        choices=("auto", "always", "never"),
        text="auto, always or never; NO_COLOR is heeded",
    )
    parser.switch("-h", "--help", text="this text")


def _add_identity(parser: Parser) -> None:
    parser.value("-n", "--namespace", metavar="NS", text="only this namespace, or several: a,b")
    parser.value("--cluster", metavar="NAME", text="only this cluster")
    parser.value("--pod", metavar="NAME", text="only this pod")
    parser.value("-c", "--container", metavar="NAME", text="only this container")


def _add_range(parser: Parser) -> None:
    parser.value(
        *("--since", "--start"),
        metavar="TIME",
        text="from: 15m, 6h, 2d back from now, a date, RFC 3339, or all (default: 1h)",
    )
    parser.value("--until", "--end", metavar="TIME", text="to, the same (default: now)")


def _add_query(parser: Parser) -> None:
    _add_range(parser)
    _add_identity(parser)
    parser.number("--limit", metavar="N", text="rows at most; 0 for all (default: the server's, 1000)")
    parser.value("--order", metavar="ORDER", choices=("asc", "desc"), text="asc (oldest first) or desc (the default)")
    parser.value("--cursor", metavar="CURSOR", text="the next page of an answer that was cut")
    parser.switch("--meta", text="show _seq, the number that names a record")
    _add_output(parser, FORMATS)


def _add_output(parser: Parser, formats: Sequence[str], default: str = "ndjson in a pipe") -> None:
    parser.value(
        *("-o", "--output"),
        metavar="FORMAT",
        choices=formats,
        text=f"{', '.join(formats)} (default: {'' if 'line' in default else 'table on a terminal, '}{default})",
    )


def _add_tail(parser: Parser) -> None:
    _add_identity(parser)
    parser.value("--backlog", metavar="N", text="begin with the last N records, or those of the last 5m")
    parser.number("--limit", metavar="N", text="end after N rows")
    parser.value("--cursor", metavar="CURSOR", text="begin after this cursor")
    _add_output(parser, LINE_FORMATS[:3])


def _add_logs(parser: Parser) -> None:
    parser.value("-n", "--namespace", metavar="NS", text="the pod's namespace (default: wherever it is)")
    parser.value("--cluster", metavar="NAME", text="the pod's cluster")
    parser.value("-c", "--container", metavar="NAME", text="this container")
    parser.switch("-f", "--follow", text="go on with new lines as they come")
    parser.switch("-p", "--previous", text="the instance before the newest one")
    parser.number("--tail", metavar="N", text="the last N lines (default: all; with -l 10; -1: all)")
    parser.value("--since", metavar="DURATION", text="only newer than 5s, 2m, 3h, 1h30m")
    parser.value("--since-time", metavar="TIME", text="only at or after this RFC 3339 time")
    parser.switch("--timestamps", text="each line's time before it")
    parser.switch("--prefix", text="[pod/NAME/CONTAINER] before each line")
    parser.switch("--all-containers", text="every container of the pod")
    parser.switch("--all-pods", text="every pod of TYPE/NAME; sets --prefix")
    parser.value("-l", "--selector", metavar="LABELS", text="pods by label: app=web,tier!=db,zone in (a,b)")
    parser.number("--limit-bytes", metavar="N", default=0, text="cut each container's output after N bytes")
    parser.number("--max-log-requests", metavar="N", default=5, text="with -f, containers at most (default: 5)")
    parser.switch("--ignore-errors", text="report an error and go on with the next container")
    parser.value("--pod-running-timeout", metavar="DURATION", text="accepted for kubectl's sake, has no effect")
    parser.switch("--insecure-skip-tls-verify-backend", text="accepted for kubectl's sake, has no effect")
    _add_output(parser, LINE_FORMATS[:3], "the lines")


def _add_push(parser: Parser) -> None:
    parser.value("-n", "--namespace", metavar="NS", text="the lines' namespace")
    parser.value("--cluster", metavar="NAME", text="their cluster")
    parser.value("--pod", metavar="NAME", text="their pod")
    parser.value("-c", "--container", metavar="NAME", text="their container")
    parser.value("--stream", metavar="NAME", text="stdout, stderr or a word of your own")
    parser.value("--unwrap", metavar="FORMAT", text="auto, cri or docker: the file is a container runtime's")
    parser.value("--multiline", metavar="LANGUAGES", text="auto, or some of java,python,…: traces become one record")
    parser.switch("--json", text="each line is a record (a JSON object), not a message")
    parser.switch("--follow", "-f", text="go on as the files grow, over rotation and truncation")
    parser.value("--position", metavar="DIR", text="where to remember what was sent (default: under ~/.local/state)")
    parser.value("--retry", metavar="DURATION", text="give up on an unreachable server after (default: 60s; with")
    parser.number(
        "--max-line", metavar="BYTES", default=16 << 20, text="report and skip longer lines (default: 16 MiB)"
    )
    parser.value(
        "--rotate-wait",
        metavar="DURATION",
        default="60s",
        text="follow a rotated file until quiet for so long",
    )
    parser.switch("--quiet", "-q", text="no summary at the end")


def _add_fields(parser: Parser) -> None:
    _add_range(parser)
    _add_identity(parser)
    _add_output(parser, ("table", "ndjson", "json"))


def _add_values(parser: Parser) -> None:
    _add_range(parser)
    _add_identity(parser)
    parser.value("--prefix", metavar="TEXT", text="only values that begin with it")
    parser.number("--limit", metavar="N", text="values at most")
    _add_output(parser, ("table", "ndjson", "json", "raw"))


def _add_streams(parser: Parser) -> None:
    _add_identity(parser)
    _add_output(parser, ("table", "ndjson", "json"))


def _add_sources(parser: Parser) -> None:
    parser.value("--silent", metavar="DURATION", text="only those of whom nothing was taken for so long: 10m")
    _add_output(parser, ("table", "ndjson", "json"))


def _add_histogram(parser: Parser) -> None:
    _add_range(parser)
    _add_identity(parser)
    parser.value("--interval", metavar="DURATION", text="length of a bucket (default: about 30 buckets)")
    parser.number("--buckets", metavar="N", text="about how many buckets")
    parser.value("--by", metavar="FIELD", default="severity", text="split the counts by (default: severity)")
    _add_output(parser, ("table", "ndjson", "json"))


def _add_explain(parser: Parser) -> None:
    parser.switch("--analyze", text="run the query too: what it reads, and how long it takes")
    _add_range(parser)
    _add_identity(parser)
    _add_output(parser, ("table", "json"))


def _add_context(parser: Parser) -> None:
    parser.number("--before", "-B", metavar="N", default=5, text="lines before it (default: 5)")
    parser.number("--after", "-A", metavar="N", default=5, text="lines after it (default: 5)")
    _add_output(parser, LINE_FORMATS)


def _add_nothing(_: Parser) -> None:
    return


COMMANDS: Final = {
    "query": Command("logq.query", "logq QUERY [options]", _add_query),
    "logs": Command("logq.logs", "logq logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER] [options]", _add_logs),
    "tail": Command("logq.tail", "logq tail QUERY [options]", _add_tail),
    "push": Command("logq.push", "logq push [FILE ...] [--follow] [options]", _add_push),
    "fields": Command("logq.facts", "logq fields [QUERY] [options]", _add_fields),
    "values": Command("logq.facts", "logq values FIELD [QUERY] [options]", _add_values),
    "streams": Command("logq.facts", "logq streams [options]", _add_streams),
    "sources": Command("logq.facts", "logq sources [--silent DURATION] [options]", _add_sources),
    "histogram": Command("logq.histogram", "logq histogram [QUERY] [options]", _add_histogram),
    "explain": Command("logq.explain", "logq explain [--analyze] QUERY [options]", _add_explain),
    "context": Command("logq.facts", "logq context SEQ [options]", _add_context),
    "contexts": Command("logq.contexts", "logq contexts [use NAME]", _add_nothing),
    "completion": Command("logq.completion", "logq completion bash|zsh|fish", _add_nothing),
}

LEADING_VALUED: Final = frozenset(
    (
        *("--server", "--context", "--token", "--ca-file", "--client-cert", "--client-key", "--color"),
        *(
            "-n",
            "--namespace",
            "--cluster",
            "--pod",
            "-c",
            "--container",
            "--since",
            "--start",
            "--until",
            "--end",
        ),
        *("--limit", "--order", "--cursor", "-o", "--output"),
    )
)
"""Options with a value that may stand before the command's name."""
