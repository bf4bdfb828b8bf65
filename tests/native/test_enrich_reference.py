"""enrich against the naive reference, over random lines and pushed attributes."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.enrich import enrich, whole
from logstore.native import canonical_json
from logstore.record import SEVERITIES, STORED
from tests.ingest.bodies import Bodies
from tests.reference import lines as reference
from tests.reference.strict_json import strict_object


def stored(rows: Sequence[tuple[str, str | None, str]]) -> pa.RecordBatch:
    """Records of which only message, attributes and severity matter."""
    words = dict.fromkeys(("cluster", "namespace", "pod", "container", "stream"), "")
    records = [
        {**words, "time": 0, "message": message, "attributes": attributes, "severity": severity, "_seq": seq}
        for seq, (message, attributes, severity) in enumerate(rows)
    ]
    return pa.RecordBatch.from_pylist(records, schema=STORED)


def enriched(rows: Sequence[tuple[str, str | None, str]]) -> list[tuple[dict[str, Any] | None, str]]:
    batch = stored(rows)
    result = whole(enrich(batch))
    result.validate(full=True)
    assert result.schema == STORED
    untouched = [name for name in STORED.names if name not in ("attributes", "severity")]
    assert result.select(untouched) == batch.select(untouched)
    texts = result.column("attributes").to_pylist()
    objects = [text if text is None else strict_object(text) for text in texts]
    return list(zip(objects, result.column("severity").to_pylist(), strict=True))


def check(rows: Sequence[tuple[str, str | None, str]]) -> None:
    for row, result in zip(rows, enriched(rows), strict=True):
        message, attributes, severity = row
        pushed = strict_object(attributes) if attributes else None
        if message.count("{") + message.count("[") > 128 and "_ingest_error" in (result[0] or {}):
            continue  # what breaks only further in than may be read is not looked at
        assert result == reference.enrich(message, pushed, severity), row


def pushed_attributes(bodies: Bodies) -> str | None:
    text = canonical_json(bodies.attributes())
    return text.decode() if text and text != b"{}" else None


@pytest.mark.parametrize("block", range(4))
def test_lines_are_read_as_the_reference_reads_them(block: int) -> None:
    rows = []
    for seed in range(block * 2000, block * 2000 + 2000):
        bodies, random = Bodies(seed), Random(seed)
        attributes = pushed_attributes(bodies) if random.random() < 0.5 else None
        severity = random.choice(SEVERITIES) if random.random() < 0.2 else ""
        rows.append((bodies.message(), attributes, severity))
    check(rows)


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_any_text_is_read_as_the_reference_reads_it(messages: list[str]) -> None:
    check([(message, None, "") for message in messages])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), _JSON, max_size=20), st.booleans())
def test_the_members_of_a_json_line_become_attributes(members: dict[str, Any], is_ascii: bool) -> None:
    line = json.dumps(members, ensure_ascii=is_ascii).encode("utf-8", "replace").decode()
    [(attributes, _)] = enriched([(line, None, "")])
    assert (attributes or {}) == strict_object(canonical_json(line.encode()).decode())  # type: ignore[union-attr]
    if is_ascii is False:
        assert json.loads(json.dumps(attributes or {})).keys() == json.loads(line).keys()


_STEM = "a-key-of-thirty-characters-is-x"
_ALIKE = st.sampled_from(["a", "b", "ab", "é", 'a"', "a\\", "\n", _STEM[:29], _STEM[:30], _STEM, _STEM + "é"])
_MEMBERS = st.lists(st.tuples(_ALIKE, st.sampled_from([1, "x", '"', "x" * 40, None])), min_size=1, max_size=4)


@given(st.lists(st.tuples(_MEMBERS, st.sampled_from([":", " : "]), st.booleans()), max_size=8))
def test_lines_whose_keys_are_nearly_those_of_the_line_before(
    lines: list[tuple[list[tuple[str, Any]], str, bool]],
) -> None:
    check([(_object(members, colon, is_ascii), None, "") for members, colon, is_ascii in lines])


def _object(members: list[tuple[str, Any]], colon: str, is_ascii: bool) -> str:
    """With keys as often as they are named."""
    pairs = [
        f"{json.dumps(key, ensure_ascii=is_ascii)}{colon}{json.dumps(value, ensure_ascii=is_ascii)}"
        for key, value in members
    ]
    return "{" + ",".join(pairs) + "}"


def test_a_slice_is_read_like_the_whole() -> None:
    rows = [(Bodies(seed).message(), pushed_attributes(Bodies(seed + 1)), "") for seed in range(50)]
    batch = stored(rows)
    together = enrich(batch)
    for start, length in ((0, 1), (3, 17), (8, 8), (49, 1), (50, 0), (13, 37)):
        assert enrich(batch.slice(start, length)) == together.slice(start, length)


_LEVELS = st.sampled_from(["info", "W", "D2", "ERROR+2", "x", "a.go:3", "", 5, 30, True, None])
_TELLING = st.sampled_from(
    [*reference.LEVEL_KEYS, "t", "s", "@t", "record", "log", "name", "levelStr", "$date", "caller", "v", "err"]
)
_TOLD = st.recursive(_LEVELS, lambda inner: st.dictionaries(_TELLING, inner, max_size=3), max_leaves=6)
_OBJECTS = st.dictionaries(_TELLING, _TOLD, max_size=5)


@given(_OBJECTS, st.none() | _OBJECTS)
def test_members_tell_a_severity_in_the_ways_of_all_loggers(
    line: dict[str, Any], pushed: dict[str, Any] | None
) -> None:
    check([(json.dumps(line), json.dumps(pushed) if pushed else None, "")])
