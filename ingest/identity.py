"""Where records come from, told by what agents put beside them: `kubernetes` objects, resource attributes, labels,
tags, names of containers and files. What is looked for stands in ingest/identity.yaml.

A node's own logs, of which the unit or the file under /var/log is known and no pod, are in the namespace `_node`: the
pod is the node, the container the unit or file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingest.identity_table import UNIT, WORDS, Table, default_table, normal
from ingest.rows import Source
from ingest.severity import says_more, severity_of
from logstore.record import NODE_NAMESPACE

_PATTERN_TEXT_MAX: Final = 4096
_PATTERN_RANK: Final = 1 << 20
_DEPTH_MAX: Final = 16

Trail = tuple[str, ...]
"""The keys that lead to a value, as they were written."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where records come from, and what was said besides. `severity` is one of the six words or ''."""

    source: Source
    rest: dict[str, Any]
    """What tells nothing about the source: attributes, as they were given."""
    severity: str = ""
    trace_id: str | None = None
    span_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Clue:
    """What one value says about one target; the lowest rank counts."""

    rank: int
    text: str
    trail: Trail


def resolve(metadata: Mapping[str, Any], table: Table | None = None) -> Resolved:
    """What an agent says about where records come from, whichever of its forms that has.

    Costs tens of microseconds: ask once for records that have it in common.
    """
    table = table or default_table()
    clues: dict[str, list[_Clue]] = {}
    pod_labels: dict[str, tuple[str, Trail]] = {}
    for trail, value in _leaves(metadata, ()):
        text = _text(value)
        if not text:
            continue
        path = _path(trail, table)
        if label := _pod_label(trail, path, table):
            pod_labels[label] = (text, trail)
        else:
            _read(path, text, trail, table, clues)
    chosen = {target: min(found, key=lambda clue: clue.rank) for target, found in clues.items()}
    _name_node(chosen)
    used = {trail for _, trail in pod_labels.values()} | _used(clues, chosen)
    labels = {target: clue.text for target, clue in chosen.items() if target in table.labels}
    labels |= {f"pod_label.{name}" if name in labels else name: text for name, (text, _) in pod_labels.items()}
    words = {name: chosen[name].text for name in WORDS if name in chosen}
    trace_id, span_id = (chosen[name].text if name in chosen else None for name in ("trace_id", "span_id"))
    severity = severity_of(chosen["severity"].text) if "severity" in chosen else ""
    return Resolved(Source(**words, labels=labels), _without(metadata, used, ()), severity, trace_id, span_id)


def _leaves(members: Mapping[str, Any], trail: Trail) -> Iterator[tuple[Trail, Any]]:
    for key, value in members.items():
        if isinstance(value, Mapping) and len(trail) < _DEPTH_MAX:
            yield from _leaves(value, (*trail, key))
        else:
            yield (*trail, key), value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else ""


def _path(trail: Trail, table: Table) -> str:
    path = normal(".".join(trail))
    if path in table.targets or not path.startswith(table.within):
        return path
    wrapper = next(wrapper for wrapper in table.within if path.startswith(wrapper))
    return path.removeprefix(wrapper).lstrip("_")


def _pod_label(trail: Trail, path: str, table: Table) -> str:
    """The label's own name, if the path leads to one of a pod's."""
    if not path.startswith(table.pod_labels):
        return ""
    prefix = next(prefix for prefix in table.pod_labels if path.startswith(prefix))
    return ".".join(trail)[len(prefix) - len(path) :]


def _read(path: str, text: str, trail: Trail, table: Table, clues: dict[str, list[_Clue]]) -> None:
    if len(text) <= _PATTERN_TEXT_MAX:
        for place, pattern in enumerate(table.patterns.get(path, ())):
            if found := pattern.search(text):
                for target, part in found.groupdict("").items():
                    if part:
                        clues.setdefault(target, []).append(_Clue(_PATTERN_RANK + place, part, trail))
                return
    if told := table.targets.get(path):
        target, rank = told
        if target == "severity" and not severity_of(text):
            return
        clues.setdefault(target, []).append(_Clue(rank, text, trail))


def _name_node(chosen: dict[str, _Clue]) -> None:
    """Makes the identity of a node's own log of its unit, or forgets the unit."""
    unit = chosen.pop(UNIT, None)
    if unit is None or any(name in chosen for name in ("namespace", "pod", "container")):
        return
    chosen["namespace"] = _Clue(0, NODE_NAMESPACE, ())
    chosen["container"] = unit
    if "node" in chosen:
        chosen["pod"] = chosen["node"]


def _used(clues: Mapping[str, list[_Clue]], chosen: Mapping[str, _Clue]) -> set[Trail]:
    """The chosen values, and those that say the same again; but words that say more than a severity's name stay."""
    return {
        clue.trail
        for target, found in clues.items()
        if target in chosen
        for clue in found
        if clue.text == chosen[target].text and not (target == "severity" and says_more(clue.text))
    }


def _without(members: Mapping[str, Any], used: set[Trail], trail: Trail) -> dict[str, Any]:
    """The members less the values that were used, and less the objects that nothing is left of."""
    rest: dict[str, Any] = {}
    for key, value in members.items():
        here = (*trail, key)
        if here in used:
            continue
        if isinstance(value, Mapping) and value and len(trail) < _DEPTH_MAX:
            value = _without(value, used, here)
            if not value:
                continue
        rest[key] = value
    return rest
