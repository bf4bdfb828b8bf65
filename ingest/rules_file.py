"""The rules that stand in a YAML file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest import rules_actions as actions
from ingest.lines_kernels import Mask
from ingest.rules_actions import Action
from ingest.rules_mask import DETECTORS, AnyMasker, Masker
from ingest.rules_view import View
from ingest.rules_where import Condition, Place, condition_of, regex_of
from logstore.errors import InvalidSettings
from logstore.record import IDENTITY_MAX_BYTES

FILE_MAX_BYTES: Final = 1 << 20
RULES_MAX: Final = 200
VALUES_MAX: Final = 20_000
MASKERS_MAX: Final = 50
LABELS_MAX: Final = 50
REPLACEMENT_MAX: Final = 100
NAME_MAX: Final = 100
_ABOUT: Final = ("name", "where")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done to which records. `kind` is the action's word in the file."""

    name: str
    kind: str
    where: Condition
    action: Action


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in its order. Raises InvalidSettings, which names the place."""
    import yaml  # type: ignore[import-untyped]

    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise InvalidSettings(f"rules file {path} cannot be read: {error.strerror}") from error
    if len(content) > FILE_MAX_BYTES:
        raise InvalidSettings(f"rules file {path} has more than {FILE_MAX_BYTES:,} bytes")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return rules_of(yaml.load(content, loader), Place(f"rules file {path}"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidSettings(f"rules file {path} is no YAML: {error}") from error


def rules_of(content: Any, place: Place) -> tuple[Rule, ...]:
    """The rules of a file's content: `{rules: [...]}`. Raises InvalidSettings."""
    if content is None:
        return ()
    if _is_too_much(content):
        raise place.fail(f"more than {VALUES_MAX:,} values, counting what YAML's aliases repeat")
    if not isinstance(content, Mapping) or content.keys() != {"rules"}:
        raise place.fail("must hold one key, `rules`, with a list")
    items = content["rules"] or []
    if not isinstance(items, list) or len(items) > RULES_MAX:
        raise place.fail(f"`rules` must be a list of at most {RULES_MAX}")
    rules = tuple(_rule(item, at, place.into(f"rule {at}")) for at, item in enumerate(items, start=1))
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise place.fail(f"two rules are called {name!r}: a rule's name is its name in /metrics")
    return rules


def _is_too_much(content: Any) -> bool:
    """A few aliases of aliases stand for more values than anybody can walk through."""
    ahead, count = [content], 0
    while ahead and count <= VALUES_MAX:
        value = ahead.pop()
        count += 1
        if isinstance(value, Mapping):
            ahead += value.values()
        elif isinstance(value, list):
            ahead += value
    return count > VALUES_MAX


def _rule(item: Any, number: int, place: Place) -> Rule:
    if not isinstance(item, Mapping):
        raise place.fail("must be a mapping, such as {where: {severity: debug}, drop: true}")
    name = item.get("name", f"rule {number}")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise place.fail(f"a name is a text of 1 to {NAME_MAX} characters")
    kinds = [str(key) for key in item if key not in _ABOUT]
    for kind in kinds:
        if kind not in ACTIONS:
            raise place.fail(f"unknown key {kind!r}; there are {', '.join((*_ABOUT, *ACTIONS))}")
    if len(kinds) != 1:
        raise place.fail(f"must have exactly one of {', '.join(ACTIONS)}; for two actions write two rules")
    kind = kinds[0]
    where: Condition = _every
    if "where" in item:
        where = condition_of(item["where"], place.into("where"))
    return Rule(name, kind, where, ACTIONS[kind](item[kind], place.into(kind)))


def _every(view: View) -> Mask:
    return np.ones(view.rows, bool)


def _drop(value: Any, place: Place) -> Action:
    _must_be_true(value, place)
    return actions.drop


def _keep(value: Any, place: Place) -> Action:
    _must_be_true(value, place)
    return actions.keep


def _must_be_true(value: Any, place: Place) -> None:
    if value is not True:
        raise place.fail("must be true")


def _sample(value: Any, place: Place) -> Action:
    by = "record"
    if isinstance(value, Mapping):
        if not {"share"} <= value.keys() <= {"share", "by"}:
            raise place.fail("must be a share, or {share: 10%, by: trace_id}")
        by, value = value.get("by", by), value["share"]
    if by not in ("record", "trace_id"):
        raise place.fail("`by` is record or trace_id")
    return actions.sample(_share(value, place), by)


def _share(value: Any, place: Place) -> float:
    """0.1 or "10%"."""
    try:
        share = float(value[:-1]) / 100 if isinstance(value, str) and value.endswith("%") else float(value)
    except (TypeError, ValueError):
        share = -1.0
    if not 0 <= share <= 1 or isinstance(value, bool):
        raise place.fail(f"{value!r} is no share: write 10% or 0.1")
    return share


def _mask(value: Any, place: Place) -> Action:
    items = value if isinstance(value, list) else [value]
    if not 1 <= len(items) <= MASKERS_MAX:
        raise place.fail(f"must have 1 to {MASKERS_MAX} entries")
    maskers: list[AnyMasker] = []
    for item in items:
        maskers += DETECTORS.values() if item == "all" else [_masker(item, place)]
    return actions.mask(tuple(maskers))


def _masker(item: Any, place: Place) -> AnyMasker:
    if isinstance(item, str):
        if item not in DETECTORS:
            raise place.fail(f"unknown detector {item!r}; there are all, {', '.join(DETECTORS)}, or {{regex: …}}")
        return DETECTORS[item]
    if not isinstance(item, Mapping) or not {"regex"} <= item.keys() <= {"regex", "with"}:
        raise place.fail("must be detectors, or {regex: …, with: …}")
    pattern, replacement = regex_of(item["regex"], place.into("regex")), item.get("with", "[masked]")
    if isinstance(replacement, str) and len(replacement) > REPLACEMENT_MAX:
        raise place.fail(f"`with` is longer than {REPLACEMENT_MAX} characters")
    try:
        pc.replace_substring_regex(pa.array([""]), pattern, replacement)
    except (TypeError, pa.ArrowInvalid) as error:
        raise place.fail(f"`with` does not fit the regex: {error}") from None
    return Masker(pattern, replacement)


def _labels(value: Any, place: Place) -> Action:
    if not isinstance(value, Mapping) or not 1 <= len(value) <= LABELS_MAX:
        raise place.fail(f"must be a mapping of 1 to {LABELS_MAX} labels")
    if not all(isinstance(text, str) and text for pair in value.items() for text in pair):
        raise place.fail("names and values of labels are texts; put numbers in quotes")
    return actions.set_labels(dict(value))


def _namespace(value: Any, place: Place) -> Action:
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= IDENTITY_MAX_BYTES:
        raise place.fail(f"must be the name of a namespace, 1 to {IDENTITY_MAX_BYTES} bytes")
    return actions.route(value)


def _parse(value: Any, place: Place) -> Action:
    if value != "access":
        raise place.fail("must be access")
    return actions.parse_as_access


ACTIONS: Final[dict[str, Callable[[Any, Place], Action]]] = {
    "drop": _drop,
    "keep": _keep,
    "sample": _sample,
    "mask": _mask,
    "labels": _labels,
    "namespace": _namespace,
    "parse": _parse,
}
