"""Where a syslog message comes from: a host's own programs, or a container that the host says it is of."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ingest.identity import resolve
from ingest.identity_table import Table
from ingest.protocols.syslog.structured import Values
from ingest.rows import Source
from logstore.record import NODE_NAMESPACE

_DOCKER_TAG: Final = re.compile(
    r"(?:(?:(?P<image>\S+)/)?(?P<name>[^\s/]+)/)?(?P<id>[0-9a-f]{12}|[0-9a-f]{64})|(?P<kubelet>k8s_\S+)"
)
_DOCKER_ITSELF: Final = ("docker", "dockerd")
_STREAMS: Final = {3: "stderr", 6: "stdout"}
"""What Docker's driver tells by its two levels."""


def of_host(host: str, app: str) -> Source:
    """A host's own log."""
    return Source(namespace=NODE_NAMESPACE, pod=host, container=app, labels={"node": host} if host else {})


def of_docker(tag: str, msgid: str, host: str, level: int, table: Table) -> Source | None:
    """The container that a tag of Docker's syslog driver is of; None if it is no such tag.

    Known are `{{.ID}}` (the default), `docker/{{.ID}}` (before Docker 1.12), `{{.Name}}/{{.ID}}`,
    `{{.ImageName}}/{{.Name}}/{{.ID}}`, and names that the kubelet gives. In RFC 5424 the driver says its tag twice, as
    app and as `msgid`, so that any other is then the name of a container.
    """
    found = _DOCKER_TAG.fullmatch(tag)
    if found is None and not (tag and tag == msgid and level in _STREAMS):
        return None
    image, name, identifier, kubelet = found.groups() if found else (None, tag, None, None)
    name = None if name in _DOCKER_ITSELF else name
    told = {"container_name": kubelet or name or identifier, "container_id": identifier, "container_image": image}
    source = resolve({key: value for key, value in told.items() if value}, table).source
    return _on(source, host, stream=_STREAMS.get(level, ""))


def of_kubernetes(told: Mapping[str, Any], host: str, table: Table) -> tuple[Source, Any] | None:
    """The container that a `kubernetes` object is of, and what else the object says; None if it names none."""
    resolved = resolve({"kubernetes": told}, table)
    source = resolved.source
    if not (source.namespace or source.pod or source.container):
        return None
    return _on(source, host, stream=source.stream), resolved.rest.get("kubernetes")


def is_kubernetes(element: str) -> bool:
    """Whether a structured element has this name, with or without an enterprise number."""
    return element.partition("@")[0] == "kubernetes"


def flat(values: Values) -> dict[str, str]:
    """The last value of each name."""
    return {name: value[-1] if isinstance(value, list) else value for name, value in values.items()}


def _on(source: Source, host: str, *, stream: str) -> Source:
    labels = {"node": host, **source.labels} if host else source.labels
    return Source(source.cluster, source.namespace, source.pod, source.container, stream, labels)
