"""The table of where agents say where records come from: ingest/identity.yaml, and a user's rows before it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from logstore.errors import InvalidSettings
from logstore.record import IDENTITY

WORDS: Final = (*IDENTITY, "stream")
RECORD: Final = ("severity", "trace_id", "span_id")
UNIT: Final = "unit"
_SECTIONS: Final = ("words", "labels", "pod_labels", "record", "unit", "patterns", "within", "documents")
_DOCUMENTS: Final = ("varying", "ambiguous", "holding")
_JOINTS: Final = re.compile(r"[./\-]")


@lru_cache(maxsize=16_384)
def normal(path: str) -> str:
    """One spelling for all of a path: `kubernetes.pod_name`, `kubernetes_pod.name` and `Kubernetes-pod-name`."""
    return _JOINTS.sub("_", path).lstrip("_").lower()


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Told apart by which they are, not by what they hold.

    All paths are normal ones, and end in `_` where they are prefixes, but for `paths`, `varying`,
    `holding` and `wrappers`, which are as they were written."""

    targets: Mapping[str, tuple[str, int]]
    """What a path tells, and its place among those that tell the same: the lowest counts."""
    labels: frozenset[str]
    """The targets that are labels."""
    pod_labels: tuple[str, ...]
    patterns: Mapping[str, tuple[re.Pattern[str], ...]]
    within: tuple[str, ...]
    varying: tuple[str, ...]
    ambiguous: frozenset[str]
    holding: tuple[str, ...]
    paths: tuple[str, ...]
    wrappers: tuple[str, ...]
    """`within`, as it was written."""


def table_of(*contents: Mapping[str, Any]) -> Table:
    """The rows of several files, of which the first counts most.

    Raises:
        InvalidSettings: a section, a target or a pattern that there is not.
    """
    for content in contents:
        _check(content)
    rows = {
        target: _joined(content.get(section, {}).get(target, ()) for content in contents)
        for section in ("words", "labels", "record")
        for target in dict.fromkeys(name for content in contents for name in content.get(section, {}))
    }
    rows[UNIT] = _joined(content.get("unit", ()) for content in contents)
    targets: dict[str, tuple[str, int]] = {}
    for target, paths in rows.items():
        for rank, path in enumerate(paths):
            targets.setdefault(normal(path), (target, rank))
    pod_labels = _joined(content.get("pod_labels", ()) for content in contents)
    within = _joined(content.get("within", ()) for content in contents)
    patterns = [pattern for content in contents for pattern in content.get("patterns", ())]
    documents = [content.get("documents", {}) for content in contents]
    spelt = (path for paths in (*rows.values(), pod_labels, *(p["paths"] for p in patterns)) for path in paths)
    return Table(
        targets,
        frozenset(name for content in contents for name in content.get("labels", {})),
        tuple(normal(path) + "_" for path in pod_labels),
        _patterns(patterns),
        tuple(normal(path) + "_" for path in within),
        _joined(content.get("varying", ()) for content in documents),
        frozenset(map(normal, _joined(content.get("ambiguous", ()) for content in documents))),
        _joined(content.get("holding", ()) for content in documents),
        tuple(dict.fromkeys(spelt)),
        within,
    )


@cache
def default_table() -> Table:
    """The packaged one."""
    return table_of(_packaged())


def read_table(file: Path | None) -> Table:
    """The packaged table, the rows of a user's file before it.

    Raises:
        InvalidSettings: the file cannot be read or has not the form of a table.
    """
    if file is None:
        return default_table()
    import yaml  # type: ignore[import-untyped]

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        return table_of(content, _packaged())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidSettings(f"identity file {file} cannot be read: {error}") from error
    except InvalidSettings as error:
        raise InvalidSettings(f"identity file {file}: {error}") from None


def _packaged() -> Mapping[str, Any]:
    import yaml

    content: Mapping[str, Any] = yaml.safe_load(resources.files("ingest").joinpath("identity.yaml").read_text("utf-8"))
    return content


def _joined(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for paths in lists for path in paths))


def _patterns(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[re.Pattern[str], ...]]:
    patterns: dict[str, tuple[re.Pattern[str], ...]] = {}
    for row in rows:
        for path in row["paths"]:
            compiled = tuple(re.compile(text) for text in row["texts"])
            patterns[normal(path)] = (*patterns.get(normal(path), ()), *compiled)
    return patterns


def _check(content: object) -> None:
    if not isinstance(content, Mapping):
        raise InvalidSettings("it must hold a mapping of sections: " + ", ".join(_SECTIONS))
    for section, value in content.items():
        if section not in _SECTIONS:
            raise InvalidSettings(f"there is no section {section!r}; there are {', '.join(_SECTIONS)}")
        if section == "words":
            _check_rows(section, value, WORDS)
        elif section == "record":
            _check_rows(section, value, RECORD)
        elif section == "documents":
            _check_rows(section, value, _DOCUMENTS)
        elif section == "labels":
            _check_rows(section, value, None)
        elif section == "patterns":
            _check_patterns(value)
        else:
            _check_paths(section, value)


def _check_rows(section: str, rows: object, known: tuple[str, ...] | None) -> None:
    if not isinstance(rows, Mapping):
        raise InvalidSettings(f"{section} must map names to lists of paths")
    for target, paths in rows.items():
        if known is not None and target not in known:
            raise InvalidSettings(f"{section} has {target!r}, but it knows {', '.join(known)} only")
        _check_paths(f"{section}.{target}", paths)


def _check_paths(name: str, paths: object) -> None:
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        raise InvalidSettings(f"{name} must be a list of paths, such as [kubernetes.pod_name]")


def _check_patterns(rows: object) -> None:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) and {*row} == {"paths", "texts"} for row in rows):
        raise InvalidSettings("patterns must be a list of {paths: [...], texts: [...]}")
    for row in rows:
        _check_paths("paths of patterns", row["paths"])
        _check_paths("texts of patterns", row["texts"])
        for text in row["texts"]:
            try:
                re.compile(text)
            except re.error as error:
                raise InvalidSettings(f"the pattern {text!r} is no regular expression: {error}") from None
