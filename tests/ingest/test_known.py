"""Groups that come again say what they said, whatever came between."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import known as known_groups
from ingest.identity import Resolved
from ingest.known import LABELS, Group, Known, Told
from ingest.rows import SEVERITY_CODES, Source

DEFAULTS = {"cluster": "c", "namespace": "n"}
GROUPS = [(f"pod-{number}", str(number % 3)) for number in range(200)]


def resolve(base: str, lifted: str) -> Resolved:
    labels = {"app": base, "a": lifted} if lifted else {}
    return Resolved(Source(pod=base, namespace=lifted, labels=labels), {"rest": 1} if lifted == "more" else {}, "warn")


def words(told: Told, groups: int) -> dict[str, list[str | None]]:
    rows = np.arange(groups)
    return {name: column.take(rows).to_pylist() for name, column in told.words.items()}


def expected(groups: list[Group]) -> dict[str, list[str | None]]:
    sources = [resolve(*group).source for group in groups]
    return {
        "cluster": ["c"] * len(groups),
        "namespace": [source.namespace or "n" for source in sources],
        "pod": [source.pod for source in sources],
        "container": [""] * len(groups),
        "stream": [""] * len(groups),
        LABELS: [
            json.dumps(dict(sorted(source.labels.items())), separators=(",", ":")) if source.labels else None
            for source in sources
        ],
    }


some_groups = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", "x", "y", "more"])), max_size=12)


@given(st.lists(some_groups, max_size=6))
def test_each_body_is_told_what_its_groups_say(bodies: list[list[Group]]) -> None:
    known = Known(resolve, DEFAULTS)
    for groups in bodies:
        told = known.tell(groups)
        assert words(told, len(groups)) == expected(groups)
        assert told.severities.tolist() == [SEVERITY_CODES["warn"]] * len(groups)
        assert (told.more is not None) == any(lifted == "more" for _, lifted in groups)
        assert told.more is None or told.more == [resolve(*group) for group in groups]


def test_what_comes_again_is_not_resolved_again() -> None:
    asked: list[Group] = []
    known = Known(lambda base, lifted: (asked.append((base, lifted)), resolve(base, lifted))[1], DEFAULTS)
    for _ in range(3):
        assert words(known.tell(GROUPS), len(GROUPS)) == expected(GROUPS)
    assert asked == GROUPS


@pytest.mark.parametrize("bound", ["GROUPS_MAX", "CHARACTERS_MAX"])
def test_what_is_kept_is_bounded(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Group] = []
    monkeypatch.setattr(known_groups, bound, 40)
    known = Known(lambda base, lifted: (asked.append((base, lifted)), resolve(base, lifted))[1], DEFAULTS)
    for groups in (GROUPS[:100], GROUPS[50:], GROUPS[:10]):
        assert words(known.tell(groups), len(groups)) == expected(groups)
    assert asked == list(chain(GROUPS[:100], GROUPS[50:], GROUPS[:10]))


def test_words_that_are_no_text_are_replaced_as_everywhere() -> None:
    told = Known(lambda base, _: Resolved(Source(pod=base, labels={"l": base}), {}), {}).tell([("\ud800a", "")])
    assert words(told, 1)["pod"] == ["�a"]
    assert words(told, 1)[LABELS] == ['{"l":"�a"}']


def test_several_threads_are_told_the_same() -> None:
    known = Known(resolve, DEFAULTS)
    bodies = [GROUPS[at : at + 40] for at in range(0, 160, 7)] * 4
    with ThreadPoolExecutor(4) as threads:
        for groups, told in zip(bodies, threads.map(known.tell, bodies), strict=True):
            assert words(told, len(groups)) == expected(groups)
