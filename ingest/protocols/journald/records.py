"""Journal entries as records, by the kernel of logstore/native/journald_records.c. Fields: systemd.journal-fields(7);
those of containers: the journald logging drivers of Docker and Podman.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

import orjson

from ingest.entries import decode_entries, entries_kernel
from ingest.identity import Resolved, resolve
from ingest.identity_table import Table
from ingest.protocols.journald.export import Entries, Entry, fields_of
from ingest.request import Decoded, Request
from ingest.rows import Source
from logstore.record import NODE_NAMESPACE

_KERNEL: Final = entries_kernel("kernel_journald")
_CURSOR: Final = "__CURSOR"
_UNITS: Final = ("_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_COMM")
_HOST_LABELS: Final = {"_HOSTNAME": "node", "_MACHINE_ID": "machine_id", "_BOOT_ID": "boot_id"}
_CONTAINER: Final = {
    "CONTAINER_NAME": "docker.name",
    "CONTAINER_ID_FULL": "container.id",
    "CONTAINER_TAG": "tag",
    "IMAGE_NAME": "image",
    "_HOSTNAME": "node",
}
_STDERR: Final = "3"
_CACHED: Final = 1024
_CACHED_MAX_CHARACTERS: Final = 4096


def decode(entries: Entries, request: Request) -> Decoded:
    """The records of entries, with their request's limits.

    Raises:
        TooLarge: more than `max_records`, or too much text.
    """
    return decode_entries(_KERNEL, replace(request, body=entries.fields), b"", _resolve)


def cursor_of(entry: Entry) -> str:
    """The place of an entry among all that its journal has had or will have; '' if it does not say."""
    cursors = [value for name, value in fields_of(entry) if name == _CURSOR]
    try:
        return cursors[0].decode() if len(cursors) == 1 else ""
    except UnicodeDecodeError:
        return ""


def _resolve(_base: str, lifted: str, table: Table) -> Resolved:
    """Of the fields that tell where an entry is from, as a JSON object or nothing."""
    find = _source if len(lifted) <= _CACHED_MAX_CHARACTERS else _source.__wrapped__
    return Resolved(find(lifted, table), {})


@lru_cache(_CACHED)
def _source(lifted: str, table: Table) -> Source:
    fields = orjson.loads(lifted) if lifted else {}
    is_container = "CONTAINER_NAME" in fields or "CONTAINER_ID_FULL" in fields
    return _container(fields, table) if is_container else _node(fields)


def _node(fields: Mapping[str, str]) -> Source:
    """A log of the node itself: the pod is the host, the container the unit."""
    labels = {label: word for name, label in _HOST_LABELS.items() if (word := fields.get(name))}
    unit = next((fields[name] for name in _UNITS if name in fields), "")
    return Source("", NODE_NAMESPACE, labels.get("node", ""), unit, fields.get("_TRANSPORT", ""), labels)


def _container(fields: Mapping[str, str], table: Table) -> Source:
    """A log of a container that Docker or Podman put into the journal."""
    told = {path: word for name, path in _CONTAINER.items() if (word := fields.get(name))}
    source = resolve(told, table).source
    stream = "stderr" if fields.get("PRIORITY") == _STDERR else "stdout"
    container = source.container or told.get("docker.name", "")
    return Source(source.cluster, source.namespace, source.pod, container, stream, source.labels)
