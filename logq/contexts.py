"""`logq contexts`: the servers named in the configuration file, and which is used."""

import re
import sys
from argparse import Namespace

from logq.config import Config, config_path, load, parsed
from logq.errors import FOUND, NOTHING, ConfigError, UsageError
from logq.notes import note
from logq.render import encoded
from logq.terminal import padded, safe

_CURRENT = re.compile(r"^current[ \t]*=.*$", re.MULTILINE)
_BARE = re.compile(r"[A-Za-z0-9_.-]+")


def run(options: Namespace) -> int:
    """Lists the contexts, or makes one the current one."""
    words = options.words
    if not words:
        return _list(load())
    if len(words) != 2 or words[0] != "use":
        raise UsageError("expected: logq contexts, or logq contexts use NAME")
    return _use(load(), words[1])


def _list(config: Config) -> int:
    if not config.contexts:
        note(f"no contexts in {config_path()}; logq contexts --help shows how one looks")
        return NOTHING
    size = max(len(name) for name in config.contexts)
    for name, context in config.contexts.items():
        mark = "*" if name == config.current else " "
        line = f"{mark} {padded(name, size)}  {context.values.get('server', '')}"
        sys.stdout.buffer.write(encoded(safe(line, colours=False) + "\n"))
    return FOUND


def _use(config: Config, name: str) -> int:
    if name not in config.contexts:
        raise ConfigError(f"no context {name!r} in {config.path}", f"there are: {', '.join(config.contexts) or 'none'}")
    text = config.path.read_text("utf-8")
    line = f'current = "{name}"' if _BARE.fullmatch(name) else f"current = '{name}'"
    head, table, tail = text.partition("[")
    head = _CURRENT.sub(lambda _: line, head) if _CURRENT.search(head) else f"{line}\n{head}"
    written = head + table + tail
    if parsed(config.path, written).current != name:
        raise ConfigError(f"cannot change {config.path}", f"write this line at its top: {line}")
    beside = config.path.with_suffix(".toml.new")
    beside.write_text(written, "utf-8")
    beside.chmod(config.path.stat().st_mode & 0o777)
    beside.replace(config.path)
    return FOUND
