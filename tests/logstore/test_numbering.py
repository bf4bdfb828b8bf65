"""Templates keep their numbers, whichever index they come with; against dictionaries."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore import numbering
from logstore.numbering import Numbering

IDS = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)
INDEXES = st.lists(st.dictionaries(IDS, st.integers(0, 2**28 - 1), max_size=8), max_size=8)


def number(numbers: Numbering, templates: dict[int, int]) -> list[int]:
    texts = pa.array([f"text of {one}" for one in templates], pa.string())
    found = numbers.number(np.array(list(templates), np.int64), texts, np.array(list(templates.values()), np.int64))
    return found.tolist()  # type: ignore[no-any-return]


@given(INDEXES)
def test_an_id_has_one_number_the_texts_position_and_all_its_letters(indexes: list[dict[int, int]]) -> None:
    numbers = Numbering()
    known: dict[int, int] = {}
    letters: dict[int, int] = {}
    for templates in indexes:
        version = numbers.texts.version
        widened = any(letters.get(one, each) | each != letters.get(one, each) for one, each in templates.items())
        for one, each in templates.items():
            known.setdefault(one, len(known))
            letters[one] = letters.get(one, 0) | each
        assert number(numbers, templates) == [known[one] for one in templates]
        assert (numbers.texts.version > version) is widened
    texts = numbers.texts
    assert texts.ids.tolist() == list(known)
    assert texts.letters.tolist() == [letters[one] for one in known]
    assert [text.as_py() for chunk in texts.chunks for text in chunk] == [f"text of {one}" for one in known]


def test_texts_are_bounded_and_numbered_anew_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "TEXTS_MAX_BYTES", 60)
    numbers = Numbering()
    assert number(numbers, {7: 0, 3: 0}) == [0, 1]
    assert numbers.generation == 0
    assert number(numbers, dict.fromkeys((3, 9, 11, 12, 13), 0)) == [0, 1, 2, 3, 4]
    assert numbers.generation == 1
    assert numbers.texts.ids.tolist() == [3, 9, 11, 12, 13]
