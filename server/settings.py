"""Every setting of `logstore serve`, once: a flag, an environment variable and a key of the config file."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ingest.lines_asked import AGENTS, FORMATS, languages_of
from logstore.errors import InvalidInput, InvalidSettings
from logstore.record import IDENTITY_MAX_BYTES
from server import config_file
from server.address import Address, Endpoint, parse_endpoints
from server.quantities import Duration, Size
from server.zones import Zone

ENVIRONMENT_PREFIX: Final = "LOGSTORE_"
MIB: Final = 1024 * 1024

STREAM_LISTENERS: Final = ("otlp_grpc_listen", "forward_listen", "syslog_tcp_listen", "gelf_tcp_listen")
DATAGRAM_LISTENERS: Final = ("syslog_udp_listen", "gelf_udp_listen")
_OR_MORE: Final = "HOST:PORT, or several with commas between them"
_OR_TLS: Final = "HOST:PORT, or tls://HOST:PORT, or several with commas between them"

_SERVICE_LINK: Final = re.compile(r"LOGSTORE_(PORT(_.*)?|SERVICE_(HOST|PORT.*))")
"""What Kubernetes puts into the environment of every pod beside a Service called `logstore`."""


def setting(group: str, default: Any, description: str) -> Any:
    return Field(default=default, description=description, json_schema_extra={"group": group})


class ServeSettings(BaseSettings):
    """All settings of the server. A flag wins over the environment, the environment over the config file."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    data: Path = setting("Basics", Path("logstore-data"), "directory that holds everything; made if it is not there")
    listen: str = setting(
        "Basics",
        "127.0.0.1:7117",
        "HOST:PORT to serve HTTP on; port 0 takes a free one, an empty host is every interface",
    )
    config: Path | None = setting("Basics", None, "YAML file with settings; its keys are the flags' names")
    memory: Size = setting(
        "Basics",
        512 * MIB,
        "memory that the server may use in all; the shares below that are not set are derived from it",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "Basics", "info", "least severe of the server's own log lines"
    )
    log_format: Literal["auto", "json", "console"] = setting(
        "Basics", "auto", "form of the server's own log on stderr; auto: console on a terminal, else json"
    )

    tls_cert_file: Path | None = setting("Security", None, "PEM certificate (chain) to serve HTTPS with")
    tls_private_key_file: Path | None = setting("Security", None, "PEM private key of --tls-cert-file")
    client_ca_file: Path | None = setting(
        "Security",
        None,
        "PEM bundle; a client without a certificate signed by one of these is refused at the handshake",
    )
    token_file: Path | None = setting(
        "Security", None, "bearer tokens, one a line; read again when the file changes; `#` begins a comment"
    )
    insecure: bool = setting(
        "Security",
        False,
        "serve other machines although nothing is asked of them: neither client certificates nor tokens",
    )

    otlp_grpc_listen: str | None = setting(
        "Listeners", None, f"where to take OTLP, and Google Cloud Logging, over gRPC: {_OR_TLS}; usual: :4317"
    )
    forward_listen: str | None = setting("Listeners", None, f"where to take Fluent forward: {_OR_TLS}; usual: :24224")
    forward_shared_key_file: Path | None = setting(
        "Listeners", None, "shared keys of Fluent forward, one a line, of which a client must know one"
    )
    syslog_udp_listen: str | None = setting("Listeners", None, f"where to take syslog in datagrams: {_OR_MORE}")
    syslog_tcp_listen: str | None = setting("Listeners", None, f"where to take syslog over TCP: {_OR_TLS}")
    syslog_zone: Zone = setting("Listeners", "UTC", "time zone of syslog times that name none, such as Europe/Berlin")
    gelf_udp_listen: str | None = setting("Listeners", None, f"where to take GELF in datagrams: {_OR_MORE}")
    gelf_tcp_listen: str | None = setting("Listeners", None, f"where to take GELF over TCP: {_OR_TLS}")

    max_body: Size = setting("Ingest", 64 * MIB, "largest request body, before and after it is inflated; over it: 413")
    max_line: Size = setting("Ingest", 16 * MIB, "largest single record in a body; a longer one is rejected alone")
    ingest_wait: Duration = setting(
        "Ingest", 5.0, "how long a request is held while the pipeline is full, before it is answered 429"
    )
    ingest_memory: Size | None = setting(
        "Ingest",
        None,
        "request bodies in memory at once; further ones wait, and one slower than 64 KiB/s gives way to them;"
        " default: 1/8 of --memory, at least --max-body",
    )
    ingest_threads: int = Field(
        default=2,
        ge=1,
        le=64,
        description="threads that inflate and decode bodies, besides one for small ones",
        json_schema_extra={"group": "Ingest"},
    )
    default_cluster: str = setting("Ingest", "default", "cluster of a record that names none")
    default_namespace: str = setting("Ingest", "default", "namespace of a record that names none")
    new_namespaces: int = setting("Ingest", 1000, "new namespaces an hour; records of more go to the one `_overflow`")
    unwrap: str = setting(
        "Ingest",
        "agents",
        "off, cri, docker or auto: take messages out of what container runtimes wrap them in; agents: auto, but off for"
        " POST /api/v1/logs; a request may say otherwise",
    )
    rules_file: Path | None = setting(
        "Ingest",
        None,
        "YAML rules: what is dropped, sampled, masked, labelled, routed; read again when the file changes",
    )
    multiline: str = setting(
        "Ingest",
        "off",
        "off, auto, or some of java,python,go,dotnet,node,ruby: stack traces whose lines become one record; a request"
        " may say otherwise",
    )
    identity_file: Path | None = setting(
        "Ingest", None, "YAML file with more places where agents say where records come from, before the built-in ones"
    )

    partition_by: Literal["cluster,namespace", "cluster,namespace,pod,container,hour"] = setting(
        "Storage",
        "cluster,namespace",
        "directories of the Parquet files, beside date; every answer is the same with either",
    )
    flush_age: Duration = setting("Storage", 60.0, "age at which an accepted record is written to Parquet")
    flush_bytes: Size = setting("Storage", 8 * MIB, "bytes of one partition that are written to Parquet at once")
    buffer_bytes: Size | None = setting(
        "Storage", None, "accepted records in memory, over which all is flushed; default: 1/8 of --memory"
    )
    pending_bytes: Size | None = setting(
        "Storage", None, "decoded records that wait for the log, over which ingest is held; default: 1/16 of --memory"
    )
    recent_bytes: Size | None = setting(
        "Storage", None, "newest records kept in memory for tails; default: 1/32 of --memory"
    )
    wal_max_bytes: Size = setting("Storage", 512 * MIB, "bytes of write-ahead log over which all is flushed")
    disk_reserve: Size = setting(
        "Storage", 256 * MIB, "free disk space below which ingest is answered 503; queries go on"
    )
    retention_age: Duration | None = setting("Storage", None, "age after which records are deleted; none: never")
    retention_bytes: Size | None = setting(
        "Storage", None, "bytes of Parquet over which the oldest is deleted; none: never"
    )

    query_timeout: Duration = setting("Query", 60.0, "longest time that a query may take; over it: 504")
    query_memory: Size | None = setting(
        "Query", None, "memory of all queries together; one that needs more: 422; default: 1/4 of --memory"
    )
    query_concurrency: int = Field(
        default=8,
        ge=1,
        le=256,
        description="queries that run at once; further ones: 429",
        json_schema_extra={"group": "Query"},
    )
    tail_max_followers: int = Field(
        default=500,
        ge=1,
        le=100_000,
        description="tails at once; further ones: 429",
        json_schema_extra={"group": "Query"},
    )

    max_connections: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="connections at once, of HTTP and of all other protocols, each; further ones: 503, or cut",
        json_schema_extra={"group": "Connections"},
    )
    receive_timeout: Duration = setting(
        "Connections", 30.0, "a client that sends nothing of its request for so long is cut"
    )
    send_timeout: Duration = setting(
        "Connections", 30.0, "a client that takes nothing of its answer for so long is cut"
    )
    stop_timeout: Duration = setting("Connections", 8.0, "how long running requests may go on after SIGTERM")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = init_settings().get("config") or os.environ.get(ENVIRONMENT_PREFIX + "CONFIG")
        if not path:
            return (init_settings, env_settings)
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, config_file.read(Path(path), cls.model_fields)),
        )

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        Address.parse(value)
        return value

    @field_validator(*STREAM_LISTENERS, *DATAGRAM_LISTENERS)
    @classmethod
    def _are_endpoints(cls, value: str | None, info: ValidationInfo) -> str | None:
        endpoints = parse_endpoints(value or "")
        if info.field_name in DATAGRAM_LISTENERS and any(endpoint.is_tls for endpoint in endpoints):
            raise ValueError(f"{value!r}: there is no TLS over UDP; write HOST:PORT")
        return value

    @field_validator("default_cluster", "default_namespace")
    @classmethod
    def _is_identity(cls, value: str) -> str:
        if not 1 <= len(value.encode()) <= IDENTITY_MAX_BYTES:
            raise ValueError(f"must have 1 to {IDENTITY_MAX_BYTES} bytes")
        return value

    @field_validator("unwrap")
    @classmethod
    def _is_unwrap(cls, value: str) -> str:
        if value != AGENTS and value not in FORMATS:
            raise ValueError(f"must be one of {AGENTS}, {', '.join(FORMATS)}")
        return value

    @field_validator("multiline")
    @classmethod
    def _is_multiline(cls, value: str) -> str:
        try:
            languages_of(value)
        except InvalidInput as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("max_body", "max_line", "memory", "flush_bytes", "wal_max_bytes")
    @classmethod
    def _is_positive(cls, value: int) -> int:
        if value <= 0:
            raise ValueError("must be more than 0")
        return value

    @field_validator("query_timeout", "receive_timeout", "send_timeout", "stop_timeout")
    @classmethod
    def _is_positive_time(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("must be more than 0")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_private_key_file is None):
            raise ValueError("tls_cert_file and tls_private_key_file go together: set both or neither")
        if self.client_ca_file is not None and self.tls_cert_file is None:
            raise ValueError("client_ca_file needs tls_cert_file and tls_private_key_file: no certificates without TLS")
        if self.tls_cert_file is None:
            for name in STREAM_LISTENERS:
                if any(endpoint.is_tls for endpoint in self.endpoints(name)):
                    raise ValueError(f"{name} says tls://, which needs tls_cert_file and tls_private_key_file")
        if self.ingest_memory is not None and self.ingest_memory < self.max_body:
            raise ValueError(
                f"ingest_memory ({self.ingest_memory}) must hold a body of max_body ({self.max_body} bytes)"
            )
        return self

    @property
    def address(self) -> Address:
        return Address.parse(self.listen)

    def endpoints(self, name: str) -> tuple[Endpoint, ...]:
        """Where the listener of this setting listens."""
        return parse_endpoints(getattr(self, name) or "")

    @property
    def ingest_memory_bytes(self) -> int:
        return self.ingest_memory if self.ingest_memory is not None else max(self.memory // 8, self.max_body)


def load(flags: Mapping[str, Any] | None = None) -> ServeSettings:
    """The settings from flags, environment and config file.

    Raises InvalidSettings, which names each wrong setting in the form in which it was given.
    """
    given = dict(flags or {})
    try:
        return ServeSettings(**given)
    except ValidationError as error:
        raise InvalidSettings("\n".join(_explain(error, given))) from error


def group_of(name: str) -> str:
    extra = ServeSettings.model_fields[name].json_schema_extra
    return str(extra["group"]) if isinstance(extra, dict) else ""


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none, in order; Kubernetes' service links are no mistake."""
    known = {ENVIRONMENT_PREFIX + name.upper() for name in ServeSettings.model_fields}
    return sorted(
        name
        for name in environment
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known and not _SERVICE_LINK.fullmatch(name)
    )


def nearest(name: str) -> str:
    """`; did you mean …?` where a setting has nearly this name, else nothing."""
    return config_file.nearest(name, ServeSettings.model_fields)


def _explain(error: ValidationError, flags: Mapping[str, Any]) -> Iterator[str]:
    for item in error.errors(include_url=False):
        message = item["msg"].removeprefix("Value error, ")
        if not item["loc"]:
            yield message
            continue
        name = str(item["loc"][0])
        if item["type"] == "extra_forbidden":
            yield f"unknown setting {name!r}{nearest(name)}"
        else:
            yield f"{_given_as(name, flags)}: {message}"


def _given_as(name: str, flags: Mapping[str, Any]) -> str:
    if name in flags:
        return "--" + name.replace("_", "-")
    variable = ENVIRONMENT_PREFIX + name.upper()
    return variable if variable in os.environ else f"setting {name}"
