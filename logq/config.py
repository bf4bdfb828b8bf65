"""Which server to talk to, and how: flags over environment over a named context over the default.

The file is `~/.config/logq/config.toml` (or under `$XDG_CONFIG_HOME`, or `$LOGQ_CONFIG`):

    current = "prod"

    [contexts.prod]
    server = "https://logs.example.org:7117"
    token-file = "~/.config/logq/prod.token"
    ca-file = "~/.config/logq/ca.crt"
    namespace = "shop"

A context's token is sent to that context's server only: `--server` or `LOGQ_SERVER` sets the context aside,
unless `--context` names it.
"""

import os
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from logq.errors import ConfigError

DEFAULT_SERVER: Final = "http://127.0.0.1:7117"
CONTEXT_KEYS: Final = (
    *("server", "token", "token-file", "ca-file", "client-cert", "client-key", "namespace", "cluster"),
)


@dataclass(frozen=True, slots=True)
class Context:
    """One `[contexts.NAME]` of the file; what it does not set is empty."""

    name: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Config:
    """The file's contexts, and the name of the one in use (empty: none)."""

    path: Path
    current: str
    contexts: Mapping[str, Context]


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address and what it takes to be let in."""

    url: str
    is_tls: bool
    host: str
    port: int
    prefix: str
    token: str
    ca_file: str
    client_cert: str
    client_key: str
    namespace: str
    cluster: str


def config_path() -> Path:
    """Where the configuration file is, or would be."""
    if named := os.environ.get("LOGQ_CONFIG"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "logq" / "config.toml"


def load() -> Config:
    """The configuration file, empty if there is none.

    Raises:
        ConfigError: it cannot be read, or does not hold what it should.
    """
    path = config_path()
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config(path, "", {})
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    return parsed(path, text)


def parsed(path: Path, text: str) -> Config:
    """The text of a configuration file, checked."""
    import tomllib

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    unknown = sorted(set(document) - {"current", "contexts"})
    if unknown:
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}", "known are: current, [contexts.NAME]")
    tables = document.get("contexts", {})
    if not isinstance(tables, dict):
        raise ConfigError(f"{path}: contexts must be tables: [contexts.NAME]")
    contexts = {name: _context(path, name, table) for name, table in tables.items()}
    current = document.get("current", "")
    if not isinstance(current, str):
        raise ConfigError(f"{path}: current must be the name of a context")
    return Config(path, current, contexts)


def _context(path: Path, name: str, table: Any) -> Context:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: contexts.{name} must be a table")
    for key, value in table.items():
        if key not in CONTEXT_KEYS:
            raise ConfigError(
                f"{path}: unknown key {key!r} in [contexts.{name}]", f"known are: {', '.join(CONTEXT_KEYS)}"
            )
        if not isinstance(value, str):
            raise ConfigError(f"{path}: contexts.{name}.{key} must be a string")
    return Context(name, table)


def target(options: Namespace) -> Target:
    """The server that the flags, the environment and the file agree on.

    Raises:
        ConfigError: the URL, a file or a context is no good.
    """
    context = _chosen(options)
    from_context = context.values if context else {}
    url = options.server or from_context.get("server") or os.environ.get("LOGQ_SERVER") or DEFAULT_SERVER
    parts = _checked_url(url)
    return Target(
        url=url.rstrip("/"),
        is_tls=parts[0],
        host=parts[1],
        port=parts[2],
        prefix=parts[3],
        token=_token(options, from_context),
        ca_file=_file(options.ca_file or from_context.get("ca-file") or os.environ.get("LOGQ_CA_FILE", "")),
        client_cert=_file(
            options.client_cert or from_context.get("client-cert") or os.environ.get("LOGQ_CLIENT_CERT", "")
        ),
        client_key=_file(options.client_key or from_context.get("client-key") or os.environ.get("LOGQ_CLIENT_KEY", "")),
        namespace=from_context.get("namespace", ""),
        cluster=from_context.get("cluster", ""),
    )


def _chosen(options: Namespace) -> Context | None:
    named = options.context or os.environ.get("LOGQ_CONTEXT", "")
    if not options.context and (options.server or os.environ.get("LOGQ_SERVER")):
        return None
    config = load()
    name = named or config.current
    if not name:
        return None
    if name not in config.contexts:
        known = ", ".join(config.contexts) or "none"
        raise ConfigError(f"no context {name!r} in {config.path}", f"contexts there: {known}")
    return config.contexts[name]


def _token(options: Namespace, from_context: Mapping[str, str]) -> str:
    if options.token:
        return str(options.token).strip()
    if token_file := from_context.get("token-file"):
        try:
            return Path(token_file).expanduser().read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError(f"cannot read the token file {token_file}: {error.strerror}") from None
    return (from_context.get("token") or os.environ.get("LOGQ_TOKEN", "")).strip()


def _file(name: str) -> str:
    if not name:
        return ""
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(f"no such file: {name}")
    return str(path)


def _checked_url(url: str) -> tuple[bool, str, int, str]:
    hint = f"a server's URL looks like {DEFAULT_SERVER}; set it with --server, LOGQ_SERVER or a context"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"bad server URL {url!r}: {error}", hint) from None
    if parts.scheme not in ("http", "https"):
        if "://" not in url:
            hint = f"did you mean http://{url} ?"
        raise ConfigError(f"bad server URL {url!r}: it must begin with http:// or https://", hint)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigError(f"bad server URL {url!r}: it must be only scheme, host, port and path", hint)
    is_tls = parts.scheme == "https"
    return is_tls, parts.hostname, port or (443 if is_tls else 80), parts.path.rstrip("/")
