"""Which containers' runs a `logq logs` command line means, decided from the server's catalog of streams.

A run is one life of a container: its pod's uid and its restart count, both labels where the agent knows them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from logq.client import Client
from logq.errors import LogqError, NothingFound
from logq.render import cell
from logq.scope import quoted

DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
_HASH: Final = "[a-z0-9]{1,10}"
_RANDOM: Final = "[a-z0-9]{5}"
_POD_NAMES: Final = {
    **dict.fromkeys(("deployment", "deployments", "deploy"), f"-{_HASH}-{_RANDOM}"),
    **dict.fromkeys(("replicaset", "replicasets", "rs"), f"-{_RANDOM}"),
    **dict.fromkeys(("daemonset", "daemonsets", "ds"), f"-{_RANDOM}"),
    **dict.fromkeys(("job", "jobs"), f"-{_RANDOM}"),
    **dict.fromkeys(("statefulset", "statefulsets", "sts"), r"-\d+"),
    **dict.fromkeys(("pod", "pods", "po"), ""),
}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's place: a name alone may be in several."""

    cluster: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Stream:
    """One entry of the catalog: a container with one set of labels. Times are RFC 3339 in UTC: they sort."""

    pod: Pod
    container: str
    labels: Mapping[str, str]
    first_time: str
    last_time: str

    @property
    def uid(self) -> str:
        """The pod's uid, empty where nobody said."""
        return self.labels.get("pod_uid", "")

    @property
    def instance(self) -> str:
        """The restart count, empty where nobody said."""
        return self.labels.get("instance", "")


@dataclass(frozen=True, slots=True)
class Run:
    """One life of one container; `is_only` where the store knows no other."""

    pod: Pod
    container: str
    uid: str
    instance: str
    is_only: bool

    def query(self) -> str:
        """The filter for its records."""
        if self.is_only:
            return self.container_query()
        labels = f"{_label('pod_uid', self.uid)} {_label('instance', self.instance)}"
        return f"{self.container_query()} {labels}"

    def container_query(self) -> str:
        """The filter for the records of all runs of this container."""
        identity = {
            "cluster": self.pod.cluster,
            "namespace": self.pod.namespace,
            "pod": self.pod.name,
            "container": self.container,
        }
        return " ".join(f"{column}={quoted(value)}" for column, value in identity.items())


def catalog(client: Client, cluster: str, namespace: str) -> list[Stream]:
    """All streams of pods, or only those of a cluster and namespace where given."""
    answer = client.ask_json("/api/v1/streams", {})
    streams = map(_stream, answer.get("streams", []))
    return [
        stream
        for stream in streams
        if stream.pod.name and cluster in ("", stream.pod.cluster) and namespace in ("", stream.pod.namespace)
    ]


def pod_names(resource: str) -> re.Pattern[str]:
    """The names of pods that `POD` or `TYPE/NAME` means.

    Raises:
        LogqError: the type has no pods that are known by their names.
    """
    kind, slash, name = resource.partition("/")
    if not slash:
        return re.compile(re.escape(resource))
    pattern = _POD_NAMES.get(kind.split(".")[0].lower())
    if pattern is None:
        known = "pod, deployment, replicaset, statefulset, daemonset, job"
        raise LogqError(f"the server doesn't have a resource type {kind!r}", f"known are: {known}")
    return re.compile(re.escape(name) + pattern)


def one_place(pods: Iterable[Pod], command: str) -> Pod:
    """The only pod there is; a name in several namespaces or clusters is the user's to decide."""
    places = sorted(pods, key=lambda pod: (pod.cluster, pod.namespace))
    if len(places) == 1:
        return places[0]
    several_clusters = len({pod.cluster for pod in places}) > 1
    choices = [
        f"{command} -n {pod.namespace}" + (f" --cluster {pod.cluster}" if several_clusters else "") for pod in places
    ]
    raise LogqError(f'pod "{places[0].name}" is in {len(places)} places; say which:', "\n".join(choices))


def not_found(name: str, namespace: str, streams: Sequence[Stream]) -> NothingFound:
    """There is no such pod, but maybe one of nearly that name."""
    from difflib import get_close_matches

    known = sorted({stream.pod.name for stream in streams})
    near = [pod for pod in known if pod.startswith(name)][:10] or get_close_matches(name, known, 5)
    where = f' in namespace "{namespace}"' if namespace else ""
    hint = f"did you mean: {', '.join(near)}" if near else "all there are: logq streams"
    return NothingFound(f'pods "{name}" not found{where}', hint)


def containers(streams: Sequence[Stream]) -> list[str]:
    """The containers of the newest pod among the streams of one pod name, the default one first, one without a name
    last."""
    newest = max(streams, key=lambda stream: stream.last_time)
    current = [stream for stream in streams if stream.uid == newest.uid]
    names = sorted({stream.container for stream in current})
    default = next((stream.labels[DEFAULT_CONTAINER] for stream in current if DEFAULT_CONTAINER in stream.labels), "")
    return sorted(names, key=lambda name: (not name, name != default))


def run_of(streams: Sequence[Stream], pod: Pod, container: str, *, is_previous: bool) -> Run:
    """The newest run of a container, or the one before.

    Raises:
        NothingFound: there is none.
    """
    own = [stream for stream in streams if stream.container == container]
    pod_age: dict[str, str] = {}
    for stream in own:
        pod_age[stream.uid] = max(pod_age.get(stream.uid, ""), stream.last_time)
    runs = sorted(
        {(stream.uid, stream.instance) for stream in own},
        key=lambda run: (pod_age[run[0]], run[0], _restarts(run[1])),
    )
    if not runs:
        names = ", ".join(sorted({stream.container for stream in streams}))
        raise NothingFound(f"container {container} is not valid for pod {pod.name} out of: {names}")
    if is_previous and len(runs) < 2:
        raise NothingFound(f'previous terminated container "{container}" in pod "{pod.name}" not found')
    uid, instance = runs[-2 if is_previous else -1]
    return Run(pod, container, uid, instance, is_only=len(runs) == 1)


def _restarts(instance: str) -> tuple[int, str]:
    return (int(instance) if instance.isdecimal() else -1, instance)


def _label(name: str, value: str) -> str:
    return f"labels.{name}={quoted(value)}" if value else f"not labels.{name}:*"


def _stream(entry: Mapping[str, Any]) -> Stream:
    labels = entry.get("labels") or {}
    return Stream(
        Pod(str(entry["cluster"]), str(entry["namespace"]), str(entry["pod"])),
        str(entry["container"]),
        {name: cell(value) for name, value in labels.items()},
        str(entry.get("first_time") or ""),
        str(entry.get("last_time") or ""),
    )
