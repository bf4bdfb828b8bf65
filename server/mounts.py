"""Where protocols are mounted: which of their endpoints a method and a path lead to."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from ingest.protocol import Probe, Protocol, Stream, Take
from ingest.request import Head

_NAME: Final = re.compile(r"\{(\w+)\}")
_SLASHES: Final = re.compile("/{2,}")


@dataclass(frozen=True, slots=True)
class Mount:
    """An endpoint at a path; `pattern` is its name in metrics."""

    protocol: Protocol
    endpoint: Take | Stream | Probe
    pattern: str


@dataclass(frozen=True, slots=True)
class Found:
    """What answers a request, and what its path says."""

    mount: Mount
    segments: dict[str, str]


class Mounts:
    """All endpoints of all protocols."""

    def __init__(self, protocols: Iterable[Protocol]) -> None:
        self._exact: defaultdict[str, list[Mount]] = defaultdict(list)
        self._patterns: defaultdict[int, list[tuple[re.Pattern[str], Mount]]] = defaultdict(list)
        """By the number of their segments."""
        for protocol in protocols:
            for prefix in protocol.prefixes:
                endpoints: tuple[Take | Stream | Probe, ...] = (*protocol.takes, *protocol.streams, *protocol.probes)
                for endpoint in endpoints:
                    for pattern in endpoint.patterns:
                        self._add(Mount(protocol, endpoint, prefix + pattern))

    @property
    def paths(self) -> frozenset[str]:
        """Patterns of all endpoints."""
        return frozenset(self._exact) | {mount.pattern for some in self._patterns.values() for _, mount in some}

    def find(self, head: Head) -> Found | None:
        """The first endpoint, in the order of registration, that is for such a request. Several slashes are one: agents
        append their path to an address that ends with one."""
        if "//" in head.path:
            head = replace(head, path=_SLASHES.sub("/", head.path))
        for mount in self._exact.get(head.path, ()):
            if _is_for(mount, head):
                return Found(mount, {})
        for pattern, mount in self._patterns.get(head.path.count("/"), ()):
            if (
                head.method in mount.endpoint.methods
                and (matched := pattern.fullmatch(head.path))
                and _is_for(mount, head)
            ):
                return Found(mount, matched.groupdict())
        return None

    def methods(self, path: str) -> tuple[str, ...]:
        """Methods that the path knows, but for those of probes that are only for some of its requests."""
        path = _SLASHES.sub("/", path)
        patterns = self._patterns.get(path.count("/"), ())
        mounts = [*self._exact.get(path, ()), *(mount for pattern, mount in patterns if pattern.fullmatch(path))]
        return tuple(sorted({method for mount in mounts if _is_for_all(mount) for method in mount.endpoint.methods}))

    def _add(self, mount: Mount) -> None:
        if "{" not in mount.pattern:
            self._exact[mount.pattern].append(mount)
            return
        parts = _NAME.split(mount.pattern)
        regex = "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        self._patterns[mount.pattern.count("/")].append((re.compile(regex), mount))


def _is_for_all(mount: Mount) -> bool:
    return not isinstance(mount.endpoint, Probe) or mount.endpoint.is_for is None


def _is_for(mount: Mount, head: Head) -> bool:
    endpoint = mount.endpoint
    if head.method not in endpoint.methods:
        return False
    return not isinstance(endpoint, Probe) or endpoint.is_for is None or endpoint.is_for(head)
