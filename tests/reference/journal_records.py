"""Journal entries as records, one by one: what the kernel is compared with."""

from typing import Any, Final

from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.json_text import to_json
from ingest.rows import Rows, Source
from ingest.severity import severity_of_syslog
from logstore.record import NODE_NAMESPACE
from tests.reference.journal_export import Entry, Value

CURSOR: Final = "__CURSOR"
_NS_PER_US: Final = 1000
_TIMES: Final = ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")
_UNITS: Final = ("_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_COMM")
_HOST_LABELS: Final = {"_HOSTNAME": "node", "_MACHINE_ID": "machine_id", "_BOOT_ID": "boot_id"}
_CONTAINER: Final = {
    "CONTAINER_NAME": "docker.name",
    "CONTAINER_ID_FULL": "container.id",
    "CONTAINER_TAG": "tag",
    "IMAGE_NAME": "image",
    "_HOSTNAME": "node",
}
_SAID_ALWAYS: Final = frozenset({CURSOR, "MESSAGE", *_TIMES})
_SAID_OF_CONTAINERS: Final = _SAID_ALWAYS | _CONTAINER.keys()
_SAID_OF_NODES: Final = _SAID_ALWAYS | _HOST_LABELS.keys() | {"_TRANSPORT"}
_SAID: Final = {"": _SAID_OF_NODES, **{unit: _SAID_OF_NODES | {unit} for unit in _UNITS}}
"""The fields that other columns hold, by the one that names the unit."""
_OF_CONTAINERS: Final = (*_CONTAINER, "PRIORITY")
_OF_NODES: Final = (*_HOST_LABELS, "_TRANSPORT", *_UNITS)
"""The fields that tell where an entry is from."""
_SEVERITIES: Final = {str(level): severity_of_syslog(level) for level in range(8)}
_STDERR: Final = "3"
_NUMBERS: Final = frozenset(
    {
        *("PRIORITY", "ERRNO", "TID", "SYSLOG_FACILITY", "SYSLOG_PID", "CODE_LINE", "EXIT_STATUS", "LEADER"),
        *("_PID", "_UID", "_GID", "_AUDIT_SESSION", "_AUDIT_LOGINUID", "_SYSTEMD_OWNER_UID"),
        *("__MONOTONIC_TIMESTAMP", "_SOURCE_MONOTONIC_TIMESTAMP", "_SOURCE_BOOTTIME_TIMESTAMP", "__SEQNUM"),
        *("COREDUMP_PID", "COREDUMP_UID", "COREDUMP_GID", "COREDUMP_SIGNAL"),
    }
)
_DIGITS_MAX: Final = 18


class Records:
    """Entries of one batch, put into its rows."""

    def __init__(self, rows: Rows, table: Table) -> None:
        self._rows = rows
        self._table = table
        self._groups: dict[tuple[Value | None, ...], int] = {}

    def add(self, entry: Entry) -> None:
        is_container = "CONTAINER_NAME" in entry or "CONTAINER_ID_FULL" in entry
        said = _SAID_OF_CONTAINERS if is_container else _SAID[_unit(entry)]
        # A container's priority only says on which of its streams the line was.
        severity = "" if is_container else _SEVERITIES.get(_text(entry.get("PRIORITY")), "")
        group = self._group(entry, is_container)
        self._rows.add(group, _time_ns(entry), _message(entry), severity=severity, attributes=_attributes(entry, said))

    def _group(self, entry: Entry, is_container: bool) -> int:
        key = tuple(map(entry.get, _OF_CONTAINERS if is_container else _OF_NODES))
        try:
            group = self._groups.get(key)
        except TypeError:  # a name that is there twice
            return self._rows.group(self._source(entry, is_container))
        if group is None:
            group = self._groups[key] = self._rows.group(self._source(entry, is_container))
        return group

    def _source(self, entry: Entry, is_container: bool) -> Source:
        return _container(entry, self._table) if is_container else _node(entry)


def _node(entry: Entry) -> Source:
    """A log of the node itself: the pod is the host, the container the unit."""
    labels = {label: word for name, label in _HOST_LABELS.items() if (word := _text(entry.get(name)))}
    return Source(
        "",
        NODE_NAMESPACE,
        labels.get("node", ""),
        _text(entry[unit]) if (unit := _unit(entry)) else "",
        _text(entry.get("_TRANSPORT")),
        labels,
    )


def _container(entry: Entry, table: Table) -> Source:
    """A log of a container that Docker or Podman put into the journal."""
    told = {path: word for name, path in _CONTAINER.items() if (word := _text(entry.get(name)))}
    source = resolve(told, table).source
    stream = "stderr" if entry.get("PRIORITY") == _STDERR else "stdout"
    container = source.container or told.get("docker.name", "")
    return Source(source.cluster, source.namespace, source.pod, container, stream, source.labels)


def _message(entry: Entry) -> str | bytes:
    """`MESSAGE`; of an entry that has none, all its fields."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        return b"\n".join(part if isinstance(part, bytes) else part.encode() for part in message)
    if message is not None:
        return message
    return to_json({name: value for name, value in entry.items() if not name.startswith("__")})


def _attributes(entry: Entry, said: frozenset[str]) -> dict[str, Any]:
    """All fields but those that the record's other columns hold."""
    return {name: _number(value) if name in _NUMBERS else value for name, value in entry.items() if name not in said}


def _unit(entry: Entry) -> str:
    """The field that names what wrote the entry."""
    return next((name for name in _UNITS if _text(entry.get(name))), "")


def _number(value: Value) -> int | Value:
    """A text of digits as a number; what is none as it is."""
    if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) <= _DIGITS_MAX:
        return int(value)
    return value


def _time_ns(entry: Entry) -> int | None:
    """When the source says that it happened, else when journald received it."""
    for name in _TIMES:
        time_us = _number(entry.get(name, ""))
        if isinstance(time_us, int):
            return time_us * _NS_PER_US
    return None


def _text(value: Value | None) -> str:
    return value if isinstance(value, str) else ""
