"""The settings as command-line flags, with a help text that is grouped as the settings are."""

import argparse
from typing import Any, Final, Literal, get_args, get_origin

from server.quantities import Duration, Size, format_duration, format_size
from server.settings import ENVIRONMENT_PREFIX, ServeSettings, group_of

EPILOG: Final = f"""\
Every setting is also an environment variable ({ENVIRONMENT_PREFIX}MAX_BODY=8MiB) and a key of the config file
(max_body: 8MiB); a flag wins over the environment, the environment over the file.
Sizes: 512MB, 64MiB, or bytes. Durations: 250ms, 60s, 5m, 12h, 7d, or seconds.

examples:
  logstore serve                                   on this machine, into ./logstore-data
  logstore serve --data /var/lib/logstore --retention-age 30d
  logstore serve --listen :7117 --token-file tokens --tls-cert-file tls.crt --tls-private-key-file tls.key
"""


def add_settings(parser: argparse.ArgumentParser, names: tuple[str, ...] = ()) -> None:
    """Add a flag for each setting, or for the named ones; one that is not given is not in the result."""
    groups: dict[str, Any] = {}
    for name, field in ServeSettings.model_fields.items():
        if names and name not in names:
            continue
        title = group_of(name)
        if title not in groups:
            groups[title] = parser.add_argument_group(title.lower())
        group = groups[title]
        flag = "--" + name.replace("_", "-")
        text = (field.description or "").replace("%", "%%")
        if field.annotation is bool:
            group.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=text)
            continue
        default = _default_text(name)
        group.add_argument(
            flag,
            metavar=_metavar(name),
            default=argparse.SUPPRESS,
            help=f"{text} (default {default})" if default else text,
        )


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings among the parsed arguments, as they were written."""
    return {name: value for name, value in vars(arguments).items() if name in ServeSettings.model_fields}


def _default_text(name: str) -> str:
    default = ServeSettings.model_fields[name].default
    if default is None or isinstance(default, bool):
        return ""
    if _is(name, Size):
        return format_size(default)
    if _is(name, Duration):
        return format_duration(default)
    return str(default)


def _metavar(name: str) -> str:
    annotation = ServeSettings.model_fields[name].annotation
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    if _is(name, Size):
        return "SIZE"
    if _is(name, Duration):
        return "TIME"
    if annotation is int:
        return "N"
    if name.endswith("_listen"):
        return "ADDRESS"
    return {"data": "DIR", "listen": "HOST:PORT", "default_cluster": "NAME", "default_namespace": "NAME"}.get(
        name, "FILE"
    )


def _is(name: str, kind: Any) -> bool:
    field = ServeSettings.model_fields[name]
    parts = get_args(field.annotation)
    wanted = kind.__metadata__[0]
    return wanted in field.metadata or any(wanted in getattr(part, "__metadata__", ()) for part in parts)
